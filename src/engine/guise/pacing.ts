/**
 * When the packets of a probe leave that nobody waits for: as its client's would, which is farther away than this host and
 * takes its time. Knows no queue.
 *
 *   server's SYN ─▶ acknowledgment and hello, together      as the client's leave, when its hello is there
 *   server's octets ─▶ what is said to them                 by the client's way there and back later
 */
import { TCP_FLAG, type TcpView } from '../../packet/tcp.ts';
import type { Pace } from './paces.ts';

/** What a probe's packets wait for. */
export interface Pacing {
  /** Microseconds that a packet waits at the most; 0: it leaves, behind all that wait. */
  patienceFor(tcp: TcpView, now: number): number;
  /** Microseconds since its client would have sent it, which then waits too. */
  ageOf?(tcp: TcpView): number;
  /** The server's SYN is there. */
  onServersSyn?(now: number): void;
}

export class DrawnPacing implements Pacing {
  readonly #pace: Pace;
  /** From then on nothing waits: what is asked has a time limit. */
  readonly #end: number;
  #opened: number | undefined;
  #firstAck: number | undefined;
  #hasSpoken = false;

  constructor(pace: Pace, end: number) {
    this.#pace = pace;
    this.#end = end;
  }

  onServersSyn(now: number): void {
    this.#opened ??= now;
  }

  patienceFor(tcp: TcpView, now: number): number {
    if (tcp.has(TCP_FLAG.syn) || tcp.has(TCP_FLAG.rst)) return 0;
    this.#firstAck ??= tcp.ack;
    const until = tcp.ack === this.#firstAck ? this.#untilHello(tcp, now) : now + this.#pace.answer;
    return Math.max(0, Math.min(until, this.#end) - now);
  }

  ageOf(tcp: TcpView): number {
    const { hello, acknowledged } = this.#pace;
    return tcp.dataLength === 0 && tcp.ack === this.#firstAck ? Math.max(0, hello - acknowledged) : 0;
  }

  #untilHello(tcp: TcpView, now: number): number {
    const due = (this.#opened ?? now) + this.#pace.hello;
    this.#hasSpoken ||= tcp.dataLength > 0;
    return this.#hasSpoken ? due : Math.max(due, now) + FOR_HELLO;
  }
}

/** What an acknowledgment waits beyond its moment for a hello that is late. */
const FOR_HELLO = 5_000;
