/**
 * RDP's negotiation (MS-RDPBCGR §2.2.1.1, §2.2.1.2) in X.224 connection request and confirm (RFC 2126, in TPKT of
 * RFC 1006): the client lists security protocols, the server selects one; all but "standard" are TLS.
 *
 *   | TPKT: 03 00 length 2 | LI 1 | CR e0 / CC d0 | dst 2 src 2 class 1 | cookie … CR LF | type 1 flags 1 08 00 value 4 |
 */
import { FrameBuffer } from './frames.ts';
import { MORE, agreed, ahead, asked, foreign, more, refused } from './preamble.ts';
import type { ClientStep, Preamble, ServerStep } from './preamble.ts';

export class RdpPreamble implements Preamble {
  readonly protocol = 'rdp';
  readonly tunnel = false;
  readonly text = false;
  heard = false;
  readonly #client = new FrameBuffer(tpktLength);
  #asked = false;

  client(bytes: Uint8Array, at: number): ClientStep {
    const start = this.#client.idle ? at : -1;
    const end = this.#client.take(bytes, at);
    if (end < 0) return this.#client.bad ? foreign(start) : MORE;
    const frame = this.#client.frame;
    if (frame[5] !== X224.connectionRequest) return foreign(start);
    const requested = negotiation(frame, NEGOTIATION_REQUEST);
    if (requested === undefined || requested === PROTOCOL_RDP) return foreign(start);
    this.heard = true;
    this.#asked = true;
    return asked(end);
  }

  server(bytes: Uint8Array): ServerStep {
    const length = this.#asked ? tpktLength(bytes) : -1;
    if (length < 0) return ahead(0);
    if (length === 0 || bytes.length < length) return more(0);
    const frame = bytes.subarray(0, length);
    if (frame[5] !== X224.connectionConfirm) return ahead(0);
    this.#asked = false;
    const selected = negotiation(frame, NEGOTIATION_RESPONSE);
    return selected === undefined || selected === PROTOCOL_RDP ? refused(length) : agreed(length);
  }
}

function tpktLength(head: Uint8Array): number {
  if (head[0] !== 0x03 || (head[1] ?? 0) !== 0x00) return -1;
  if (head.length < 6) return head.length >= 5 && head[4]! < 6 ? -1 : 0;
  const length = (head[2]! << 8) | head[3]!;
  const type = head[5]!;
  const isNegotiation = type === X224.connectionRequest || type === X224.connectionConfirm;
  return isNegotiation && length >= 11 && length <= 1024 ? length : -1;
}

/** The 32-bit value of the negotiation structure that ends the frame; undefined when there is none of that type. */
function negotiation(frame: Uint8Array, type: number): number | undefined {
  // Behind a cookie, further structures (correlation info) may follow: the negotiation is the first of them.
  let at = 11;
  for (let index = 11; index + 1 < frame.length && isText(frame[index]!); index++) {
    if (frame[index] === 0x0d && frame[index + 1] === 0x0a) at = index + 2;
  }
  if (frame.length < at + 8 || frame[at] !== type || frame[at + 2] !== 8 || frame[at + 3] !== 0) return undefined;
  return (frame[at + 4]! | (frame[at + 5]! << 8) | (frame[at + 6]! << 16) | (frame[at + 7]! << 24)) >>> 0;
}

function isText(octet: number): boolean {
  return octet >= 0x20 || octet === 0x0d || octet === 0x0a;
}

const X224 = { connectionRequest: 0xe0, connectionConfirm: 0xd0 } as const;
const NEGOTIATION_REQUEST = 0x01;
const NEGOTIATION_RESPONSE = 0x02;
const PROTOCOL_RDP = 0;
