/**
 * Follows what may come before TLS on a stream and says where TLS begins. Each protocol is recognised by what its client
 * says and its server answers; ports play no part. It knows no TLS but for the first octets of a hello.
 *
 * The engine feeds each direction's octets in stream order, in any chunks, until one call returns something other than
 * `preamble`. Then both directions change over together: the TLS octets of a direction are what was held of it
 * (`heldClient`, `heldServer`: those of this call with them) and all that follows. Of the server's octets those before
 * `served` are preamble: the client may have them.
 *
 * What follows the server's agreement belongs to TLS, and so does what the client sent behind its request without
 * waiting: plain text that someone put there is for the TLS parser to refuse. A refusal gives the held octets back to the
 * preamble. A tunnel's inside (CONNECT, SOCKS) starts from the beginning: TLS at once, another preamble, or foreign.
 *
 * A server must not be able to have its certificate pass for preamble. So only the client's octets make a stream
 * `foreign`; once a client has asked, its hello at the beginning of a message is TLS, whatever was made of the answer;
 * while a hello waits for an answer, the first octet of the server that no answer can have is TLS too; and what is
 * neither text nor an answer to what the client has said is ahead of it: it waits until the client has said more.
 */
import { FtpPreamble } from './ftp.ts';
import { HttpConnectPreamble } from './http-connect.ts';
import { ImapPreamble } from './imap.ts';
import { IrcPreamble } from './irc.ts';
import { LdapPreamble } from './ldap.ts';
import { GrowingBuffer } from '../bytes/growing-buffer.ts';
import { GREETING_HEAD, greetingLength, MysqlPreamble } from './mysql.ts';
import { NntpPreamble } from './nntp.ts';
import { Pop3Preamble } from './pop3.ts';
import { PostgresPreamble } from './postgres.ts';
import { more, type Preamble, type ServerStep, type Tunnel } from './preamble.ts';
import { RdpPreamble } from './rdp.ts';
import { SievePreamble } from './sieve.ts';
import { SmtpPreamble } from './smtp.ts';
import { SocksPreamble } from './socks.ts';
import { endOfText } from './text.ts';
import { XmppPreamble } from './xmpp.ts';

export type Progress =
  | { readonly state: 'preamble' }
  | { readonly state: 'tls' }
  | { readonly state: 'foreign' }
  /** More waits than may be held, or a message is longer than any that is kept. */
  | { readonly state: 'limit' };

export interface PreambleLimits {
  /** Octets held of each direction. */
  readonly bytes: number;
}

/** Whether a stream that begins with these octets, the first of which is 0x80 or more, begins with SSLv2. */
export type Ssl2Test = (opening: Uint8Array) => 'tls' | 'maybe' | 'no';

export class PreambleTracker {
  readonly #limit: number;
  readonly #isSsl2: Ssl2Test;
  #layer: Layer;
  /** Protocols of the tunnels that were entered. */
  readonly #outer: string[] = [];
  readonly #tunnels: Tunnel[] = [];
  /** The client's octets that wait for an answer, or that belong to TLS. */
  readonly #client = new GrowingBuffer();
  /** The server's octets that were served while nothing was known of the client: they may be TLS, or parts of frames. */
  readonly #greeting = new GrowingBuffer();
  /** The server's octets that have not been served. */
  readonly #ahead = new GrowingBuffer();
  #served = 0;
  /** Decided while the server's octets were looked at, and told with the client's next ones. */
  #foreign = false;

  constructor(limits: PreambleLimits = { bytes: 65_536 }, isSsl2: Ssl2Test = mayBeSsl2) {
    this.#limit = limits.bytes;
    this.#isSsl2 = isSsl2;
    this.#layer = new Layer(isSsl2);
  }

  /** Such as `smtp`, or `http-connect+smtp` inside a tunnel; null until the client has made it certain. */
  get protocol(): string | null {
    const inner = this.#layer.recognised;
    const names = inner === undefined ? this.#outer : [...this.#outer, inner.protocol];
    return names.length === 0 ? null : names.join('+');
  }

  /** What proxies were asked for, from the outside in. Of one whose answer was not understood nobody else asks the same. */
  get tunnels(): readonly Tunnel[] {
    const asked = this.#layer.recognised?.target;
    return asked === undefined ? this.#tunnels : [...this.#tunnels, { ...asked, request: null }];
  }

  get heldClient(): Uint8Array {
    return this.#client.bytes;
  }

