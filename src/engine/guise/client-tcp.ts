/**
 * What a client's connection has shown of its system so far, packet by packet: its SYN, the window that it keeps open, its
 * clock, how it numbers its packets. Whose connection that is, others know.
 */
import { randomInt } from 'node:crypto';

import type { IpView } from '../../packet/ip.ts';
import type { TcpView } from '../../packet/tcp.ts';
import { identificationOf, type SynShape } from './syn-shape.ts';

/** All of a client's connections: a system may count its packets over them together. */
export interface ClientHost {
  /** The latest identification; -1: none yet. */
  latest: number;
}

export class ClientTcp {
  readonly syn: SynShape;
  readonly #host: ClientHost;
  readonly #isCountedTogether: boolean;
  /** Ahead of any answer, in its own scale; undefined where it has said none but with its SYN. */
  window: number | undefined;
  #isDrawn = false;
  /** Of this connection's own packets: others come in between. */
  #identification: number;
  /** Whether it has acknowledged an answer. */
  hasHeard = false;
  /** The latest timestamp, and when it came. */
  #timestamp: number;
  #at: number;
  readonly #synAt: number;
  /** When its SYN left this host, which may have waited here. */
  synLeft: number;
  /** Of its acknowledgment of the server's SYN. */
  #firstTimestamp: number | undefined;
  /** How much of a tick had gone by, which nobody knows: it is drawn. */
  readonly #tickBegun: number;
  #firstAck: number | undefined;

  constructor(syn: SynShape, host: ClientHost, now: number, tickBegun = Math.random()) {
    this.#tickBegun = tickBegun;
    this.syn = syn;
    this.#host = host;
    this.#isCountedTogether = host.latest >= 0 && isNext(syn.identification, host.latest);
    host.latest = syn.identification;
    this.#identification = syn.identification;
    this.#timestamp = syn.timestamp ?? 0;
    this.#at = now;
    this.#synAt = now;
    this.synLeft = now;
  }

  /** A packet behind its SYN. True for the first that has something of the server's. */
  onPacket(ip: IpView, tcp: TcpView, now: number): boolean {
    if (tcp.hasTimestamps) {
      this.#timestamp = tcp.tsVal;
      this.#at = now;
      this.#firstTimestamp ??= tcp.tsVal;
    }
    if (ip.version === 4) this.#onIdentification(identificationOf(ip));
    this.#firstAck ??= tcp.ack;
    const isHeard = tcp.ack !== this.#firstAck;
    if (!isHeard) this.window = tcp.window;
    const isFirst = isHeard && !this.hasHeard;
    this.hasHeard ||= isHeard;
    return isFirst;
  }

  /** What its clock says. `stillFor`: microseconds in which it is taken to stand, as it does in a packet that waits. */
  timestampAt(now: number, stillFor: number): number {
    const elapsed = now - this.#at;
    const ticks = elapsed <= stillFor ? 0 : Math.floor(elapsed * this.#ticks() + this.#tickBegun);
    return (this.#timestamp + ticks) >>> 0;
  }

  /**
   * What the clock says in the acknowledgment of the server's SYN, or in the first word, of a connection that began at
   * `begun` and goes on as this one does.
   */
  timestampBeside(isWord: boolean, begun: number): number {
    const own = isWord ? this.#timestamp : (this.#firstTimestamp ?? this.#timestamp);
    return (own + Math.round((begun - this.synLeft) * this.#ticks())) >>> 0;
  }

  /** What it would give another packet, of a system that would give it `own`. */
  nextIdentification(own: number): number {
    if (this.syn.identification === 0) return 0;
    if (this.#isCountedTogether) return (this.#host.latest = (this.#host.latest + 1) & 0xffff);
    return this.#isDrawn ? randomInt(0x1_0000) : own;
  }

  #onIdentification(identification: number): void {
    const isCounted = isNext(identification, this.#identification) || isNext(identification, this.#host.latest);
    this.#isDrawn ||= identification !== 0 && !isCounted;
    this.#identification = identification;
    this.#host.latest = identification;
  }

  /** A microsecond: as one of the usual clocks, as far as that can be told; most have a thousand a second. */
  #ticks(): number {
    const elapsed = this.#at - this.#synAt;
    if (elapsed < LEAST_SPAN || this.syn.timestamp === undefined) return USUAL[0]! / 1e6;
    const seen = (((this.#timestamp - this.syn.timestamp) >>> 0) / elapsed) * 1e6;
    const distance = (rate: number) => Math.abs(Math.log(rate / Math.max(seen, 1)));
    return USUAL.reduce((best, rate) => (distance(rate) < distance(best) ? rate : best)) / 1e6;
  }
}

function isNext(identification: number, before: number): boolean {
  const step = (identification - before) & 0xffff;
  return step > 0 && step <= MOST_STEP;
}

/** Ticks a second. */
const USUAL: readonly number[] = [1_000, 250, 100];
/** Microseconds. */
const LEAST_SPAN = 20_000;
/** Packets that a system sends elsewhere between two that are seen here. */
const MOST_STEP = 256;
