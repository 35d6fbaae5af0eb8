/** Packets that wait: how many may, which octets they cover, and how long they have. */
import { describe, expect, it } from 'vitest';

import { GateBench, segmentAt } from '../support/gate-bench.ts';

function holding(limits = {}) {
  const bench = new GateBench(limits);
  const { held } = bench;
  const hold = (start: number, end: number, time = 0) => held.hold(segmentAt(start, end, { time }), start, end);
  return { bench, held, hold };
}

describe('packets that wait', () => {
  it('are no more than a flow may have', () => {
    const { held, hold } = holding({ heldPackets: 2 });
    expect([hold(0, 10), hold(10, 20), hold(20, 30)]).toEqual([true, true, false]);
    expect([held.count, held.bytes, held.hasRoom]).toEqual([2, 20, false]);
  });

  it('cover what one of them has all of', () => {
    const { held, hold } = holding();
    hold(20, 50);
    const cases: [number, number][] = [
      [20, 50],
      [25, 30],
      [10, 30],
      [10, 60],
      [40, 60],
      [50, 60],
    ];
    expect(cases.map(([start, end]) => held.covers(start, end))).toEqual([true, true, false, false, false, false]);
  });

  it('are offered from the first of the stream on, and those that are not answered wait on', () => {
    const { held, hold, bench } = holding();
    hold(20, 30);
    hold(0, 10);
    hold(10, 20);
    const offered: number[] = [];
    held.offer(0, ({ start }) => offered.push(start) === 2);
    expect(offered).toEqual([0, 10, 20]);
    expect([held.count, held.bytes, bench.released]).toEqual([2, 20, [1]]);
  });

  it('are all taken in the order in which they came', () => {
    const { held, hold, bench } = holding();
    hold(10, 20);
    hold(0, 10);
    expect(held.takeAll(0).map(({ start }) => start)).toEqual([10, 0]);
    expect([held.count, held.bytes, bench.released]).toEqual([0, 0, [2]]);
  });

  it('are told of where there are any, and only then', () => {
    const { held, hold, bench } = holding();
    held.takeAll(0);
    held.offer(0, () => true);
    hold(0, 10);
    held.offer(0, () => false);
    expect(bench.released).toEqual([]);
  });
});

describe('how long packets wait', () => {
  it('counts from the first that does, until none does', () => {
    const { held, hold } = holding();
    hold(0, 10, 1000);
    hold(10, 20, 3000);
    held.takeAll(6000);
    expect(held.totalMicros).toBe(5000);
  });

  it('does not count while none waits', () => {
    const { held, hold } = holding();
    hold(0, 10, 1000);
    held.takeAll(2000);
    held.takeAll(9000);
    hold(10, 20, 20_000);
    held.offer(20_500, () => true);
    expect(held.totalMicros).toBe(1500);
  });

  it('counts once for those that wait on', () => {
    const { held, hold } = holding();
    hold(0, 10, 1000);
    held.offer(2000, () => false);
    held.takeAll(4000);
    expect(held.totalMicros).toBe(3000);
  });

  it('is never less than nothing', () => {
    const { held, hold } = holding();
    hold(0, 10, 1000);
    held.takeAll(0);
    expect(held.totalMicros).toBe(0);
  });
});
