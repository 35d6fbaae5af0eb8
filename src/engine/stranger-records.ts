/**
 * Records of packets whose connection nobody knows. Anybody can send very many of them, with whatever addresses: those of
 * a few connections to each server have their record at once, and all others of a period are counted into one for each
 * server. The numbers of all records add up to the packets. Answers no packet.
 */
import { strangerEvent } from '../connection/record.ts';
import type { EventSink } from '../judge/events.ts';
import type { Clock } from '../packet/source.ts';
import type { FlowSubject } from '../pins/match/snapshot.ts';

export interface StrangerRecordsParts {
  readonly events: EventSink;
  readonly clock: Clock;
  /** Hash of the configuration in force. */
  readonly config: () => string;
}

/** Of one server, in one period. */
interface Tally {
  /** Records that were made at once. */
  told: number;
  /** Packets without one. */
  packets: number;
  /** The last of them. */
  subject: FlowSubject;
}

export class StrangerRecords {
  readonly #parts: StrangerRecordsParts;
  readonly #servers = new Map<string, Tally>();
  /** Connections that had a record at once. */
  readonly #reported = new Set<number>();
  #told = 0;
  #end = 0;

  constructor(parts: StrangerRecordsParts) {
    this.#parts = parts;
  }

  /** A packet; `flow` tells its connection from most others. */
  add(subject: FlowSubject, flow: number): void {
    const now = this.#parts.clock.now();
    this.tick(now);
    if (this.#servers.size === 0) this.#end = now + PERIOD;
    const tally = this.#tallyOf(subject);
    const isTold = !this.#reported.has(flow) && tally.told < TOLD_EACH && this.#told < TOLD;
    if (!isTold) {
      tally.packets++;
      tally.subject = subject;
      return;
    }
    if (this.#reported.size >= MAX_REPORTED) this.#reported.clear();
    this.#reported.add(flow);
    tally.told++;
    this.#told++;
    this.#emit(subject, 1);
  }

  /** Tells what was counted once its period is over. */
  tick(now: number): void {
    if (this.#servers.size > 0 && now >= this.#end) this.flush();
  }

  /** Tells what was counted, now. */
  flush(): void {
    for (const { subject, packets } of this.#servers.values()) if (packets > 0) this.#emit(subject, packets);
    this.#servers.clear();
    this.#told = 0;
  }

  /** Where there are too many servers, all further ones are one. */
  #tallyOf(subject: FlowSubject): Tally {
    const { address, port } = subject.server;
    const name = `${Buffer.from(address).toString('hex')} ${port}`;
    const key = this.#servers.has(name) || this.#servers.size < MAX_SERVERS ? name : OTHERS;
    let tally = this.#servers.get(key);
    if (tally === undefined) this.#servers.set(key, (tally = { told: 0, packets: 0, subject }));
    return tally;
  }

  #emit(subject: FlowSubject, packets: number): void {
    const { events, clock, config } = this.#parts;
    events.emit(strangerEvent(subject, config(), clock.wallTime(), packets));
  }
}

/** Microseconds. */
const PERIOD = 10e6;
/** Records that are made at once in a period: to one server, and in all. */
const TOLD_EACH = 10;
const TOLD = 100;
const MAX_SERVERS = 256;
const OTHERS = 'others';
const MAX_REPORTED = 4096;
