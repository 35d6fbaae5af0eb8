import { expect, it } from 'vitest';

import { Stamps } from '../../../src/engine/guise/stamps.ts';

it('what is echoed is what the socket said, or what it said first of what left as one', () => {
  const stamps = new Stamps();
  const left = new Map<number, number>();
  let [own, said] = [0xffff_ffe0, 0xffff_fff8];
  let before = said;
  for (let step = 0; step < 500; step++) {
    own = (own + (step % 3)) >>> 0;
    said = (said + ((step * 7) % 5)) >>> 0;
    const out = stamps.leaving(own, said);
    expect((out - before) | 0).toBeGreaterThanOrEqual(0);
    before = out;
    if (!left.has(out)) left.set(out, own);
    expect(stamps.echoed(out)).toBe(left.get(out));
  }
});

it('another clock does not go back, and stands still while the socket’s does', () => {
  const stamps = new Stamps();
  expect([stamps.leaving(10, 500), stamps.leaving(11, 490), stamps.leaving(12, 501), stamps.leaving(12, 509)]).toEqual([
    500, 500, 501, 501,
  ]);
  expect([500, 501, 502, 499].map((said) => stamps.echoed(said))).toEqual([10, 12, 12, undefined]);
});

it('remembers so many, and takes an older one for what is left', () => {
  const stamps = new Stamps();
  for (let at = 0; at < 100; at++) stamps.leaving(at, 1_000 + at);
  expect(stamps.echoed(1_099)).toBe(99);
  expect(stamps.echoed(1_036)).toBe(36);
  expect(stamps.echoed(1_035)).toBeUndefined();
});
