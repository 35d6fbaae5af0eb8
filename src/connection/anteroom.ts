/**
 * Where the client's packets wait: early data, which would reach the server ahead of the decision; and what a client says
 * first while its server is to be asked, which takes the client's connection with the acknowledgment of its SYN. Knows
 * nothing of what is decided.
 */
import type { PacketContext } from '../packet/context.ts';
import { TCP_FLAG } from '../packet/tcp.ts';
import type { Judge } from '../judge/judge.ts';
import type { Answers } from './answers.ts';
import { type HeldPacket, HeldPackets } from './held.ts';
import type { Streams } from './streams.ts';

export class Anteroom {
  readonly #answers: Answers;
  readonly #judge: Judge;
  readonly #streams: Streams;
  readonly #held: HeldPackets;

  /** `onHeld` is told of each packet that begins to wait. */
  constructor(answers: Answers, judge: Judge, streams: Streams, onHeld: () => void) {
    this.#answers = answers;
    this.#judge = judge;
    this.#streams = streams;
    this.#held = new HeldPackets(answers, onHeld);
  }

  get count(): number {
    return this.#held.count;
  }

  /** How long packets have waited so far, in microseconds. */
  get totalMicros(): number {
    return this.#held.totalMicros;
  }

  /** Whether what waits may go. */
  get isOpen(): boolean {
    return !this.#judge.holdsClient && !this.#judge.delaysClient;
  }

  /** Whether the packet waits, or is dropped since a copy of it does. */
  keeps(p: PacketContext): boolean {
    if (!this.#mustWait(p)) return false;
    const start = this.#streams.client.offsetOf(p.tcp.seq);
    const end = start + p.tcp.dataLength;
    if (this.#held.covers(start, end)) this.#answers.drop(p.packetId);
    else this.#held.hold(p, start, end);
    return true;
  }

  /** Lets everything go to the server that waits; false where nothing does. */
  release(now: number): boolean {
    const packets = this.takeAll(now);
    for (const packet of packets) this.#answers.accept(packet.packetId);
    if (packets.length > 0) this.#streams.forwarded = this.#streams.client.next;
    return packets.length > 0;
  }

  /** Hands over all that wait, unanswered. */
  takeAll(now: number): HeldPacket[] {
    return this.#held.takeAll(now);
  }

  #mustWait({ tcp }: PacketContext): boolean {
    const { holdsClient, delaysClient } = this.#judge;
    if (holdsClient && tcp.dataLength > 0) return true;
    const { forwarded, server } = this.#streams;
    if (tcp.has(TCP_FLAG.rst) || forwarded > 0 || server.next > 0) return false;
    // Where there is no room to wait in, being asked first is not worth a packet.
    return holdsClient || (delaysClient && this.#held.hasRoom);
  }
}
