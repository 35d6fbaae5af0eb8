/**
 * The datagrams of one pair of endpoints: which of them is the client, whether they speak QUIC or DTLS, and by which way
 * the client's come. What neither of them is, the situation `notTls` decides. Gives every datagram its verdict and says
 * when the rest may pass unseen; writes no marks itself.
 */
import type { FlowSubject } from '../pins/match/snapshot.ts';
import { isLongHeader } from '../quic/packet.ts';
import { beginsDtls } from '../tls/dtls-record.ts';
import { Aged } from '../connection/age-list.ts';
import { type ConversationHost, verdictOf } from './conversation.ts';
import { type DatagramVerdict } from './packet.ts';
import { DtlsConversation } from './dtls.ts';
import type { PacketContext } from '../packet/context.ts';
import { QuicConversation } from './quic.ts';
import { rule, type Ruling } from '../judge/ruling.ts';
import { applySituation, holdersOf } from '../judge/situation.ts';
import type { Waiter } from '../connection/waiting.ts';
import type { Way } from '../connection/way.ts';

export interface FlowIdentity {
  readonly id: number;
  /** FlowKey.kept. */
  readonly key: string;
  /** Value of `FlowKey.forward` for datagrams that the client sends. */
  readonly clientForward: boolean;
  readonly subject: FlowSubject;
  /** Of the client's datagrams. */
  readonly way: Way;
  readonly frame: number;
}

export class DatagramFlow extends Aged implements Waiter {
  readonly identity: FlowIdentity;
  lastSeen: number;
  isWaiting = false;
  readonly #host: ConversationHost;
  #quic: QuicConversation | undefined;
  #dtls: DtlsConversation | undefined;
  #notTls: Ruling | undefined;
  /** The server's answers go where the client's datagrams come from: nobody else has spoken in its place. */
  #isAnswered = false;

  constructor(identity: FlowIdentity, host: ConversationHost, now: number) {
    super();
    this.identity = identity;
    this.#host = host;
    this.lastSeen = now;
  }

  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** What an earlier decision left on the connection does not hold any more. */
  get isUndecided(): boolean {
    return this.#dtls?.isUndecided ?? false;
  }

  onClient(p: PacketContext): DatagramVerdict {
    this.lastSeen = p.time;
    const { bytes, dataStart, dataEnd } = p.udp;
    if (dataStart < dataEnd && isLongHeader(bytes[dataStart]!) && !this.#isMedia(bytes[dataStart]!)) {
      this.#quic ??= new QuicConversation(this.#host);
      return this.#quic.onClient(p);
    }
    // What follows a handshake looks like anything.
    const conversation = this.#beginsDtls(p) ? this.#spokenDtls() : (this.#quic ?? this.#dtls);
    return conversation === undefined ? this.#neither() : conversation.onClient(p);
  }

  onServer(p: PacketContext): DatagramVerdict {
    this.lastSeen = p.time;
    if (p.outIfindex === this.identity.way.inIfindex) this.#isAnswered = true;
    if (this.#beginsDtls(p)) return this.#spokenDtls().onServer(p);
    // Where the client speaks both, it may read the datagram as either.
    const verdict = this.#quic?.onServer(p);
    if (this.#dtls === undefined) return verdict ?? this.#neither();
    return verdict === 'drop' ? verdict : this.#dtls.onServer(p);
  }

  /** The ruling to be marked as accepted along with this datagram, whose verdict is to accept it. */
  accepted(p: PacketContext, fromClient: boolean): Ruling | undefined {
    if (!this.#isAnswered) return undefined;
    const spoken = [this.#quic, this.#dtls].filter((conversation) => conversation !== undefined);
    const rulings = spoken.map((conversation) => conversation.accepted(p, fromClient));
    if (this.#notTls !== undefined) rulings.push(this.#notTls);
    return rulings.every((ruling) => ruling?.action === 'accept') ? rulings[0] : undefined;
  }

  deadline(): number {
    return Math.min(this.#quic?.deadline() ?? Infinity, this.#dtls?.deadline() ?? Infinity);
  }

  onTime(now: number): void {
    this.#quic?.onTime(now);
    this.#dtls?.onTime(now);
  }

  reselect(): void {
    if (this.#notTls?.action !== 'accept') this.#notTls = undefined;
    this.#dtls?.reselect();
  }

  end(): void {
    this.#quic?.end();
    this.#dtls?.end();
  }

  #beginsDtls({ udp }: PacketContext): boolean {
    return beginsDtls(udp.bytes, udp.dataStart, udp.dataEnd);
  }

  #spokenDtls(): DtlsConversation {
    return (this.#dtls ??= new DtlsConversation(this.#host));
  }

  /** RFC 7983 §7, RFC 9443 §3: beside DTLS, 128..191 is RTP and QUIC has the rest. */
  #isMedia(firstOctet: number): boolean {
    return this.#dtls !== undefined && firstOctet < 192;
  }

  #neither(): DatagramVerdict {
    if (!this.#host.live) return 'accept';
    const { snapshot, subject } = this.#host;
    this.#notTls ??= rule(applySituation(holdersOf(snapshot, subject, undefined), 'notTls', 'not-tls'), 'none');
    return verdictOf(this.#notTls) === 'accept' ? 'accept' : 'drop';
  }
}
