/**
 * Tells when the time of day was set while tlspin runs. Nothing that takes time goes by it; but what has dates does, and
 * the records' timestamps: whoever reads them has to know that they jump.
 */
import type { FlowEvent } from '../../judge/events.ts';

export interface TimeOfDayOptions {
  readonly log: { write(events: readonly FlowEvent[]): void };
  /** One line to the operator. */
  readonly say: (line: string) => void;
}

export class TimeOfDay {
  readonly #options: TimeOfDayOptions;
  #ahead = timeOfDayAhead();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TimeOfDayOptions) {
    this.#options = options;
  }

  start(): void {
    this.#ahead = timeOfDayAhead();
    this.#timer = setInterval(() => this.look(), INTERVAL_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  look(): void {
    const ahead = timeOfDayAhead();
    const jump = Math.round(ahead - this.#ahead);
    if (Math.abs(jump) < LEAST_JUMP_MS) return;
    this.#ahead = ahead;
    const { log, say } = this.#options;
    const way = jump > 0 ? 'forward' : 'back';
    const detail = `the time of day was set ${way} by ${Math.abs(Math.round(jump / 100)) / 10} s: dates of pins and of records go by it, nothing else does`;
    say(detail);
    const time = Date.now() * 1000;
    log.write([{ kind: 'anomaly', time, flowId: 0, client: null, server: null, code: 'clock.jump', detail }]);
  }
}

/** Of the clock that nobody sets; in milliseconds. */
function timeOfDayAhead(): number {
  return Date.now() - performance.now();
}

const INTERVAL_MS = 1_000;
/** Clocks that are kept right are slewed, or stepped by less. */
const LEAST_JUMP_MS = 1_000;
