/**
 * The packet thread's end of the log: gathers events and posts what came within some milliseconds, because waking the main
 * thread, and being woken by its answer, costs more than a record. Bounded by what the main thread has not yet taken; beyond that, events are
 * dropped and counted, and packets never wait.
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
    else this.#due ??= setTimeout(() => this.flush(), PATIENCE_MS);
  }

  /** Posts what was gathered, now. */
  flush(): void {
    clearTimeout(this.#due);
    this.#due = undefined;
    if (this.#events.length === 0) return;
    this.#port.postMessage({ kind: 'events', events: this.#events });
    this.#events = [];
  }

  taken(count: number): void {
    this.#untaken -= count;
  }
}

const EVENTS_A_MESSAGE = 64;
/** Nobody waits for a record that long; each message costs both threads a wake-up. */
const PATIENCE_MS = 25;
