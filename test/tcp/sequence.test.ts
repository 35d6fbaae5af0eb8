import fc from 'fast-check';
import { expect, it } from 'vitest';

import { seqAdd, seqDiff } from '../../src/tcp/sequence.ts';

it('literal differences across the wrap', () => {
  expect(seqDiff(0x00000010, 0xfffffff0)).toBe(0x20);
  expect(seqDiff(0xfffffff0, 0x00000010)).toBe(-0x20);
  expect(seqDiff(0x7fffffff, 0)).toBe(0x7fffffff);
  expect(seqDiff(0x80000000, 0)).toBe(-0x80000000);
  expect(seqAdd(0xfffffff0, 0x20)).toBe(0x10);
  expect(seqAdd(0x10, -0x20)).toBe(0xfffffff0);
});

it('what is added is the difference, wherever it begins', () => {
  const seq = fc.integer({ min: 0, max: 0xffffffff });
  fc.assert(
    fc.property(seq, fc.integer({ min: -0x7fffffff, max: 0x7fffffff }), (a, n) => {
      expect(seqDiff(seqAdd(a, n), a)).toBe(n);
      expect(seqAdd(a, n)).toBeGreaterThanOrEqual(0);
    }),
  );
});
