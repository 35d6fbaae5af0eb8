/**
 * Both directions of one connection, from their first octet: what may come before TLS, then the handshake. Hands octets
 * to whoever reads them now and tells the judge what neither can tell. Knows order, not sequence numbers.
 *
 *   client  start ──16 03 / SSLv2──▶ tls
 *             └───anything else────▶ preamble ──agreed──▶ start (again)
 *                                        └────foreign────▶ opaque
 */
import { Observer, type ObserverLimits } from '../tls/observer.ts';
import { beginsSsl2, SSL2 } from '../tls/ssl2.ts';
import { CONTENT } from '../tls/constants.ts';
import type { Judge } from './judge.ts';
import type { Preamble, PreambleProgress } from './ports.ts';

export interface InspectionOptions {
  readonly limits: ObserverLimits;
  readonly openPreamble: () => Preamble;
  /** Live, a server's flight ahead of the ClientHello is an attack; in a capture it is a packet that came late. */
  readonly clientFirst: boolean;
}

export class Inspection {
  readonly #judge: Judge;
  readonly #options: InspectionOptions;
  readonly #client = new Start();
  readonly #server = new Start();
  #preamble: Preamble | undefined;
  #observer: Observer | undefined;
  #opaque = false;

  constructor(judge: Judge, options: InspectionOptions) {
    this.#judge = judge;
    this.#options = options;
  }

  /** True where a client that speaks TLS would read an alert record sent to it now. */
  get serverAtBoundary(): boolean {
    return this.#observer !== undefined && this.#observer.serverAtBoundary && !this.#server.pending;
  }

  /** Version for an alert record. */
  get recordVersion(): number {
    return this.#observer?.recordVersion ?? 0x0303;
  }

  /** True when nothing more will show: both directions are encrypted, or this is not TLS. */
  get done(): boolean {
    return this.#opaque || (this.#observer?.done ?? false);
  }

  /** True once the client has begun to speak TLS. */
  get begun(): boolean {
    return this.#client.kind === 'tls' || this.#client.kind === 'ssl2';
  }

  feedClient(bytes: Uint8Array, start: number, end: number): void {
    if (this.#opaque || start >= end) return;
    const kind = this.#client.kind;
    if (kind === 'tls' || kind === 'ssl2') return this.#observer!.feedClient(bytes, start, end);
    if (kind === 'other') return this.#advance('client', bytes.subarray(start, end));
    const consumed = this.#client.take(bytes, start, end, SSL2.clientHello);
    this.#onClientStart();
    this.feedClient(bytes, start + consumed, end);
  }

  feedServer(bytes: Uint8Array, start: number, end: number): void {
    if (this.#opaque || start >= end) return;
    const kind = this.#server.kind;
    if (kind === 'tls' || kind === 'ssl2') return this.#observer!.feedServer(bytes, start, end);
    if (kind === 'other') return this.#advance('server', bytes.subarray(start, end));
    const consumed = this.#server.take(bytes, start, end, SSL2.serverHello);
    this.#onServerStart();
    this.feedServer(bytes, start + consumed, end);
  }

  /** The client's first octets tell TLS from anything else; a preamble hears them from their first. */
  #onClientStart(): void {
    const { kind, first } = this.#client;
    if (kind === 'undecided') return;
    if (kind === 'other') return this.#advance('client', first);
    // An answer in clear that the client was still to read: it will take it for TLS, and fail.
    if (this.#server.kind === 'other' && this.#options.clientFirst) {
      return this.#judge.settleBy('parseError', 'parse-error', 'tls.preamble.unexpected');
    }
    this.#observe(kind === 'ssl2').feedClient(first, 0, first.length);
  }

  #onServerStart(): void {
    const { kind, first } = this.#server;
    if (kind === 'undecided') return;
    // Once the client speaks TLS, everything that it gets is read as TLS.
    if (this.begun) this.#server.kind = 'tls';
    if (this.#server.kind === 'other') return this.#advance('server', first);
    this.#observe(kind === 'ssl2').feedServer(first, 0, first.length);
  }

  /** Goes on with the dialogue ahead of TLS. */
  #advance(side: 'client' | 'server', bytes: Uint8Array): void {
    this.#preamble ??= this.#options.openPreamble();
    const progress: PreambleProgress = this.#preamble[side](bytes);
    if (progress.state === 'preamble') return;
    if (progress.state === 'foreign') {
      // Only what the client says makes a flow something else than TLS.
      if (side === 'server') return;
      this.#opaque = true;
      this.#judge.settleBy('notTls', 'not-tls');
      return;
    }
    (side === 'client' ? this.#client : this.#server).restart();
    if (side === 'client') this.#judge.onUpgrade(this.#preamble.protocol ?? 'unknown');
    const rest = bytes.subarray(progress.consumed);
    if (side === 'client') this.feedClient(rest, 0, rest.length);
    else this.feedServer(rest, 0, rest.length);
  }

  #observe(isSsl2: boolean): Observer {
    this.#observer ??= new Observer(this.#judge, this.#options.limits, {
      isSsl2,
      clientFirst: this.#options.clientFirst,
    });
    return this.#observer;
  }
}

/** The first octets of a direction, gathered until they tell what it speaks. */
class Start {
  kind: 'undecided' | 'tls' | 'ssl2' | 'other' = 'undecided';
  first: Uint8Array = new Uint8Array(0);

  get pending(): boolean {
    return this.kind === 'undecided' && this.first.length > 0;
  }

  restart(): void {
    this.kind = 'undecided';
    this.first = new Uint8Array(0);
  }

  /** Octets taken of bytes[start, end). */
  take(bytes: Uint8Array, start: number, end: number, ssl2Type: number): number {
    let at = start;
    while (this.kind === 'undecided' && at < end) {
      this.first = Uint8Array.of(...this.first, bytes[at++]!);
      this.kind = classify(this.first, ssl2Type);
    }
    return at - start;
  }
}

function classify(first: Uint8Array, ssl2Type: number): Start['kind'] {
  const [type, major] = first;
  const isRecord = type === CONTENT.handshake || type === CONTENT.alert;
  if (isRecord) return major === undefined ? 'undecided' : major === 3 ? 'tls' : 'other';
  if ((type! & 0x80) === 0) return 'other';
  if (first.length < 3) return 'undecided';
  if (first[2] !== ssl2Type) return 'other';
  if (first.length < 4) return 'undecided';
  return beginsSsl2(first, ssl2Type) ? 'ssl2' : 'other';
}