  get heldServer(): Uint8Array {
    return Buffer.concat([this.#greeting.bytes, this.#ahead.bytes]);
  }

  /** As much of it as tells a greeting: what waits is looked at with each octet that comes. */
  #serverHead(): Uint8Array {
    const [greeting, ahead] = [this.#greeting, this.#ahead].map(({ bytes }) => bytes.subarray(0, GREETING_HEAD));
    return Buffer.concat([greeting!, ahead!]);
  }

  /**
   * Of the server's stream: the first octet that is not preamble, or is ahead of what the client has said. Goes back where
   * what was text for all that was known turns out to be none.
   */
  get served(): number {
    return this.#served;
  }

  client(bytes: Uint8Array): Progress {
    const progress = this.#hear(bytes);
    // What the server said ahead may be an answer now.
    return progress.state === 'preamble' ? this.#serve() : progress;
  }

  server(bytes: Uint8Array): Progress {
    this.#ahead.append(bytes);
    const progress = this.#serve();
    const waits = this.#ahead.length + this.#greeting.length;
    return progress.state === 'preamble' && waits > this.#limit ? LIMIT : progress;
  }

  #hear(bytes: Uint8Array): Progress {
    if (this.#foreign) return FOREIGN;
    if (bytes.length === 0) return PREAMBLE;
    const layer = this.#layer;
    if (layer.waiting.length > 0) {
      const isFirst = this.#client.length === 0;
      const from = isFirst && layer.waiting[0]!.blanksFollow === true ? endOfBlanks(bytes) : 0;
      const isHello = isFirst && bytes[from] === CONTENT_TYPE_HANDSHAKE;
      this.#client.append(bytes, from);
      if (layer.answering && isHello) return TLS;
      return this.#client.length > this.#limit ? LIMIT : PREAMBLE;
    }
    const opening = layer.open(bytes);
    if (opening === 'tls') {
      // The octets of earlier calls, of which this call's may be the last.
      this.#client.append(layer.opening, 0, layer.opened);
      this.#client.append(bytes);
      return TLS;
    }
    layer.opened += bytes.length;
    return this.#dialogue(bytes, opening === 'maybe');
  }

  /** Takes what answers the client, as far as it goes. */
  #serve(): Progress {
    while (this.#ahead.length > 0) {
      const layer = this.#layer;
      if (layer.waiting.length === 0) {
        this.#take(this.#unasked());
        return PREAMBLE;
      }
      layer.answering = true;
      const bytes = this.#ahead.bytes;
      const text = layer.waiting[0]!.text ? bytes.subarray(0, endOfText(bytes, 0)) : bytes;
      const { step, waiting } = this.#answer(text);
      const isOver = step.kind === 'ahead' || (step.kind === 'more' && text.length < bytes.length);
      this.#take(step.end);
      if (step.kind === 'agreed' && !waiting.tunnel) return TLS;
      if (step.kind === 'more' || step.kind === 'ahead') {
        return isOver && this.#client.bytes[0] === CONTENT_TYPE_HANDSHAKE ? TLS : PREAMBLE;
      }
      layer.waiting = [];
      if (step.kind === 'agreed') this.#enter(waiting);
      // A client that went on without waiting is heard now.
      const progress = this.#hear(this.#client.take());
      if (progress.state === 'tls' || progress.state === 'limit') return progress;
    }
    return PREAMBLE;
  }

  /** By its answer the server names what it speaks, where the client has not. */
  #answer(bytes: Uint8Array): { step: ServerStep; waiting: Preamble } {
    const { waiting } = this.#layer;
    for (const each of waiting) {
      const step = each.server(bytes);
      if (step.kind === 'more' && waiting.length > 1) continue;
      this.#recognise(each);
      return { step, waiting: each };
    }
    return { step: more(bytes.length), waiting: waiting[0]! };
  }

  /** How far the server's octets go while no request for TLS waits. */
  #unasked(): number {
    const layer = this.#layer;
    const bytes = this.#ahead.bytes;
    if (layer.recognised?.text === false) return layer.recognised.server(bytes).end;
    const end = endOfText(bytes, 0);
    // A greeting in binary is one message, and nothing that follows it.
    const greeting = layer.served < MAX_GREETING_TEXT ? greetingLength(this.#serverHead()) - layer.served : 0;
    if (greeting > end && greeting <= bytes.length) return greeting;
    const text = bytes.subarray(0, end);
    for (const candidate of layer.candidates) if (candidate.text) candidate.server(text);
    return end;
  }

