/**
 * Both directions of one connection, from their first octet: what may come before TLS, then the handshake. Hands octets
 * to whoever reads them now and tells the judge what neither can tell. Knows order, not sequence numbers.
 *
 *   client  start ──16 03 / SSLv2──▶ tls                  both directions change over together
 *             └───anything else────▶ preamble ──agreed──▶ start again, TLS or nothing
 *                                        └────foreign───▶ opaque
 */
import { PreambleTracker } from '../starttls/tracker.ts';
import { CONTENT, VERSION } from '../tls/constants.ts';
import type { ObserverLimits } from '../tls/observed/dialogue.ts';
import type { Side } from '../tls/observed/listener.ts';
import { Observer } from '../tls/observer.ts';
import { beginsSsl2, SSL2 } from '../tls/ssl2.ts';
import type { Judge } from '../judge/judge.ts';
import { Permission, permittedAt } from './permission.ts';

export interface InspectionOptions {
  readonly limits: ObserverLimits;
  /** Live, a server's flight ahead of the ClientHello is an attack; in a capture it is a packet that came late. */
  readonly clientFirst: boolean;
}

export class Inspection {
  readonly #judge: Judge;
  readonly #options: InspectionOptions;
  #starts = newStarts();
  #preamble: PreambleTracker | undefined;
  #upgraded = false;
  #observer: Observer | undefined;
  #opaque = false;
  /** Octets of the server's that were read, and those of them that a preamble was. */
  #served = 0;
  #preambled = 0;
  /** What the client may have of them while nothing is decided. */
  readonly permission = new Permission();

  constructor(judge: Judge, options: InspectionOptions) {
    this.#judge = judge;
    this.#options = options;
  }

  /** True where a client that speaks TLS would read an alert record sent to it now. */
  get serverAtBoundary(): boolean {
    return this.#observer !== undefined && this.#observer.serverAtBoundary && !this.#starts.server.isPartial;
  }

  /** True between records of the client's. */
  get clientAtBoundary(): boolean {
    return this.#observer?.clientAtBoundary ?? false;
  }

  /** Octets of the server's that were read as TLS. */
  get serverOctets(): number {
    return this.#observer?.serverOctets ?? 0;
  }

