/**
 * Packets of one direction of a connection that wait for a verdict: enough of each to answer it later, as it was or
 * rewritten. Who may have them when is for others to say; how many may wait is a matter of the limits.
 */
import type { PacketContext } from '../packet/context.ts';
import { type SegmentHeaders, copyHeaders } from '../packet/rewrite.ts';
import type { Answers } from './answers.ts';

export interface HeldPacket {
  readonly packetId: number;
  readonly headers: SegmentHeaders;
  readonly isGso: boolean;
  /** Stream offsets of its data. */
  readonly start: number;
  readonly end: number;
}

export class HeldPackets {
  readonly #answers: Answers;
  readonly #onHeld: () => void;
  #packets: HeldPacket[] = [];
  #bytes = 0;
  #since = 0;
  #totalMicros = 0;

  /** `onHeld` is told of each packet that begins to wait. */
  constructor(answers: Answers, onHeld: () => void) {
    this.#answers = answers;
    this.#onHeld = onHeld;
  }

  get count(): number {
    return this.#packets.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get hasRoom(): boolean {
    return this.count < this.#answers.limits.heldPackets && this.#answers.mayHold();
  }

  /** How long packets have waited so far, in microseconds. */
  get totalMicros(): number {
    return this.#totalMicros;
  }

  /** False, and the packet is dropped, where no more may wait. Its data is at [start, end) of the stream. */
  hold(p: PacketContext, start: number, end: number): boolean {
    const answers = this.#answers;
    if (!this.hasRoom) {
      answers.count('heldPackets');
      answers.drop(p.packetId);
      return false;
    }
    this.#add({ packetId: p.packetId, headers: copyHeaders(p.ip, p.tcp), isGso: p.isGso, start, end }, p.time);
    answers.onHeld();
    this.#onHeld();
    return true;
  }

  /** Whether all of [start, end) waits here already: a retransmission. */
  covers(start: number, end: number): boolean {
    return this.#packets.some((packet) => packet.start <= start && end <= packet.end);
  }

  /** Offers each, from the first of the stream on, to be answered; those that `answer` leaves unanswered wait on. */
  offer(now: number, answer: (packet: HeldPacket) => boolean): void {
    const packets = this.#empty(now).sort((a, b) => a.start - b.start);
    const left = packets.filter((packet) => !answer(packet));
    for (const packet of left) this.#add(packet, now);
    if (left.length < packets.length) this.#answers.onReleased(packets.length - left.length);
  }

  /** Hands over all that wait, in the order in which they came, unanswered. */
  takeAll(now: number): HeldPacket[] {
    const packets = this.#empty(now);
    if (packets.length > 0) this.#answers.onReleased(packets.length);
    return packets;
  }

  #add(packet: HeldPacket, now: number): void {
    if (this.#packets.length === 0) this.#since = now;
    this.#packets.push(packet);
    this.#bytes += packet.end - packet.start;
  }

  #empty(now: number): HeldPacket[] {
    const packets = this.#packets;
    if (packets.length > 0) this.#totalMicros += Math.max(0, now - this.#since);
    this.#packets = [];
    this.#bytes = 0;
    return packets;
  }
}
