import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { fileDestination } from '../../src/report/file-destination.ts';
import { VerdictLog } from '../../src/report/verdict-log.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tlspin-log-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const lines = (path: string): unknown[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);

test('a line is the record and nothing else, escaped', async () => {
  const destination = join(directory, 'plain');
  const log = new VerdictLog({ destinations: [fileDestination(destination)], backlog: 10 });
  log.write({ event_type: 'verdict', sni: 'a\nb\0"\u2028\x9b31m\x7f', nested: { n: 1 }, nothing: null });
  await log.close();
  expect(readFileSync(destination, 'utf8')).toBe(
    '{"event_type":"verdict","sni":"a\\nb\\u0000\\"\\u2028\\u009b31m\\u007f","nested":{"n":1},"nothing":null}\n',
  );
});

test('records keep their order and all arrive', async () => {
  const destination = join(directory, 'many');
  const log = new VerdictLog({ destinations: [fileDestination(destination)], backlog: 5000 });
  for (let n = 0; n < 5000; n++) log.write({ event_type: 'verdict', n });
  await log.close();
  expect(lines(destination)).toEqual(Array.from({ length: 5000 }, (_, n) => ({ event_type: 'verdict', n })));
  expect([log.written, log.dropped]).toEqual([5000, 0]);
});

describe('a reader that does not read', () => {
  test('costs records beyond the backlog, which are counted, and never makes the writer wait', async () => {
    const fifo = join(directory, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const reader = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    const log = new VerdictLog({ destinations: [fileDestination(fifo)], backlog: 100 });
    const text = 'x'.repeat(1000);
    const began = performance.now();
    for (let n = 0; n < 10_000; n++) log.write({ event_type: 'verdict', n, text });
    // One that waits does so until somebody reads, which nobody does.
    expect(performance.now() - began).toBeLessThan(5000);
    expect(log.dropped).toBeGreaterThan(9000);

    // Once somebody reads, what waited arrives whole and in order.
    const closed = log.close();
    const seen: Buffer[] = [];
    const chunk = Buffer.alloc(65_536);
    const wanted = 10_000 - log.dropped;
    let records = 0;
    while (records < wanted) {
      const part = Buffer.from(chunk.subarray(0, readNow(reader, chunk)));
      records += part.toString('latin1').split('\n').length - 1;
      seen.push(part);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await closed;
    closeSync(reader);
    const numbers = Buffer.concat(seen)
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { n: number }).n);
    expect(numbers).toHaveLength(wanted);
    expect(numbers.toSorted((a, b) => a - b)).toEqual(numbers);
  });
});

test('a destination that cannot take records counts them', async () => {
  const log = new VerdictLog({ destinations: [fileDestination('/dev/full')], backlog: 10 });
  log.write({ event_type: 'verdict', n: 1 });
  await log.close();
  expect([log.written, log.dropped]).toEqual([0, 1]);
});

test('reopen writes on in a new file of the same name', async () => {
  const destination = join(directory, 'rotated');
  const log = new VerdictLog({ destinations: [fileDestination(destination)], backlog: 10 });
  log.write({ event_type: 'verdict', n: 1 });
  log.write({ event_type: 'verdict', n: 2 });
  renameSync(destination, `${destination}.1`);
  log.reopen();
  log.write({ event_type: 'verdict', n: 3 });
  await log.close();
  expect([...lines(`${destination}.1`), ...lines(destination)]).toMatchObject([{ n: 1 }, { n: 2 }, { n: 3 }]);
  expect(lines(destination)).toContainEqual({ event_type: 'verdict', n: 3 });
});

test('a destination that cannot be opened is named', () => {
  const destination = join(directory, 'absent', 'file');
  expect(() => new VerdictLog({ destinations: [fileDestination(destination)], backlog: 1 })).toThrow(
    `log ${destination}: cannot be opened (ENOENT)`,
  );
});

/** Octets that are there to be read. */
function readNow(descriptor: number, into: Buffer): number {
  try {
    return readSync(descriptor, into);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
    throw error;
  }
}
