/**
 * Up to where the client may have the server's octets while nothing is decided. Whoever reads them permits by name what
 * he has understood and what does no harm; there is no other way to move the mark, so what nobody has thought of stays
 * where it is. Knows names and offsets; the packets are the gate's.
 */

import type { Judge } from '../judge/judge.ts';
import type { ServerPoint } from '../tls/observer.ts';

/** What may be let go ahead of a ruling, and why that does no harm. */
export const PERMITTED = {
  preamble: 'text, in which no flight can be, and what answers the client by the rules of what it speaks',
  upgrade: 'the answer that agrees to TLS',
  'ahead-of-hello': 'HelloRequests and warnings, which clients ignore',
  'hello-part': 'a ServerHello that is not whole, and what clients ignore ahead of it',
  'hello-retry-request': 'the client has to answer it, and learns nothing of the server',
  'server-hello': 'of versions whose certificate goes by in clear, and the flight up to its last octet',
  certificate: 'one that matches, while its proof is not there',
  proof: 'one that holds, while the flight is not at its end',
  'logged-server-hello': 'without it no client of TLS 1.3 logs its secret; and what of the flight is not whole',
  'sealed-from': 'the same, up to the encrypted records that wait for their secret',
  'encrypted-part': 'records that were read with the secret, up to the last octet of the certificate',
  'encrypted-certificate': 'one that matches, while its proof is not there',
} as const;

export type PermittedName = keyof typeof PERMITTED;

/** By which name the client may have what of a flight in clear was read so far; undefined where it may not. */
export function permittedAt(point: ServerPoint, judge: Judge): PermittedName | undefined {
  switch (point) {
    case 'unanswered':
      return 'hello-part';
    case 'hello-retry-request':
    case 'server-hello':
      return point;
    case 'certificate':
      return judge.permits('certificate') ? 'certificate' : undefined;
    case 'key-exchange':
      return judge.permits('key-exchange') ? 'proof' : undefined;
    case 'unasked':
    case 'encrypted':
    case 'end':
    case 'fault':
      return undefined;
    default:
      return point satisfies never;
  }
}

export class Permission {
  #offset = 0;
  #name: PermittedName | undefined;

  /** Of the server's stream: the first octet that is not permitted. */
  get offset(): number {
    return this.#offset;
  }

  /** By which name the last of them are. */
  get name(): PermittedName | undefined {
    return this.#name;
  }

  /** What was permitted once may be with the client already: it is never taken back. */
  permit(offset: number, name: PermittedName): void {
    if (offset <= this.#offset) return;
    this.#offset = offset;
    this.#name = name;
  }
}
