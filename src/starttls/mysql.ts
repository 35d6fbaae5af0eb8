/**
 * MySQL and MariaDB (protocol documentation, "Protocol::SSLRequest"): the server greets, and a client that wants TLS
 * answers with the head of its handshake response, CLIENT_SSL set, and begins TLS at once. No answer is waited for.
 *
 *   | length 3, little endian | sequence 1 | capabilities 4 | largest packet 4 | character set 1 | filler 23 |
 */
import { FrameBuffer } from './frames.ts';
import { MORE, ahead, foreign } from './preamble.ts';
import type { ClientStep, Preamble, ServerStep } from './preamble.ts';

export class MysqlPreamble implements Preamble {
  readonly protocol = 'mysql';
  readonly tunnel = false;
  readonly text = false;
  heard = false;
  readonly #client = new FrameBuffer(sslRequestLength);

  client(bytes: Uint8Array, at: number): ClientStep {
    const start = this.#client.idle ? at : -1;
    const end = this.#client.take(bytes, at);
    if (end < 0) return this.#client.bad ? foreign(start) : MORE;
    this.heard = true;
    return { kind: 'tls', end };
  }

  server(bytes: Uint8Array): ServerStep {
    const end = greetingLength(bytes);
    return ahead(end > 0 && end <= bytes.length ? end : 0);
  }
}

/** Octets that tell how long a greeting is. */
export const GREETING_HEAD = 5;

/** Octets of the greeting that a server opens with, or of its refusal; 0 while that is not known, -1 when it is none. */
export function greetingLength(head: Uint8Array): number {
  const [length, second, third, sequence, version] = head;
  if ((third ?? 0) !== 0 || (sequence ?? 0) !== 0 || !GREETINGS.has(version ?? 10)) return -1;
  if (version === undefined) return 0;
  const octets = 4 + length! + 256 * second!;
  return octets <= MAX_GREETING ? octets : -1;
}

/** The length alone tells the request from a whole handshake response. */
function sslRequestLength(head: Uint8Array): number {
  const [length, second, third, sequence, capabilities] = head;
  const octets = CAPABILITY_OCTETS.get(length!);
  if (octets === undefined || (second ?? 0) !== 0 || (third ?? 0) !== 0 || (sequence ?? 1) !== 1) return -1;
  if (capabilities === undefined || head.length < 6) return 0;
  const flags = capabilities | (head[5]! << 8);
  const protocol41 = (flags & CLIENT_PROTOCOL_41) !== 0;
  return (flags & CLIENT_SSL) !== 0 && protocol41 === (octets === 4) ? 4 + length! : -1;
}

/** By the payload's length: the request of the 4.1 protocol, and the one before it. */
const CAPABILITY_OCTETS: ReadonlyMap<number, number> = new Map([
  [32, 4],
  [5, 2],
]);
/** Protocol versions 9 and 10, and an error ("too many connections"). */
const GREETINGS: ReadonlySet<number> = new Set([9, 10, 0xff]);
/** A version, a challenge, the name of a plugin: about a hundred octets. */
const MAX_GREETING = 512;
const CLIENT_PROTOCOL_41 = 0x0200;
const CLIENT_SSL = 0x0800;
