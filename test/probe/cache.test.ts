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

it('takes what another gateway was shown, where it knows nothing, or the same of longer ago', () => {
  const [here, there] = [new ProbeCache(8), new ProbeCache(8)];
  const question = (name: string) => ({ exact: name, certificate: name });
  const chainOf = (octet: number) => shown([Uint8Array.of(octet)]);
  for (const name of ['new', 'same', 'other']) there.add(question(name), chainOf(1), 100_000, TIMES);
  here.add(question('same'), chainOf(1), 50_000, TIMES);
  here.add(question('other'), chainOf(2), 50_000, TIMES);
  here.restore(there.keep(100_000), 100_000);
  const standing = (name: string, nowMs: number) => {
    const answer = here.find(question(name), nowMs, TIMES)?.answer;
    return answer?.kind === 'certificates' ? answer.chain[0]![0] : undefined;
  };
  expect(['new', 'same', 'other'].map((name) => standing(name, 105_000))).toEqual([1, 1, 2]);
  expect(['new', 'same', 'other'].map((name) => standing(name, 115_000))).toEqual([1, 1, undefined]);
});
