/**
 * Floods, one after the other, and how honest visitors fare meanwhile: `npm run bench:load` starts it. Prints a table; what
 * fails are promises that no clock is needed for, and the honest share where the machine has nothing else to do.
 */
import { cpus, loadavg } from 'node:os';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { type Bank, makeBank } from '../support/lab/bank.ts';
import { type Counts, Field, type Memory } from './field.ts';
import { type Flood, FLOODS } from './floods.ts';

const { names, share } = JSON.parse(process.env['LOAD'] ?? '') as { names: string[]; share: number };
const isBusy = loadavg()[0]! > cpus().length / 2;

let bank: Bank;
beforeAll(() => {
  bank = makeBank();
});
const rows: string[][] = [
  [
    'flood',
    'there was',
    'served before',
    'during',
    'after',
    'memory',
    'peak',
    'after',
    'of connections, peak',
    'after',
  ],
];
afterAll(() => {
  bank.remove();
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  '));
  console.log(['', ...lines, isBusy ? '\nthe machine had other things to do: shares tell little' : ''].join('\n'));
});

it.each(FLOODS.filter(({ name }) => names.length === 0 || names.includes(name)))(
  '$what',
  { timeout: 900_000 },
  async (flood: Flood) => {
    const field = await Field.create(bank);
    try {
      field.beginVisits();
      await pause(6_000);
      const before = await field.takeCounts();
      const watch = new MemoryWatch(field);
      await watch.look();
      const had = await flood.pour(field, share);
      const during = await field.takeCounts();
      field.visitors.leaveAll();
      // What was half-open is forgotten (`limits.handshakeTimeout`).
      await pause(25_000);
      const after = await field.takeCounts();
      await field.endVisits();
      await watch.stop();
      const { begin, end } = watch;
      const [peak, mostUsed] = [watch.most('resident'), watch.most('used')];
      const memory = [begin.resident, peak, end.resident, mostUsed, end.used];
      rows.push([flood.name, had, ...[before, during, after].map(shareOf), ...memory.map(mebibytes)]);
      expect(field.hasEnded).toBe(false);
      expect([before, during, after].map(({ forgedDelivered }) => forgedDelivered)).toEqual([0, 0, 0]);
      expect(peak - begin.resident).toBeLessThan(BUDGET);
      expect(mostUsed).toBeLessThanOrEqual(LIMIT_DEFAULTS.bufferBytes);
      expect(end.used).toBeLessThan(LEFT);
      if (!isBusy) expect(during.served / during.honest).toBeGreaterThanOrEqual(0.95);
      if (!isBusy) expect(after.served / after.honest).toBeGreaterThanOrEqual(0.95);
    } finally {
      await field.lab.close();
    }
  },
);

class MemoryWatch {
  readonly #field: Field;
  readonly #seen: Memory[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(field: Field) {
    this.#field = field;
    this.#timer = setInterval(() => void this.look(), 1_000);
  }

  async look(): Promise<void> {
    const memory = await this.#field.memory();
    if (memory !== undefined) this.#seen.push(memory);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.look();
  }

  get begin(): Memory {
    return this.#seen[0]!;
  }

  most(of: keyof Memory): number {
    return Math.max(...this.#seen.map((memory) => memory[of]));
  }

  get end(): Memory {
    return this.#seen.at(-1)!;
  }
}

function shareOf({ honest, served }: Counts): string {
  return `${served}/${honest}`;
}

function mebibytes(octets: number): string {
  return `${octets < 2 ** 20 ? '< 1' : Math.round(octets / 2 ** 20)} MiB`;
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

/** Octets: what a queue's open connections may use, and as much again that has not been collected yet. */
const BUDGET = 2 * LIMIT_DEFAULTS.bufferBytes;
/** What may be in use by those who visit meanwhile. */
const LEFT = 2 ** 20;
