/**
 * PostgreSQL's SSLRequest (protocol documentation, section "SSL Session Encryption"): the server answers with one octet,
 * 'S' or 'N'. A GSSENCRequest may precede it; a StartupMessage shows a client that goes on in the clear. A CancelRequest,
 * which clients send on a connection of its own, says nothing but which other one it means, and has no answer.
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
    let start = frames.idle ? at : -1;
    for (let end = frames.take(bytes, at); end >= 0; end = frames.take(bytes, end)) {
      this.heard = true;
      start = end;
      const request = frames.frame[7];
      if (request === CANCEL_REQUEST) continue;
      // Either kind of encryption is answered by one octet, so the client waits after either.
      this.#asked = true;
      this.#gss = request === GSSENC_REQUEST;
      return asked(end);
    }
    return frames.bad ? foreign(start) : MORE;
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

/** | length 4 | code 4 |, and of a CancelRequest | process 4 | key 4 to 256 |: one of three codes, and a length that goes with it. */
function requestLength(head: Uint8Array): number {
  const isOther = BEGINNING.some((octet, index) => octet !== undefined && (head[index] ?? octet) !== octet);
  if (isOther || head.length < 8) return isOther ? -1 : 0;
  const length = (head[2]! << 8) | head[3]!;
  const isRight = head[7] === CANCEL_REQUEST ? length >= 16 && length <= 268 : length === 8;
  return REQUESTS.has(head[7]!) && isRight ? length : -1;
}

/** The last octets of the three codes. */
const CANCEL_REQUEST = 0x2e;
const SSL_REQUEST = 0x2f;
const GSSENC_REQUEST = 0x30;
const REQUESTS: ReadonlySet<number> = new Set([CANCEL_REQUEST, SSL_REQUEST, GSSENC_REQUEST]);
const BEGINNING = [0, 0, undefined, undefined, 0x04, 0xd2, 0x16] as const;
/** Yes to TLS, yes to GSS, no, and an ErrorResponse of servers older than both requests. */
const ERROR_RESPONSE = 'E';
const ANSWERS: ReadonlySet<string> = new Set(['S', 'G', 'N', ERROR_RESPONSE]);
