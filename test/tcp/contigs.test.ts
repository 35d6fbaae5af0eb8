import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Contigs } from '../../src/tcp/contigs.ts';

const ranges = (contigs: Contigs) =>
  Array.from({ length: contigs.count }, (_, i) => [contigs.start(i), contigs.end(i)]);

function of(...list: readonly [number, number][]): Contigs {
  const contigs = new Contigs(8);
  for (const [start, end] of list) contigs.add(start, end);
  return contigs;
}

describe('ranges', () => {
  it('are sorted, whatever order they come in', () => {
    expect(ranges(of([50, 60], [10, 20], [30, 40]))).toEqual([
      [10, 20],
      [30, 40],
      [50, 60],
    ]);
  });

  it('that touch or overlap are one', () => {
    expect(ranges(of([10, 20], [20, 30]))).toEqual([[10, 30]]);
    expect(ranges(of([20, 30], [10, 20]))).toEqual([[10, 30]]);
    expect(ranges(of([10, 20], [15, 30]))).toEqual([[10, 30]]);
    expect(ranges(of([10, 20], [30, 40], [50, 60], [15, 55]))).toEqual([[10, 60]]);
    expect(ranges(of([10, 40], [20, 30]))).toEqual([[10, 40]]);
  });

  it('one too many is refused and changes nothing; one that fills a gap is not one too many', () => {
    const contigs = new Contigs(2);
    expect([contigs.add(10, 20), contigs.add(30, 40), contigs.add(50, 60)]).toEqual([true, true, false]);
    expect(ranges(contigs)).toEqual([
      [10, 20],
      [30, 40],
    ]);
    expect(contigs.add(20, 30)).toBe(true);
    expect(ranges(contigs)).toEqual([[10, 40]]);
    expect(contigs.add(50, 60)).toBe(true);
  });

  it('are taken from the front once the octets before them have come', () => {
    const contigs = of([10, 20], [30, 40], [50, 60]);
    expect(contigs.take(9)).toBe(9);
    expect(contigs.take(10)).toBe(20);
    expect(contigs.take(35)).toBe(40);
    expect(contigs.take(100)).toBe(100);
    expect(contigs.count).toBe(0);
  });
});

it('agrees with a set of octets', () => {
  const range = fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 20 }));
  fc.assert(
    fc.property(fc.array(range, { maxLength: 30 }), fc.nat(80), (list, next) => {
      const contigs = new Contigs(1000);
      const octets = new Set<number>();
      for (const [start, length] of list) {
        contigs.add(start, start + length);
        for (let at = start; at < start + length; at++) octets.add(at);
      }
      const present = [...octets].sort((a, b) => a - b);
      expect(ranges(contigs).flatMap(([a, b]) => Array.from({ length: b! - a! }, (_, i) => a! + i))).toEqual(present);
      for (let i = 1; i < contigs.count; i++) expect(contigs.start(i)).toBeGreaterThan(contigs.end(i - 1));
      let reached = next;
      const starts = ranges(contigs).filter(([start]) => start! <= next);
      for (const [, end] of starts) reached = Math.max(reached, end!);
      expect(contigs.take(next)).toBe(reached);
    }),
  );
});
