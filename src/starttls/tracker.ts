/**
 * Follows what may come before TLS on a stream and says where TLS begins. Each protocol is recognised by what its client
 * says and its server answers; ports play no part. It knows no TLS but for the first octets of a hello.
 *
 * The engine feeds each direction's octets in stream order, in any chunks, until one call returns something other than
 * `preamble`. Then both directions change over together: the TLS octets of a direction are what was held of it
 * (`heldClient`, `heldServer`: octets of earlier calls, and of this one as `consumed` says) and all that follows.
 *
 *   call      result             TLS octets of the client               TLS octets of the server
 *   client()  tls, consumed: n   heldClient, then this chunk from n     heldServer, then what comes
 *   server()  tls, consumed: n   heldClient, then what comes            heldServer, then this chunk from n
 *
 * What follows the server's agreement belongs to TLS, and so does what the client sent behind its request without
 * waiting: plain text that someone put there is for the TLS parser to refuse. A refusal gives the held octets back to the
 * preamble. A tunnel's inside (CONNECT, SOCKS) starts from the beginning: TLS at once, another preamble, or foreign.
 *
 * A server must not be able to have its certificate pass for preamble. So only the client's octets make a stream
 * `foreign`; once a client has asked, its hello at the beginning of a message is TLS, whatever was made of the answer;
 * and while a hello waits for an answer, the first octet of the server that no answer can have is TLS too.
 */
import { FtpPreamble } from './ftp.ts';
import { HttpConnectPreamble } from './http-connect.ts';
import { ImapPreamble } from './imap.ts';
import { IrcPreamble } from './irc.ts';
import { LdapPreamble } from './ldap.ts';
import { MysqlPreamble } from './mysql.ts';
import { Pop3Preamble } from './pop3.ts';
import { PostgresPreamble } from './postgres.ts';
import type { Preamble } from './preamble.ts';
import { RdpPreamble } from './rdp.ts';
import { SmtpPreamble } from './smtp.ts';
import { SocksPreamble } from './socks.ts';
import { XmppPreamble } from './xmpp.ts';

export type Progress =
  | { readonly state: 'preamble' }
  | { readonly state: 'tls'; readonly consumed: number }
  | { readonly state: 'foreign' }
  /** More waits than may be held, or a message is longer than any that is kept. */
  | { readonly state: 'limit' };

export interface PreambleLimits {
  /** Octets held of each direction. */
  readonly bytes: number;
}

export class PreambleTracker {
  readonly #limit: number;
  #layer = new Layer();
  /** Protocols of the tunnels that were entered. */
  readonly #outer: string[] = [];
  #heldClient: Buffer = EMPTY;
  #heldServer: Buffer = EMPTY;
  /** Decided while the server's octets were looked at, and told with the client's next ones. */
  #foreign = false;

  constructor(limits: PreambleLimits = { bytes: 65_536 }) {
    this.#limit = limits.bytes;
  }

  /** Such as `smtp`, or `http-connect+smtp` inside a tunnel; null until the client has made it certain. */
  get protocol(): string | null {
    const inner = this.#layer.recognised;
    const names = inner === undefined ? this.#outer : [...this.#outer, inner.protocol];
    return names.length === 0 ? null : names.join('+');
  }

  get heldClient(): Uint8Array {
    return this.#heldClient;
  }

  get heldServer(): Uint8Array {
    return this.#heldServer;
  }

