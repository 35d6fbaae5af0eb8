/**
 * The packet thread's end of the log: gathers events and posts them as one message a batch. Bounded by what the main
 * thread has not yet taken; beyond that, events are dropped and counted, and packets never wait.
 */
import type { FlowEvent } from '../engine/events.ts';
import type { EventSink } from '../engine/ports.ts';
import type { FromQueue, Port } from './messages.ts';

export class EventOutbox implements EventSink {
  readonly #port: Port<FromQueue>;
  readonly #backlog: () => number;
  #events: FlowEvent[] = [];
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
    this.#events.push(event);
  }

  flush(): void {
    if (this.#events.length === 0) return;
    this.#port.postMessage({ kind: 'events', events: this.#events });
    this.#events = [];
  }

  taken(count: number): void {
    this.#untaken -= count;
  }
}
