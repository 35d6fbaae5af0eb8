/**
 * Who is the client of a connection that was opened from a port where servers are expected. Its SYN may have met a
 * client's own one that never came by here (RFC 9293 §3.5, a simultaneous open): then the other end is the client. Its
 * first words tell: a client's begin TLS, or ask for it. What follows from it is for others.
 */
import { PreambleTracker } from '../starttls/tracker.ts';
import type { PacketContext } from '../packet/context.ts';
import { CONTENT, HANDSHAKE } from '../tls/constants.ts';

export class Roles {
  /** Nothing that the other end has said is a client's word, or not. */
  isDoubtful = true;
  readonly #denies: () => boolean;
  readonly #words = new PreambleTracker();
  #first: Uint8Array = NOTHING;
  #next = 0;

  /** `denies`: asked when the one that was taken for the server is the client; false where that makes no difference. */
  constructor(denies: () => boolean) {
    this.#denies = denies;
  }

  /**
   * A segment of the one taken for the server, which begins at `offset` of its stream; true where it must not go on. What
   * does not come from where the SYN went, `outIfindex`, are not its words; and those behind a gap tell nothing.
   */
  onServerPacket({ tcp, inIfindex }: PacketContext, offset: number, outIfindex: number): boolean {
    const known = this.#next - offset;
    const isHeard = this.isDoubtful && inIfindex === outIfindex && known >= 0 && known < tcp.dataLength;
    if (!isHeard || this.#next > MAX_WORDS) return false;
    const isClient = this.#hear(tcp.bytes.subarray(tcp.dataStart + known, tcp.dataEnd));
    this.isDoubtful = isClient === undefined;
    return isClient === true && this.#denies();
  }

  /** Whether it is the client; undefined while its words do not tell. */
  #hear(words: Uint8Array): boolean | undefined {
    this.#next += words.length;
    this.#first = Buffer.concat([this.#first, words.subarray(0, TELLING - this.#first.length)]);
    if (this.#first[0] === CONTENT.handshake) {
      return this.#first.length < TELLING ? undefined : this.#first.at(-1) === HANDSHAKE.clientHello;
    }
    const { state } = this.#words.client(words);
    if (state === 'tls' || this.#words.heldClient[0] === CONTENT.handshake) return true;
    return state === 'foreign' ? false : undefined;
  }
}

/** Octets of a record up to the type of the message in it. */
const TELLING = 6;
/** A server that goes on like a client for so long asks for no TLS: its connection stays in doubt. */
const MAX_WORDS = 16_384;
const NOTHING = new Uint8Array(0);
