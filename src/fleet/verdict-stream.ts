/**
 * Where the decisions of all gateways of a fleet are: one stream, each batch in it at least once, and read once. Knows
 * nothing of what a record says.
 */
import { type Broker, BrokerError, type Position, type Stream, type Subscription } from './port.ts';
import { type Batch, openBatch, type VerdictSeal } from './verdict-batch.ts';

export function verdictStream(broker: Broker, fleet: string): Promise<Stream> {
  return broker.stream(`tlspin-verdicts-${fleet}`, KEPT);
}

export interface Reading {
  readonly from: Position;
  readonly onBatch: (batch: Batch) => void | Promise<void>;
  /** Somebody has put there what no gateway has sealed. */
  readonly onForged: () => void;
}

/** From there on, and what comes. */
export function followVerdicts(stream: Stream, seal: VerdictSeal, reading: Reading): Promise<Subscription> {
  const reader = new Reader(seal, reading);
  return stream.consume(reading.from, { onMessage: ({ message }) => reader.take(message) });
}

/** What there is by now; resolves when all of it has been handed over. Rejects where nothing comes any more. */
export async function readVerdicts(stream: Stream, seal: VerdictSeal, reading: Reading): Promise<void> {
  const reader = new Reader(seal, reading);
  let progress = performance.now();
  let isCurrent = false;
  const subscription = await stream.consume(reading.from, {
    onMessage: ({ message }) => {
      progress = performance.now();
      return isCurrent ? undefined : reader.take(message);
    },
    onCurrent: () => (isCurrent = true),
  });
  while (!isCurrent && performance.now() - progress < PATIENCE_MS) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  await subscription.stop();
  if (!isCurrent) throw new BrokerError('unreachable', 'the servers have more decisions, and do not tell them');
}

class Reader {
  readonly #seal: VerdictSeal;
  readonly #reading: Reading;
  /** The latest number of each process of each gateway: they come in order. */
  readonly #seen = new Map<string, number>();

  constructor(seal: VerdictSeal, reading: Reading) {
    this.#seal = seal;
    this.#reading = reading;
  }

  async take(message: Uint8Array): Promise<void> {
    const batch = openBatch(message, this.#seal);
    if (batch === undefined) return this.#reading.onForged();
    const { gateway, run, number } = batch.heading;
    const key = `${gateway} ${run}`;
    if (number <= (this.#seen.get(key) ?? 0)) return;
    this.#seen.set(key, number);
    await this.#reading.onBatch(batch);
  }
}

/** A stream that is there already stays as somebody has made it. */
const KEPT = { maxAgeMs: 7 * 86_400_000, maxBytes: 256 * 1024 * 1024, duplicatesMs: 120_000 };
const PATIENCE_MS = 20_000;
const LOOK_MS = 20;
