/**
 * PostgreSQL's SSLRequest (protocol documentation, section "SSL Session Encryption"): the server answers with one octet,
 * 'S' or 'N'. A GSSENCRequest may precede it; a StartupMessage shows a client that goes on in the clear.
 */
import { FrameBuffer } from './frames.ts';
import { MORE, agreed, ahead, asked, foreign, refused } from './preamble.ts';
import type { ClientStep, Preamble, ServerStep } from './preamble.ts';
import { endOfText } from './text.ts';

export class PostgresPreamble implements Preamble {
  readonly protocol = 'postgres';
  readonly tunnel = false;
  readonly text = false;
  heard = false;
  readonly #client = new FrameBuffer(requestLength);
  #asked = false;
  /** The request was for GSS encryption, whose agreement leads to no TLS. */
  #gss = false;
  /** The server has answered with an error, which goes on. */
  #explains = false;

  client(bytes: Uint8Array, at: number): ClientStep {
    const frames = this.#client;
    const start = frames.idle ? at : -1;
    const end = frames.take(bytes, at);
    if (end < 0) return frames.bad ? foreign(start) : MORE;
    // Either kind of encryption is answered by one octet, so the client waits after either.
    this.heard = true;
    this.#asked = true;
    this.#gss = frames.frame[7] === (GSSENC_REQUEST & 0xff);
    return asked(end);
  }

  server(bytes: Uint8Array): ServerStep {
    if (!this.#asked) return ahead(this.#explains ? endOfExplanation(bytes) : 0);
    const answer = String.fromCharCode(bytes[0]!);
    if (!ANSWERS.has(answer)) return ahead(0);
    this.#asked = false;
    this.#explains = answer === ERROR_RESPONSE;
    return answer === 'S' && !this.#gss ? agreed(1) : refused(1);
  }
}

/** The rest of an ErrorResponse, in either form that it has had: text, and NUL between its fields. */
function endOfExplanation(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length && (bytes[at] === 0 || endOfText(bytes, at) > at))
    at = Math.max(at + 1, endOfText(bytes, at));
  return at;
}

/** | length 4 | code 4 |: exactly eight octets, and one of two codes. */
function requestLength(head: Uint8Array): number {
  for (const code of [SSL_REQUEST, GSSENC_REQUEST]) {
    const request = [0, 0, 0, 8, code >>> 24, (code >>> 16) & 0xff, (code >>> 8) & 0xff, code & 0xff];
    if (head.every((octet, index) => octet === request[index])) return head.length === 8 ? 8 : 0;
  }
  return -1;
}

const SSL_REQUEST = 0x04d2162f;
const GSSENC_REQUEST = 0x04d21630;
/** Yes to TLS, yes to GSS, no, and an ErrorResponse of servers older than both requests. */
const ERROR_RESPONSE = 'E';
const ANSWERS: ReadonlySet<string> = new Set(['S', 'G', 'N', ERROR_RESPONSE]);
