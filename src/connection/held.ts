/**
 * Packets of one connection that wait for a verdict: enough of each to answer it later, as it was or rewritten. The
 * connection decides how long; the engine's budget bounds how many.
 */
import type { SegmentHeaders } from '../packet/rewrite.ts';

export interface HeldPacket {
  readonly packetId: number;
  readonly headers: SegmentHeaders;
  readonly isGso: boolean;
  /** Stream offsets of its data. */
  readonly start: number;
  readonly end: number;
}

export class HeldPackets {
  #packets: HeldPacket[] = [];
  #bytes = 0;
  #since = 0;
  #totalMicros = 0;

  get count(): number {
    return this.#packets.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** When the oldest began to wait, in microseconds. */
  get since(): number {
    return this.#since;
  }

  /** How long packets have waited so far, in microseconds. */
  get totalMicros(): number {
    return this.#totalMicros;
  }

  add(packet: HeldPacket, now: number): void {
    if (this.#packets.length === 0) this.#since = now;
    this.#packets.push(packet);
    this.#bytes += packet.end - packet.start;
  }

  /** Whether all of [start, end) waits here already: a retransmission. */
  covers(start: number, end: number): boolean {
    return this.#packets.some((packet) => packet.start <= start && end <= packet.end);
  }

  takeAll(now: number): HeldPacket[] {
    const packets = this.#packets;
    if (packets.length > 0) this.#totalMicros += Math.max(0, now - this.#since);
    this.#packets = [];
    this.#bytes = 0;
    return packets;
  }
}