  /** Where, in the server's stream, the encrypted records begin that wait for their secret. */
  get sealedFrom(): number | undefined {
    const { sealedFrom } = this.#judge;
    if (sealedFrom === undefined || !this.#judge.permits('sealed')) return undefined;
    return this.#served - (this.serverOctets - sealedFrom);
  }

  /** Version for an alert record. */
  get recordVersion(): number {
    return this.#observer?.recordVersion ?? VERSION.tls12;
  }

  /** True when nothing more will show: both directions are encrypted, or this is not TLS. */
  get done(): boolean {
    return this.#opaque || (this.#observer?.done ?? false);
  }

  /** For captures: both directions begin anew where a hello stands in a stream that was taken for something else. */
  restart(): void {
    this.#starts = newStarts();
    this.#preamble = undefined;
    this.#observer = undefined;
    this.#upgraded = false;
    this.#opaque = false;
    this.#judge.restart();
  }

  /** True when this is not TLS. */
  get isOpaque(): boolean {
    return this.#opaque;
  }

  /** True while both sides say what may come before TLS. */
  get isPreamble(): boolean {
    return this.#preamble !== undefined && !this.#upgraded && !this.#opaque;
  }

  /** True once the client has begun to speak TLS. */
  get begun(): boolean {
    return this.#starts.client.isTls;
  }

  readonly feedClient = (bytes: Uint8Array, start: number, end: number): void =>
    this.#feed('client', bytes, start, end);
  readonly feedServer = (bytes: Uint8Array, start: number, end: number): void => {
    this.#served += end - start;
    this.#feed('server', bytes, start, end);
    this.permit();
  };

  /** Permits what was understood; asked again when an answer from outside has come. */
  permit(): void {
    const observer = this.#observer;
    if (observer === undefined || this.#opaque || this.#starts.server.isPartial) return;
    const point = observer.serverPoint;
    if (point === 'encrypted') return this.#permitEncrypted();
    const isAheadOfHello = point === 'unasked' && observer.serverBetweenMessages;
    const name = isAheadOfHello ? 'ahead-of-hello' : permittedAt(point, this.#judge);
    if (name !== undefined) this.permission.permit(this.#served, name);
  }

  #permitEncrypted(): void {
    const { permission, sealedFrom } = this;
    const judge = this.#judge;
    if (sealedFrom !== undefined) permission.permit(sealedFrom, 'sealed-from');
    if (judge.permits('unsealed')) permission.permit(this.#served, 'logged-server-hello');
    if (judge.permits('encrypted-part')) permission.permit(this.#served, 'encrypted-part');
    if (judge.permits('encrypted-certificate')) permission.permit(this.#served, 'encrypted-certificate');
  }

  #feed(side: Side, bytes: Uint8Array, start: number, end: number): void {
    if (this.#opaque || start >= end) return;
    const { kind } = this.#starts[side];
    if (kind === 'tls' || kind === 'ssl2') return this.#observe(side, bytes, start, end);
    if (kind === 'other') return this.#advance(side, bytes.subarray(start, end));
    const consumed = this.#starts[side].take(bytes, start, end);
    this.#onStart(side);
    this.#feed(side, bytes, start + consumed, end);
  }

  /** The first octets tell TLS from anything else; a preamble hears a direction from its first. */
  #onStart(side: Side): void {
    const start = this.#starts[side];
    if (start.kind === 'undecided') return;
    // Once the client speaks TLS, or the server has agreed to, everything that the client gets is read as TLS.
    if (side === 'server' && start.kind === 'other' && (this.#upgraded || this.begun)) start.kind = 'tls';
    if (start.kind === 'other') return this.#upgraded ? this.#refuse() : this.#advance(side, start.first);
    // A greeting that the client never asked for: it will take it for TLS, and fail.
    const isMixed = side === 'client' && this.#starts.server.kind === 'other' && this.#options.clientFirst;
    if (isMixed) return this.#judge.settleBy('parseError', 'parse-error', 'starttls.unexpected-tls');
    this.#observe(side, start.first, 0, start.first.length);
  }

  /** Goes on with the dialogue ahead of TLS. */
  #advance(side: Side, bytes: Uint8Array): void {
    if (this.#preamble === undefined) this.#judge.onPreamble(side);
    this.#preamble ??= new PreambleTracker();
    const preamble = this.#preamble;
    if (side === 'server' && this.#preambled === 0) this.#judge.onFirstWord();
    if (side === 'server') this.#preambled += bytes.length;
    const progress = preamble[side](bytes);
    switch (progress.state) {
      case 'preamble':
        return this.#permitPreamble(preamble.served);
      case 'foreign':
        return this.#refuse();
      case 'limit':
        this.#opaque = true;
        return this.#judge.settleBy('parseError', 'limit', 'starttls.too-long');
      case 'tls': {
        this.#upgraded = true;
        this.#starts.client.restart();
        this.#starts.server.restart();
        this.#judge.onUpgrade(preamble.protocol ?? 'unknown');
        this.permission.permit(preamble.served, 'upgrade');
        const { heldClient, heldServer } = preamble;
        this.#feed('client', heldClient, 0, heldClient.length);
        return this.#feed('server', heldServer, 0, heldServer.length);
      }
      default:
        return progress satisfies never;
    }
  }

  /** Where nothing would be denied, what is ahead of the client goes as well. */
  #permitPreamble(served: number): void {
    const isAhead = served < this.#preambled && this.#judge.unfinished.action !== 'accept';
    this.permission.permit(isAhead ? served : this.#preambled, 'preamble');
  }

  #refuse(): void {
    this.#opaque = true;
    this.#judge.settleBy('notTls', 'not-tls');
  }

  #observe(side: Side, bytes: Uint8Array, start: number, end: number): void {
    this.#observer ??= new Observer(this.#judge, this.#options.limits, {
      isSsl2: this.#starts.client.kind === 'ssl2',
      clientFirst: this.#options.clientFirst,
    });
    if (side === 'client') this.#observer.feedClient(bytes, start, end);
    else this.#observer.feedServer(bytes, start, end);
  }
}

function newStarts() {
  return { client: new Start(SSL2.clientHello), server: new Start(SSL2.serverHello) };
}

/** The first octets of a direction, gathered until they tell what it speaks. */
class Start {
  kind: 'undecided' | 'tls' | 'ssl2' | 'other' = 'undecided';
  first: Uint8Array = new Uint8Array(0);
  /** Type of an SSLv2 message that this direction may begin with. */
  readonly #ssl2Type: number;

  constructor(ssl2Type: number) {
    this.#ssl2Type = ssl2Type;
  }

  get isTls(): boolean {
    return this.kind === 'tls' || this.kind === 'ssl2';
  }

  get isPartial(): boolean {
    return this.kind === 'undecided' && this.first.length > 0;
  }

  restart(): void {
    this.kind = 'undecided';
    this.first = new Uint8Array(0);
  }

  /** Octets of bytes[start, end) that went into `first`: none where all that tells is there at once, and tells TLS. */
  take(bytes: Uint8Array, start: number, end: number): number {
    if (this.first.length === 0 && end - start >= MOST_THAT_TELL && beginsTls(bytes[start]!, bytes[start + 1]!)) {
      this.kind = 'tls';
      return 0;
    }
    let at = start;
    while (this.kind === 'undecided' && at < end) {
      this.first = Uint8Array.of(...this.first, bytes[at++]!);
      this.kind = classify(this.first, this.#ssl2Type);
    }
    return at - start;
  }
}

function classify(first: Uint8Array, ssl2Type: number): Start['kind'] {
  const [type, major] = first;
  if (isRecordType(type!)) return major === undefined ? 'undecided' : beginsTls(type!, major) ? 'tls' : 'other';
  if ((type! & 0x80) === 0) return 'other';
  if (first.length < 3) return 'undecided';
  if (first[2] !== ssl2Type) return 'other';
  if (first.length < MOST_THAT_TELL) return 'undecided';
  return beginsSsl2(first, ssl2Type) ? 'ssl2' : 'other';
}

/** The first octets of a record: its type, and the 3 of every version. */
function beginsTls(type: number, major: number): boolean {
  return isRecordType(type) && major === 3;
}

function isRecordType(type: number): boolean {
  return type === CONTENT.handshake || type === CONTENT.alert;
}

const MOST_THAT_TELL = 4;
