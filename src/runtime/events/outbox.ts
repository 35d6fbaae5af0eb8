/**
 * The packet thread's end of the log: gathers events and posts what came within some milliseconds, because waking the main
 * thread costs more than a record. Bounded by what the main thread has not yet taken, which it counts and does not answer;
 * beyond that, events are dropped and counted, and packets never wait.
 */
import type { FlowEvent } from '../../judge/events.ts';
import type { EventSink } from '../../judge/events.ts';
import { EventPacker, type WireEvent } from './wire.ts';
import type { QueueCounters } from '../queue/counters.ts';
import type { FromQueue, Port } from '../queue/messages.ts';

export class EventOutbox implements EventSink {
  readonly #port: Port<FromQueue>;
  readonly #counters: Pick<QueueCounters, 'eventsTaken'>;
  readonly #backlog: () => number;
  readonly #packer = new EventPacker();
  #events: WireEvent[] = [];
  #due: NodeJS.Timeout | undefined;
  #postedAt = -Infinity;
  /** All that there ever were, but for those that were dropped. */
  #emitted = 0;
  #dropped = 0;

  /** `backlog`: the limit `logBacklog`. */
  constructor(port: Port<FromQueue>, counters: Pick<QueueCounters, 'eventsTaken'>, backlog: () => number) {
    this.#port = port;
    this.#counters = counters;
    this.#backlog = backlog;
  }

  get dropped(): number {
    return this.#dropped;
  }

  emit(event: FlowEvent): void {
    if (this.#emitted - this.#counters.eventsTaken >= this.#backlog()) {
      this.#dropped++;
      return;
    }
    this.#emitted++;
    this.#events.push(this.#packer.pack(event));
    if (this.#events.length >= EVENTS_A_MESSAGE) this.flush();
    else this.#due ??= setTimeout(() => this.flush(), this.#patienceMs);
  }

  /** One that comes by itself goes soon; those that come one after the other go together. */
  get #patienceMs(): number {
    return Math.max(SOON_MS, TOGETHER_MS - (performance.now() - this.#postedAt));
  }

  /** Posts what was gathered, now. */
  flush(): void {
    clearTimeout(this.#due);
    this.#due = undefined;
    if (this.#events.length === 0) return;
    this.#port.postMessage({ kind: 'events', events: this.#events });
    this.#events = [];
    this.#postedAt = performance.now();
  }
}

const EVENTS_A_MESSAGE = 64;
const SOON_MS = 5;
/** Nobody waits for a record that long; each message costs both threads a wake-up. */
const TOGETHER_MS = 25;
