/**
 * The packet thread's end of the log: gathers events and posts what came within some milliseconds, because waking the main
 * thread, and being woken by its answer, costs more than a record. Bounded by what the main thread has not yet taken;
 * beyond that, events are dropped and counted, and packets never wait.
 */
import type { FlowEvent } from '../../judge/events.ts';
import type { EventSink } from '../../judge/events.ts';
import { EventPacker, type WireEvent } from './wire.ts';
import type { FromQueue, Port } from '../queue/messages.ts';

export class EventOutbox implements EventSink {
  readonly #port: Port<FromQueue>;
  readonly #backlog: () => number;
  readonly #packer = new EventPacker();
  #events: WireEvent[] = [];
  #due: NodeJS.Timeout | undefined;
  #postedAt = -Infinity;
  #untaken = 0;
  #dropped = 0;

  /** `backlog`: the limit `logBacklog`. */
  constructor(port: Port<FromQueue>, backlog: () => number) {
    this.#port = port;
    this.#backlog = backlog;
  }

  get dropped(): number {
    return this.#dropped;
  }

  emit(event: FlowEvent): void {
    if (this.#untaken >= this.#backlog()) {
      this.#dropped++;
      return;
    }
    this.#untaken++;
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

  taken(count: number): void {
    this.#untaken -= count;
  }
}

const EVENTS_A_MESSAGE = 64;
const SOON_MS = 5;
/** Nobody waits for a record that long; each message costs both threads a wake-up. */
const TOGETHER_MS = 25;
