/**
 * What a decoy's packets wait for, so that they come when its client's do: its acknowledgment for the hello behind it, since
 * the client's leave together, and that it has heard the server for the client's word that it has. Knows no queue.
 *
 *   SYN ─▶ acknowledgment ─▶ hello ─▶ acknowledgments, end ─▶
 *               │ waits        ▲         │ wait
 *               └──────────────┘         └──▶ until the client has acknowledged an answer, too
 */
import { TCP_FLAG, type TcpView } from '../../packet/tcp.ts';
import type { Pacing } from './pacing.ts';

export class Decoy implements Pacing {
  #firstAck: number | undefined;
  #hasSpoken = false;
  /** Nothing waits any more. */
  isFree = false;

  /** Whether it is what is said ahead of any answer. */
  isAhead(tcp: TcpView): boolean {
    return !tcp.has(TCP_FLAG.syn) && tcp.ack === this.#firstAck;
  }

  patienceFor(tcp: TcpView): number {
    if (this.isFree || tcp.has(TCP_FLAG.syn)) return 0;
    this.#firstAck ??= tcp.ack;
    const says = tcp.dataLength > 0;
    this.#hasSpoken ||= says;
    const heard = (tcp.ack - this.#firstAck) | 0;
    if (heard > MOST_HEARD || tcp.has(TCP_FLAG.rst)) this.isFree = true;
    // Whoever asks for another hello waits for it.
    if (this.isFree || (says && heard < LEAST_ANSWER)) return 0;
    if (heard > 0) return ANSWER;
    return this.#hasSpoken ? 0 : HELLO;
  }
}

/** Octets: more than a HelloRetryRequest has, and within what servers send ahead of any acknowledgment (RFC 6928). */
const [LEAST_ANSWER, MOST_HEARD] = [400, 8_192];
/** Microseconds. */
const HELLO = 5_000;
const ANSWER = 300_000;
