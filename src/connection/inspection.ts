/**
 * Both directions of one connection, from their first octet: what may come before TLS, then the handshake. Hands octets
 * to whoever reads them now and tells the judge what neither can tell. Knows order, not sequence numbers.
 *
 *   client  start ──16 03 / SSLv2──▶ tls                  both directions change over together
 *             └───anything else────▶ preamble ──agreed──▶ start again, TLS or nothing
 *                                        └────foreign───▶ opaque
 */
import type { Tunnel } from '../starttls/preamble.ts';
import { PreambleTracker } from '../starttls/tracker.ts';
import { CONTENT, VERSION } from '../tls/constants.ts';
import type { ObserverLimits } from '../tls/observed/dialogue.ts';
import type { Side } from '../tls/observed/listener.ts';
import { Observer } from '../tls/observer.ts';
import { beginsSsl2, isSsl2Hello, SSL2, SSL2_TELLING } from '../tls/ssl2.ts';
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
  #starts: Record<Side, Start>;
  #preamble: PreambleTracker | undefined;
  #upgraded = false;
  #observer: Observer | undefined;
  #opaque = false;
  /** Not everything was captured. */
  #isCut = false;
  /** What came before TLS, where its end was not captured. */
  #protocol: string | undefined;
  #tunnels: readonly Tunnel[] = [];
  /** Octets of the server's that were read, and those of them that a preamble was. */
  #served = 0;
  #preambled = 0;
  /** What the client may have of them while nothing is decided. */
  readonly permission = new Permission();

  constructor(judge: Judge, options: InspectionOptions) {
    this.#judge = judge;
    this.#options = options;
    this.#starts = this.#newStarts();
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
    this.#starts = this.#newStarts();
    this.#preamble = undefined;
    this.#observer = undefined;
    this.#upgraded = false;
    this.#opaque = false;
    this.#judge.restart();
  }

  /** For captures: `octets` of a side's, next in order, were not captured; 0 where what came before was not. */
  skip(side: Side, octets: number): void {
    this.#isCut = true;
    const start = this.#starts[side];
    // Who answers TLS goes on with TLS, wherever in a record that is.
    if (start.kind === 'undecided' && this.begun) start.kind = 'tls';
    if (start.isTls) this.#observer?.skip(side, octets);
    else if (start.kind === 'undecided') start.restart();
    else if (!this.#opaque) this.#passPreamble();
  }

  /** What was agreed on may have been in what is missing: TLS or a preamble, whatever comes now begins. */
  #passPreamble(): void {
    const { protocol, tunnels, heldClient, heldServer } = this.#preamble!;
    this.restart();
    this.#protocol = protocol ?? undefined;
    this.#tunnels = tunnels;
    this.#feed('client', heldClient, 0, heldClient.length);
    this.#feed('server', heldServer, 0, heldServer.length);
  }

  /** For captures: nothing that either side has said so far is TLS, or may still become it. */
  get isUnread(): boolean {
    const { client, server } = this.#starts;
    const isSilent = this.#observer === undefined && this.#preamble === undefined;
    return (isSilent && !client.isPartial && !server.isPartial) || (this.#opaque && !this.begun);
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
    // By its name: what is found by a string is looked up, compiled or not.
    const begun = side === 'client' ? this.#starts.client : this.#starts.server;
    const { kind } = begun;
    if (kind === 'tls' || kind === 'ssl2') return this.#observe(side, bytes, start, end);
    if (kind === 'other') return this.#advance(side, bytes.subarray(start, end));
    const consumed = begun.take(bytes, start, end);
    this.#onStart(side);
    this.#feed(side, bytes, start + consumed, end);
  }

  /** The first octets tell TLS from anything else; a preamble hears a direction from its first. */
  #onStart(side: Side): void {
    const start = this.#starts[side];
    if (start.kind === 'undecided') return;
    // Once the client speaks TLS, or the server has agreed to, everything that the client gets is read as TLS.
    if (side === 'server' && (this.#upgraded || this.begun)) start.kind = 'tls';
    if (start.kind === 'other') return this.#upgraded ? this.#refuse() : this.#advance(side, start.first);
    // A greeting that the client never asked for: it will take it for TLS, and fail.
    const isMixed = this.#starts.server.kind === 'other' && this.#options.clientFirst;
    if (isMixed) return this.#judge.settleBy('parseError', 'parse-error', 'starttls.unexpected-tls');
    this.#observe(side, start.first, 0, start.first.length);
  }

  /** Goes on with the dialogue ahead of TLS. */
  #advance(side: Side, bytes: Uint8Array): void {
    if (this.#preamble === undefined) this.#judge.onPreamble(side);
    this.#preamble ??= new PreambleTracker(undefined, this.#options.clientFirst ? undefined : isWholeSsl2Hello);
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
        this.#judge.onUpgrade(preamble.protocol ?? 'unknown', preamble.tunnels);
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
    this.#observer ??= this.#begin();
    if (side === 'client') this.#observer.feedClient(bytes, start, end);
    else this.#observer.feedServer(bytes, start, end);
  }

  #begin(): Observer {
    const { limits, clientFirst } = this.#options;
    if (this.#protocol !== undefined) this.#judge.onUpgrade(this.#protocol, this.#tunnels);
    const observer = new Observer(this.#judge, limits, { isSsl2: this.#starts.client.kind === 'ssl2', clientFirst });
    if (this.#isCut) for (const side of SIDES) observer.skip(side, 0);
    return observer;
  }

  /** In a capture anything may go by; live, what a lenient server may take for SSLv2 counts as that. */
  #newStarts(): Record<Side, Start> {
    const isLenient = this.#options.clientFirst;
    return { client: new Start(SSL2.clientHello, isLenient), server: new Start(SSL2.serverHello, isLenient) };
  }
}

/** The first octets of a direction, gathered until they tell what it speaks. */
class Start {
  kind: 'undecided' | 'tls' | 'ssl2' | 'other' = 'undecided';
  first = NOTHING;
  /** Type of an SSLv2 message that this direction may begin with. */
  readonly #ssl2Type: number;
  readonly #isLenient: boolean;

  constructor(ssl2Type: number, isLenient: boolean) {
    this.#ssl2Type = ssl2Type;
    this.#isLenient = isLenient;
  }

  get isTls(): boolean {
    return this.kind === 'tls' || this.kind === 'ssl2';
  }

  get isPartial(): boolean {
    return this.kind === 'undecided' && this.first.length > 0;
  }

  restart(): void {
    this.kind = 'undecided';
    this.first = NOTHING;
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
      this.kind = classify(this.first, this.#ssl2Type, this.#isLenient);
    }
    return at - start;
  }
}

function classify(first: Uint8Array, ssl2Type: number, isLenient: boolean): Start['kind'] {
  const [type, major] = first;
  if (isRecordType(type!)) return major === undefined ? 'undecided' : beginsTls(type!, major) ? 'tls' : 'other';
  if ((type! & 0x80) === 0) return 'other';
  if (first.length < 3) return 'undecided';
  if (first[2] !== ssl2Type) return 'other';
  if (first.length < MOST_THAT_TELL) return 'undecided';
  if (!beginsSsl2(first, ssl2Type)) return 'other';
  if (isLenient) return 'ssl2';
  if (first.length < SSL2_TELLING) return 'undecided';
  return isSsl2Hello(first, 0, ssl2Type) ? 'ssl2' : 'other';
}

/** Of a capture; see `isSsl2Hello`. */
function isWholeSsl2Hello(opening: Uint8Array): 'tls' | 'maybe' | 'no' {
  if (opening.length < SSL2_TELLING) return 'maybe';
  return isSsl2Hello(opening, 0, SSL2.clientHello) ? 'tls' : 'no';
}

/** The first octets of a record: its type, and the 3 of every version. */
function beginsTls(type: number, major: number): boolean {
  return isRecordType(type) && major === 3;
}

function isRecordType(type: number): boolean {
  return type === CONTENT.handshake || type === CONTENT.alert;
}

const SIDES = ['client', 'server'] as const;
const MOST_THAT_TELL = 4;
const NOTHING: Uint8Array = new Uint8Array(0);
