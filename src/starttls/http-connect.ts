/** HTTP CONNECT through a proxy (RFC 9110 §9.3.6): a 2xx answer opens a tunnel, any other leaves the connection HTTP. */
import { LIMIT, MORE, agreed, asked, foreign, more, refused } from './preamble.ts';
import type { ClientStep, Preamble, ServerStep, Tunnel } from './preamble.ts';

export class HttpConnectPreamble implements Preamble {
  readonly protocol = 'http-connect';
  readonly tunnel = true;
  readonly text = true;
  heard = false;
  target: Tunnel | undefined;
  readonly #request = new HeaderBuffer();
  readonly #response = new HeaderBuffer();
  /** Octets of a refusal's body that are still to come. */
  #body = 0;
  #asked = false;

  client(bytes: Uint8Array, at: number): ClientStep {
    const start = this.#request.text === '' ? at : -1;
    const end = this.#request.take(bytes, at);
    const request = this.#request.text;
    if (!request.startsWith(METHOD) && !METHOD.startsWith(request)) return foreign(start);
    if (this.#request.overlong) return LIMIT;
    if (end < 0) return MORE;
    const authority = /^CONNECT ([^ \r\n]+) HTTP\/1\.[01]\r?\n/.exec(request)?.[1];
    if (authority === undefined) return foreign(start);
    this.heard = true;
    this.target = targetOf(authority, /^(proxy-)?authorization\s*:/im.test(request));
    this.#request.clear();
    // What a response without a stated length left behind is no part of the next one.
    if (this.#body === 0) this.#response.clear();
    this.#asked = true;
    return asked(end);
  }

  server(bytes: Uint8Array): ServerStep {
    let at = 0;
    while (at < bytes.length) {
      if (this.#body > 0) {
        const skipped = Math.min(this.#body, bytes.length - at);
        this.#body -= skipped;
        at += skipped;
        continue;
      }
      const end = this.#response.take(bytes, at);
      // A header section that never ends is no answer.
      if (this.#response.overlong) this.#response.clear();
      if (end < 0) return more(bytes.length);
      at = end;
      const header = this.#response.text;
      this.#response.clear();
      const status = STATUS.exec(header)?.[1];
      // An interim answer (1xx) announces another one.
      if (status === undefined || status.startsWith('1') || !this.#asked) continue;
      this.#asked = false;
      // RFC 9110 §9.3.6: a 2xx answer to CONNECT has no body, whatever its Content-Length says.
      if (status.startsWith('2')) return agreed(at);
      this.#body = Number(/\ncontent-length: *(\d{1,9}) *\r?\n/i.exec(header)?.[1] ?? 0);
      return refused(at);
    }
    return more(bytes.length);
  }
}

function targetOf(authority: string, isAuthenticated: boolean): Tunnel {
  const host = authority.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1');
  const request = `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`;
  const isPlain = !isAuthenticated && /^[\w.:[\]-]{1,300}$/.test(authority);
  return { protocol: 'http-connect', host, request: isPlain ? Buffer.from(request, 'latin1') : null };
}

/** Gathers one header section, up to its empty line, across chunks. */
class HeaderBuffer {
  text = '';
  overlong = false;

  /** Reads from `at`; the offset behind the empty line, -1 when the chunk ends before it. */
  take(bytes: Uint8Array, at: number): number {
    const before = this.text.length;
    const length = Math.min(bytes.length - at, MAX_HEADER + 1 - before);
    const text = before === 0 ? '' : this.text;
    this.text = text + Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString('latin1');
    EMPTY_LINE.lastIndex = Math.max(0, before - 3);
    const match = EMPTY_LINE.exec(this.text);
    this.overlong = match === null && this.text.length > MAX_HEADER;
    if (match === null) return -1;
    const end = match.index + match[0].length;
    this.text = this.text.slice(0, end);
    return at + end - before;
  }

  clear(): void {
    this.text = '';
    this.overlong = false;
  }
}

const METHOD = 'CONNECT ';
const EMPTY_LINE = /\n\r?\n/g;
/** The status line, behind what a body without a stated length may have left. */
const STATUS = /^HTTP\/1\.[01] (\d{3})/m;
/** Octets of a header section: what servers commonly allow. */
const MAX_HEADER = 16_384;
