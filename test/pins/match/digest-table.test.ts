import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { DigestTable } from '../../../src/pins/match/digest-table.ts';

const hex = (octets: number, n: number) => n.toString(16).padStart(octets * 2, '0');

describe('a table of digests', () => {
  it.each([20, 32])('of %i octets holds what was put into it and nothing else, a digest of zeros too', (octets) => {
    const digests = fc.uint8Array({ minLength: octets, maxLength: octets }).map((d) => Buffer.from(d).toString('hex'));
    // Few values, so that they meet.
    const close = fc.nat(40).map((n) => hex(octets, n));
    const any = fc.array(fc.oneof(close, digests), { maxLength: 60 });
    fc.assert(
      fc.property(any, any, (listed, others) => {
        const table = DigestTable.build(octets, listed, listed.length);
        const known = new Set(listed);
        expect(table.data.count).toBe(known.size);
        for (const digest of [...listed, ...others]) expect(table.has(digest)).toBe(known.has(digest));
      }),
    );
  });

  it('is the same in another thread, in the same memory', () => {
    const listed = Array.from({ length: 1_000 }, (_, n) => hex(20, n * 7));
    const { data } = DigestTable.build(20, listed, listed.length);
    const there = new DigestTable(structuredClone(data));
    expect(listed.every((digest) => there.has(digest))).toBe(true);
    expect(there.has(hex(20, 1))).toBe(false);
    expect(there.data.memory.byteLength).toBe(data.memory.byteLength);
  });

  it.each([1_000, 43_690, 43_691, 100_000])('of %i entries takes 72 octets for each at the most', (count) => {
    const listed = Array.from({ length: count }, (_, n) => hex(20, n));
    const { memory } = DigestTable.build(20, listed, count).data;
    expect(memory.byteLength / count).toBeLessThanOrEqual(72);
  });

  it('does not hold what is no digest of its size', () => {
    const table = DigestTable.build(20, [hex(20, 0)], 1);
    for (const other of ['', hex(32, 0), hex(19, 0)]) expect(table.has(other)).toBe(false);
  });
});
