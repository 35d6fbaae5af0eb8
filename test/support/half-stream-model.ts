/** The rules of a half-stream told by a map from offset to octet, and steps at random to hold both side by side. */
import fc from 'fast-check';

import { HalfStream, SEGMENT } from '../../src/tcp/half-stream.ts';
import { PAGE_SIZE, PagePool } from '../../src/tcp/page-pool.ts';
import { seqAdd } from '../../src/tcp/sequence.ts';

export const LIMITS = { outOfOrderBytes: 64, holes: 3 };

class Model {
  readonly known = new Map<number, number>();
  next = 0;
  acked = 0;
  received = 0;

  accept(offset: number, data: Uint8Array): number {
    const end = offset + data.length;
    if (end <= this.acked) return SEGMENT.stale;
    if (end > this.next + LIMITS.outOfOrderBytes && offset > this.next) return SEGMENT.refused;
    const at = (i: number) => (offset + i >= this.acked ? this.known.get(offset + i) : undefined);
    if (data.some((octet, i) => at(i) !== undefined && at(i) !== octet)) return SEGMENT.conflict;
    if (offset <= this.next && end <= this.next) return SEGMENT.duplicate;
    if (offset > this.next && data.every((_, i) => this.known.has(offset + i))) return SEGMENT.duplicate;
    const before = [...this.known.keys()];
    data.forEach((octet, i) => {
      if (offset + i >= this.next && !this.known.has(offset + i)) this.known.set(offset + i, octet);
    });
    if (offset > this.next && this.ranges() > LIMITS.holes && this.ranges() > this.#rangesOf(before)) {
      for (const key of [...this.known.keys()]) if (!before.includes(key)) this.known.delete(key);
      return SEGMENT.refused;
    }
    this.received += data.length;
    if (offset > this.next) return SEGMENT.stored;
    while (this.known.has(this.next)) this.next++;
    return SEGMENT.delivered;
  }

  ranges(): number {
    return this.#rangesOf([...this.known.keys()]);
  }

  #rangesOf(keys: readonly number[]): number {
    const ahead = new Set(keys.filter((key) => key >= this.next));
    return [...ahead].filter((key) => !ahead.has(key - 1)).length;
  }
}

export type StreamStep =
  { readonly offset: number; readonly length: number; readonly flip: number } | { readonly ack: number };

export const streamStep: fc.Arbitrary<StreamStep> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      offset: fc.integer({ min: -3, max: 120 }),
      length: fc.integer({ min: 1, max: 24 }),
      flip: fc.constant(-1),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      offset: fc.integer({ min: -3, max: 120 }),
      length: fc.integer({ min: 1, max: 24 }),
      flip: fc.nat(23),
    }),
  },
  { weight: 2, arbitrary: fc.record({ ack: fc.integer({ min: 0, max: 130 }) }) },
);
export const firstSeq = fc.constantFrom(0, 1, 1000, 0x7ffffff0, 0xfffffff0, 0xffffffff);
export const genuine = (offset: number) => (offset * 7 + 13) & 0xff;

/** Throws where stream and model disagree. */
export function compareWithModel(first: number, steps: readonly StreamStep[]): void {
  const half = new HalfStream(first, new PagePool(), LIMITS);
  const model = new Model();
  const delivered: number[] = [];
  for (const each of steps) {
    if ('ack' in each) {
      expect(half.acknowledge(seqAdd(first, each.ack)), each.ack <= model.next + 1);
      if (each.ack <= model.next + 1) model.acked = Math.max(model.acked, Math.min(each.ack, model.next));
    } else {
      const data = Uint8Array.from({ length: each.length }, (_, i) => genuine(each.offset + i));
      if (each.flip >= 0) data[each.flip % data.length]! ^= 0x80;
      const outcome = half.accept(seqAdd(first, each.offset), data, 0, data.length, (bytes, start, end) =>
        delivered.push(...bytes.subarray(start, end)),
      );
      expect(outcome, model.accept(each.offset, data));
    }
    expect([half.next, half.acked, half.gaps], [model.next, model.acked, model.ranges()]);
    expect(
      delivered,
      Array.from({ length: model.next }, (_, i) => model.known.get(i)),
    );
    const kept = model.next - model.acked + LIMITS.outOfOrderBytes;
    expect(half.bufferedBytes <= (Math.ceil(kept / PAGE_SIZE) + 1) * PAGE_SIZE, true);
    if (model.received === 0) expect(half.bufferedBytes, 0);
  }
}

function expect(actual: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${a} and not ${b}`);
}