  client(bytes: Uint8Array): Progress {
    if (this.#foreign) return FOREIGN;
    if (bytes.length === 0) return PREAMBLE;
    const layer = this.#layer;
    if (layer.waiting !== undefined) {
      if (layer.answering && this.#heldClient.length === 0 && bytes[0] === CONTENT_TYPE_HANDSHAKE) {
        return { state: 'tls', consumed: 0 };
      }
      if (this.#heldClient.length + bytes.length > this.#limit) return LIMIT;
      this.#heldClient = Buffer.concat([this.#heldClient, bytes]);
      return PREAMBLE;
    }
    const opening = layer.open(bytes);
    if (opening === 'tls') {
      // The octets of earlier calls; this call's are the chunk itself.
      this.#heldClient = layer.opening.subarray(0, layer.opened);
      return { state: 'tls', consumed: 0 };
    }
    layer.opened += bytes.length;
    if (opening === 'no') this.#heldServer = EMPTY;
    return this.#dialogue(bytes, opening === 'maybe');
  }

  server(bytes: Uint8Array): Progress {
    let at = 0;
    while (at < bytes.length) {
      const layer = this.#layer;
      const waiting = layer.waiting;
      if (waiting === undefined) {
        if (layer.undecided) {
          // The client may yet open with a hello: then all of this is TLS.
          if (this.#heldServer.length + bytes.length - at > this.#limit) return LIMIT;
          this.#heldServer = Buffer.concat([this.#heldServer, bytes.subarray(at)]);
        }
        for (const candidate of layer.candidates) candidate.server(bytes, at);
        return PREAMBLE;
      }
      layer.answering = true;
      const helloWaits = this.#heldClient[0] === CONTENT_TYPE_HANDSHAKE;
      const textEnd = helloWaits && waiting.text ? endOfText(bytes, at) : bytes.length;
      const step = waiting.server(bytes.subarray(0, textEnd), at);
      if (step.kind === 'agreed' && !waiting.tunnel) return { state: 'tls', consumed: step.end };
      if (step.kind === 'more' || step.kind === 'confused') {
        const end = step.kind === 'more' ? textEnd : step.end;
        const isOver = step.kind === 'confused' || end < bytes.length;
        return helloWaits && isOver ? { state: 'tls', consumed: end } : PREAMBLE;
      }
      layer.waiting = undefined;
      if (step.kind === 'agreed') this.#enter(waiting);
      at = step.end;
      const progress = this.#replay();
      if (progress.state === 'tls') return { state: 'tls', consumed: at };
      if (progress.state === 'limit') return progress;
    }
    return PREAMBLE;
  }

  #dialogue(bytes: Uint8Array, mayBeTls: boolean): Progress {
    const layer = this.#layer;
    let foreignAt = -1;
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
          layer.settle(candidate);
          layer.waiting = candidate;
          layer.answering = false;
          layer.hasAsked = true;
          this.#heldServer = EMPTY;
          return this.client(bytes.subarray(step.end));
        case 'tls':
          layer.settle(candidate);
          this.#heldServer = EMPTY;
          return { state: 'tls', consumed: step.end };
        default:
          step satisfies never;
      }
    }
    const [only] = layer.candidates;
    if (only?.heard === true && layer.candidates.size === 1) layer.recognised = only;
    if (only !== undefined || mayBeTls) return PREAMBLE;
    if (layer.hasAsked && foreignAt >= 0 && bytes[foreignAt] === CONTENT_TYPE_HANDSHAKE) {
      return { state: 'tls', consumed: foreignAt };
    }
    this.#foreign = true;
    return FOREIGN;
  }

  #enter(tunnel: Preamble): void {
    this.#outer.push(tunnel.protocol);
    this.#layer = new Layer();
    if (this.#outer.length > MAX_TUNNELS) this.#foreign = true;
  }

  /** Gives the client's held octets back to the dialogue. */
  #replay(): Progress {
    const held = this.#heldClient;
    this.#heldClient = EMPTY;
    const progress = this.client(held);
    if (progress.state === 'tls') this.#heldClient = Buffer.from(held.subarray(progress.consumed));
    return progress;
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
    new LdapPreamble(),
    new PostgresPreamble(),
    new MysqlPreamble(),
    new RdpPreamble(),
    new HttpConnectPreamble(),
    new SocksPreamble(),
  ]);
  /** The only candidate that a whole message of the client has left. */
  recognised: Preamble | undefined;
  /** The candidate whose client has asked and whose server has not answered. */
  waiting: Preamble | undefined;
  /** The server has said something since. */
  answering = false;
  hasAsked = false;
  /** The client's first octets, as many as tell a hello. */
  opening: Buffer = EMPTY;
  /** Octets that the client has said. */
  opened = 0;
  undecided = true;

  settle(candidate: Preamble): void {
    this.candidates = new Set([candidate]);
    this.recognised = candidate;
  }

  /** Whether the client opens with TLS. */
  open(bytes: Uint8Array): 'tls' | 'maybe' | 'no' {
    if (!this.undecided) return 'no';
    this.opening = Buffer.concat([this.opening, bytes.subarray(0, HELLO_OCTETS - this.opening.length)]);
    const answer = beginsHello(this.opening);
    this.undecided = answer === 'maybe';
    return answer;
  }
}

/** Offset of the first octet that no text has; the end of the chunk when there is none. */
function endOfText(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && (bytes[at]! >= 0x20 || TEXT_CONTROLS.has(bytes[at]!))) at++;
  return at;
}

/** A handshake record (RFC 8446 §5.1), or an SSLv2 CLIENT-HELLO (RFC 5246 appendix E.2). */
function beginsHello(opening: Uint8Array): 'tls' | 'maybe' | 'no' {
  const [first, second, third, fourth] = opening;
  if (first === CONTENT_TYPE_HANDSHAKE) return second === undefined ? 'maybe' : second === 3 ? 'tls' : 'no';
  if (first! < 0x80) return 'no';
  if (third !== undefined && third !== 1) return 'no';
  return fourth === undefined ? 'maybe' : fourth === 0 || fourth === 3 ? 'tls' : 'no';
}

const PREAMBLE: Progress = { state: 'preamble' };
const FOREIGN: Progress = { state: 'foreign' };
const LIMIT: Progress = { state: 'limit' };
const CONTENT_TYPE_HANDSHAKE = 0x16;
/** TAB, LF, CR. */
const TEXT_CONTROLS: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0d]);
const HELLO_OCTETS = 4;
/** Tunnels within tunnels. */
const MAX_TUNNELS = 4;
const EMPTY: Buffer = Buffer.alloc(0);
