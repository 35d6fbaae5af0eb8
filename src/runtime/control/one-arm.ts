/**
 * Tells when a flow came in and went out by one interface. Where a gateway has two arms nobody on the server's side can
 * speak in the client's name; with one arm only addresses on the link keep him from it, which is less: see README, "What
 * it does not protect against". Said once; `status` has how many flows there were.
 */
import type { FlowEvent } from '../../judge/events.ts';

export interface OneArmOptions {
  /** Flows so far whose both ends are behind one interface. */
  readonly count: () => number;
  readonly log: { write(events: readonly FlowEvent[]): void };
  /** One line to the operator. */
  readonly say: (line: string) => void;
}

export class OneArm {
  readonly #options: OneArmOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: OneArmOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), INTERVAL_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  look(): void {
    const { count, log, say } = this.#options;
    if (count() === 0) return;
    this.stop();
    say(DETAIL);
    const time = Date.now() * 1000;
    const event = { time, flowId: 0, client: null, server: null, code: 'gateway.one-armed', detail: DETAIL };
    log.write([{ kind: 'anomaly', ...event }]);
  }
}

const INTERVAL_MS = 1_000;
const DETAIL =
  'clients and servers are behind one interface: there a client is known by its address on the link alone, and whoever can send with that can speak in its name';