  #take(count: number): void {
    const layer = this.#layer;
    if (layer.recognised === undefined && !layer.hasAsked) this.#greeting.append(this.#ahead.bytes, 0, count);
    this.#ahead.skip(count);
    layer.served += count;
    this.#served += count;
  }

  #dialogue(bytes: Uint8Array, mayBeTls: boolean): Progress {
    const layer = this.#layer;
    let foreignAt = -1;
    let askedAt = Infinity;
    for (const candidate of [...layer.candidates]) {
      const step = candidate.client(bytes, 0);
      switch (step.kind) {
        case 'more':
          break;
        case 'foreign':
          layer.candidates.delete(candidate);
          foreignAt = step.at;
          break;
        case 'limit':
          return LIMIT;
        case 'asked':
          if (step.end < askedAt) layer.waiting = [];
          if (step.end <= askedAt) layer.waiting = [...layer.waiting, candidate];
          askedAt = Math.min(askedAt, step.end);
          break;
        case 'tls':
          this.#recognise(candidate);
          this.#take(this.#unasked());
          this.#client.append(bytes, step.end);
          return TLS;
        default:
          step satisfies never;
      }
    }
    if (layer.waiting.length > 0) return this.#ask(bytes.subarray(askedAt));
    const [only] = layer.candidates;
    if (only?.heard === true && layer.candidates.size === 1) this.#recognise(only);
    if (only !== undefined || mayBeTls) return PREAMBLE;
    if (layer.hasAsked && foreignAt >= 0 && bytes[foreignAt] === CONTENT_TYPE_HANDSHAKE) {
      this.#client.append(bytes, foreignAt);
      return TLS;
    }
    this.#foreign = true;
    return FOREIGN;
  }

  /** The client has asked for TLS; `rest` is what it has said behind that. */
  #ask(rest: Uint8Array): Progress {
    const layer = this.#layer;
    layer.answering = false;
    layer.hasAsked = true;
    const [first, second] = layer.waiting;
    if (second === undefined) this.#recognise(first!);
    else {
      layer.candidates = new Set(layer.waiting);
      this.#greeting.take();
    }
    return this.#hear(rest);
  }

  /** Of a protocol in frames the server's stream is read from its beginning: what looked like text is a part of them. */
  #recognise(candidate: Preamble): void {
    const layer = this.#layer;
    if (layer.recognised !== undefined) return;
    layer.candidates = new Set([candidate]);
    layer.recognised = candidate;
    const greeting = this.#greeting.take();
    if (candidate.text) return;
    const rest = this.#ahead.take();
    this.#ahead.append(greeting);
    this.#ahead.append(rest);
    this.#served -= greeting.length;
  }

  #enter(tunnel: Preamble): void {
    this.#outer.push(tunnel.protocol);
    if (tunnel.target !== undefined) this.#tunnels.push(tunnel.target);
    this.#layer = new Layer(this.#isSsl2);
    if (this.#outer.length > MAX_TUNNELS) this.#foreign = true;
  }
}

/** The stream from its beginning, or from where a tunnel opened. */
class Layer {
  candidates: Set<Preamble> = new Set([
    new SmtpPreamble(),
    new ImapPreamble(),
    new Pop3Preamble(),
    new FtpPreamble(),
    new XmppPreamble(),
    new IrcPreamble(),
    new SievePreamble(),
    new NntpPreamble(),
    new LdapPreamble(),
    new PostgresPreamble(),
    new MysqlPreamble(),
    new RdpPreamble(),
    new HttpConnectPreamble(),
    new SocksPreamble(),
  ]);
  /** The only candidate that a whole message of the client has left. */
  recognised: Preamble | undefined;
  /**
   * The candidates whose client has asked and whose server has not answered: several, all of text, where the request is
   * the client's first word and the same in each.
   */
  waiting: readonly Preamble[] = [];
  /** The server has said something since. */
  answering = false;
  hasAsked = false;
  /** The client's first octets, as many as tell a hello. */
  opening: Buffer = EMPTY;
  /** Octets that the client has said. */
  opened = 0;
  /** Octets of the server's that were served. */
  served = 0;
  undecided = true;
  readonly #isSsl2: Ssl2Test;

  constructor(isSsl2: Ssl2Test) {
    this.#isSsl2 = isSsl2;
  }

  /** Whether the client opens with TLS. */
  open(bytes: Uint8Array): 'tls' | 'maybe' | 'no' {
    if (!this.undecided) return 'no';
    this.opening = Buffer.concat([this.opening, bytes.subarray(0, HELLO_OCTETS - this.opening.length)]);
    const [first, second] = this.opening;
    const answer = first! >= 0x80 ? this.#isSsl2(this.opening) : beginsHello(first!, second);
    this.undecided = answer === 'maybe';
    return answer;
  }
}

/** White space of XML. */
function endOfBlanks(bytes: Uint8Array): number {
  const end = bytes.findIndex((octet) => !BLANKS.has(octet));
  return end < 0 ? bytes.length : end;
}

/** A handshake record (RFC 8446 §5.1). */
function beginsHello(first: number, second: number | undefined): 'tls' | 'maybe' | 'no' {
  if (first !== CONTENT_TYPE_HANDSHAKE) return 'no';
  return second === undefined ? 'maybe' : second === 3 ? 'tls' : 'no';
}

/** What a lenient server may take for an SSLv2 CLIENT-HELLO (RFC 5246 appendix E.2). */
function mayBeSsl2(opening: Uint8Array): 'tls' | 'maybe' | 'no' {
  const [, , third, fourth] = opening;
  if (third !== undefined && third !== 1) return 'no';
  return fourth === undefined ? 'maybe' : fourth === 0 || fourth === 3 ? 'tls' : 'no';
}

const PREAMBLE: Progress = { state: 'preamble' };
const TLS: Progress = { state: 'tls' };
const FOREIGN: Progress = { state: 'foreign' };
const LIMIT: Progress = { state: 'limit' };
const CONTENT_TYPE_HANDSHAKE = 0x16;
const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0d, 0x0a]);
/** As many as any test wants. */
const HELLO_OCTETS = 13;
/** Octets of a greeting in binary that may look like text: behind its length there is a zero. */
const MAX_GREETING_TEXT = 3;
/** Tunnels within tunnels. */
const MAX_TUNNELS = 4;
const EMPTY: Buffer = Buffer.alloc(0);
