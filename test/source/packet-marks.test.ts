import fc from 'fast-check';
import { expect, test } from 'vitest';

import { PacketMarks } from '../../src/source/packet-marks.ts';

test('a mark is given back once', () => {
  const marks = new PacketMarks(4);
  marks.set(7, 0x60000001);
  expect(marks.take(7)).toBe(0x60000001);
  expect(marks.take(7)).toBeUndefined();
  expect(marks.size).toBe(0);
});

test('an id that is set again has the later mark', () => {
  const marks = new PacketMarks(4);
  marks.set(7, 1);
  marks.set(7, 2);
  expect(marks.size).toBe(1);
  expect(marks.take(7)).toBe(2);
});

test('it takes what it was made for, refuses far more, and finds every one of them', () => {
  const marks = new PacketMarks(100);
  let stored = 0;
  while (marks.set(stored + 1, stored)) stored++;
  expect(stored).toBeGreaterThanOrEqual(100);
  expect(stored).toBeLessThan(256);
  for (let id = 1; id <= stored; id++) expect(marks.take(id)).toBe(id - 1);
});

test('whatever is set and taken in whatever order, it answers like a Map', () => {
  // Few residues and large strides, so that probe sequences run into each other and around the end.
  const id = fc.tuple(fc.nat(5), fc.nat(6)).map(([low, high]) => (high * 64 + 60 + low) >>> 0 || 1);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), id, fc.nat(0xffffffff)), { maxLength: 200 }), (steps) => {
      const marks = new PacketMarks(32);
      const model = new Map<number, number>();
      for (const [set, packetId, mark] of steps) {
        if (set && model.size < 32) {
          expect(marks.set(packetId, mark)).toBe(true);
          model.set(packetId, mark);
        } else {
          expect(marks.take(packetId)).toBe(model.get(packetId));
          model.delete(packetId);
        }
        expect(marks.size).toBe(model.size);
      }
    }),
  );
});

test('ids wrap around 2^32', () => {
  const marks = new PacketMarks(4);
  for (const id of [0xfffffffe, 0xffffffff, 1, 2]) marks.set(id, id);
  for (const id of [0xffffffff, 2, 0xfffffffe, 1]) expect(marks.take(id)).toBe(id);
});
