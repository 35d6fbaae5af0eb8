import { expect, it } from 'vitest';

import { ProbeCache } from '../../src/probe/cache.ts';

const TIMES = { ttl: 60_000, negativeTtl: 30_000 };
const shown = (chain: readonly Uint8Array[]) =>
  ({ kind: 'certificates', chain, isRawPublicKey: false, version: 0x0304, proven: true }) as const;
const failed = { kind: 'failed', reason: 'alert', detail: '40' } as const;

it('remembers so many octets only, however long servers make their chains, and clients their questions', () => {
  const cache = new ProbeCache(4_096);
  const said = 'x'.repeat(128 * 1024);
  const questions = Array.from({ length: 600 }, (_, i) => ({ exact: `exactly ${i} ${said}`, certificate: `${i}` }));
  for (const question of questions) {
    cache.add(question, shown([new Uint8Array(128 * 1024), new Uint8Array(128 * 1024)]), 1_000, TIMES);
    cache.add({ ...question, certificate: 'failed' }, failed, 1_000, TIMES);
  }
  const [first, last] = [questions[0]!, questions.at(-1)!];
  expect(cache.find(last, 1_000, TIMES)?.answer.kind).toBe('certificates');
  expect(cache.find({ ...last, certificate: 'failed' }, 1_000, TIMES)?.answer.kind).toBe('failed');
  expect(cache.find(first, 1_000, TIMES)).toBeUndefined();
  const kept = cache.keep(1_000);
  expect(kept.shown.length).toBe(255);
  expect(kept.failed.length).toBe(511);
});
