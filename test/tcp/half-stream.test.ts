import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { HalfStream, SEGMENT } from '../../src/tcp/half-stream.ts';
import { PAGE_SIZE, PagePool } from '../../src/tcp/page-pool.ts';
import { seqAdd } from '../../src/tcp/sequence.ts';
import { compareWithModel, firstSeq, genuine, LIMITS, streamStep } from '../support/half-stream-model.ts';

/** A half-stream that writes down what it delivers. */
class Recorded {
  readonly stream: HalfStream;
  delivered = '';
  readonly first: number;

  constructor(first = 1000, limits = LIMITS) {
    this.first = first;
    this.stream = new HalfStream(first, new PagePool(), limits);
  }

  /** `text` as the octets from `offset` on. */
  segment(offset: number, text: string): number {
    const data = Buffer.from(`##${text}##`, 'latin1');
    return this.stream.accept(seqAdd(this.first, offset), data, 2, 2 + text.length, (bytes, start, end) => {
      this.delivered += Buffer.from(bytes.subarray(start, end)).toString('latin1');
    });
  }

  acknowledge(offset: number): boolean {
    return this.stream.acknowledge(seqAdd(this.first, offset));
  }
}

describe('a segment', () => {
  it('in order is delivered at once', () => {
    const half = new Recorded();
    expect(half.segment(0, 'abc')).toBe(SEGMENT.delivered);
    expect(half.segment(3, 'def')).toBe(SEGMENT.delivered);
    expect(half.delivered).toBe('abcdef');
    expect(half.stream.next).toBe(6);
  });

  it('behind a gap is kept, and delivered with the one that closes the gap', () => {
    const half = new Recorded();
    expect(half.segment(6, 'ghi')).toBe(SEGMENT.stored);
    expect(half.segment(3, 'def')).toBe(SEGMENT.stored);
    expect(half.delivered).toBe('');
    expect(half.segment(0, 'abc')).toBe(SEGMENT.delivered);
    expect(half.delivered).toBe('abcdefghi');
    expect([half.stream.next, half.stream.gaps]).toEqual([9, 0]);
  });

  it('repeated is a duplicate, whether delivered or kept', () => {
    const half = new Recorded();
    half.segment(0, 'abc');
    half.segment(5, 'fgh');
    expect(half.segment(0, 'abc')).toBe(SEGMENT.duplicate);
    expect(half.segment(1, 'b')).toBe(SEGMENT.duplicate);
    expect(half.segment(5, 'fgh')).toBe(SEGMENT.duplicate);
    expect(half.segment(6, 'g')).toBe(SEGMENT.duplicate);
    expect(half.delivered).toBe('abc');
  });

  it('that overlaps with the same octets adds what is new', () => {
    const half = new Recorded();
    half.segment(0, 'abc');
    expect(half.segment(1, 'bcde')).toBe(SEGMENT.delivered);
    half.segment(7, 'hi');
    expect(half.segment(4, 'efghij')).toBe(SEGMENT.delivered);
    expect(half.delivered).toBe('abcdefghij');
  });

  it('that begins before the stream is compared and delivered from its first octet on', () => {
    const half = new Recorded();
    // A keep-alive probe: one octet before the next.
    expect(half.segment(-1, '?')).toBe(SEGMENT.stale);
    expect(half.segment(-2, '??ab')).toBe(SEGMENT.delivered);
    expect(half.delivered).toBe('ab');
  });
});

describe('another value for an octet', () => {
  it('that was delivered is a conflict, and nothing of the segment is taken', () => {
    const half = new Recorded();
    half.segment(0, 'abc');
    expect(half.segment(2, 'Xde')).toBe(SEGMENT.conflict);
    expect(half.segment(0, 'Abcdef')).toBe(SEGMENT.conflict);
    expect(half.delivered).toBe('abc');
    expect(half.segment(2, 'cde')).toBe(SEGMENT.delivered);
    expect(half.delivered).toBe('abcde');
  });

  it('that is kept behind a gap is a conflict', () => {
    const half = new Recorded();
    half.segment(3, 'def');
    expect(half.segment(5, 'Xgh')).toBe(SEGMENT.conflict);
    expect(half.segment(0, 'abcX')).toBe(SEGMENT.conflict);
    expect(half.segment(0, 'abcdeX')).toBe(SEGMENT.conflict);
    expect(half.delivered).toBe('');
    half.segment(0, 'abc');
    expect(half.delivered).toBe('abcdef');
  });

  it('that the peer has acknowledged is stale where nothing else is new, and is not compared where something is', () => {
    const half = new Recorded();
    half.segment(0, 'abcdef');
    expect(half.acknowledge(3)).toBe(true);
    expect(half.segment(0, 'XXX')).toBe(SEGMENT.stale);
    expect(half.segment(0, 'XXXd')).toBe(SEGMENT.duplicate);
    expect(half.segment(0, 'XXXX')).toBe(SEGMENT.conflict);
    expect(half.segment(0, 'XXXdefg')).toBe(SEGMENT.delivered);
    expect(half.delivered).toBe('abcdefg');
  });

  it('past where octets matter is no conflict', () => {
    const half = new Recorded();
    half.segment(0, 'abcdef');
    half.stream.keepUntil(3);
    expect(half.segment(3, 'XXX')).toBe(SEGMENT.duplicate);
    expect(half.segment(2, 'XXX')).toBe(SEGMENT.conflict);
  });
});

describe('acknowledgments', () => {
  it('of octets that never came by are refused; a FIN takes one number more', () => {
    const half = new Recorded();
    half.segment(0, 'abc');
    expect(half.acknowledge(4)).toBe(true);
    expect(half.stream.acked).toBe(3);
    expect(half.acknowledge(5)).toBe(false);
    expect(half.stream.acked).toBe(3);
  });

  it('of octets behind a gap count for nothing', () => {
    const half = new Recorded();
    half.segment(3, 'def');
    expect(half.acknowledge(6)).toBe(false);
    expect(half.stream.acked).toBe(0);
  });

  it('that are old move nothing', () => {
    const half = new Recorded();
    half.segment(0, 'abcdef');
    half.acknowledge(4);
    expect(half.acknowledge(2)).toBe(true);
    expect(half.stream.acked).toBe(4);
  });

  it('give memory back', () => {
    const half = new Recorded(1, { outOfOrderBytes: 65_536, holes: 4 });
    for (let i = 0; i < 8; i++) half.segment(i * PAGE_SIZE, 'x'.repeat(PAGE_SIZE));
    expect(half.stream.bufferedBytes).toBe(8 * PAGE_SIZE);
    half.acknowledge(6 * PAGE_SIZE);
    expect(half.stream.bufferedBytes).toBe(2 * PAGE_SIZE);
    half.stream.release();
    expect(half.stream.bufferedBytes).toBe(0);
  });
});

describe('limits', () => {
  it('further ahead than is kept: refused, and no octet is taken', () => {
    const half = new Recorded();
    expect(half.segment(1, 'x'.repeat(63))).toBe(SEGMENT.stored);
    expect(half.segment(60, 'x'.repeat(5))).toBe(SEGMENT.refused);
    expect(half.segment(1_000_000, 'y')).toBe(SEGMENT.refused);
    expect(half.stream.bufferedBytes).toBe(PAGE_SIZE);
  });

  it('in order there is no limit here: those are delivered', () => {
    const half = new Recorded();
    expect(half.segment(0, 'x'.repeat(1000))).toBe(SEGMENT.delivered);
  });

  it('one gap too many: refused; the one that closes a gap is taken', () => {
    const half = new Recorded();
    for (const at of [2, 4, 6]) expect(half.segment(at, 'x')).toBe(SEGMENT.stored);
    expect(half.segment(8, 'x')).toBe(SEGMENT.refused);
    expect(half.segment(3, 'x')).toBe(SEGMENT.stored);
    expect(half.segment(8, 'x')).toBe(SEGMENT.stored);
    expect(half.segment(0, 'xx')).toBe(SEGMENT.delivered);
    expect(half.delivered).toBe('xxxxx');
  });
});

describe('where the next octet would be', () => {
  it('if a segment came that closes a gap, without taking it', () => {
    const half = new Recorded();
    half.segment(3, 'def');
    half.segment(8, 'ij');
    expect(half.stream.nextAfter(0, 2)).toBe(2);
    expect(half.stream.nextAfter(0, 3)).toBe(6);
    expect(half.stream.nextAfter(0, 8)).toBe(10);
    expect(half.stream.nextAfter(1, 3)).toBe(0);
    expect(half.stream.next).toBe(0);
  });
});

describe('octets that nobody captured', () => {
  it('are skipped, and what waits behind them is delivered', () => {
    const half = new Recorded();
    half.segment(0, 'abc');
    half.segment(6, 'ghi');
    expect(half.stream.firstStored).toBe(6);
    half.stream.skipTo(half.stream.seqOf(6));
    half.stream.resume((bytes, start, end) => {
      half.delivered += Buffer.from(bytes.subarray(start, end)).toString('latin1');
    });
    expect(half.delivered).toBe('abcghi');
    expect(half.stream.firstStored).toBeUndefined();
  });

  it('that come after all are too late, and no conflict', () => {
    const half = new Recorded();
    half.segment(0, 'abc');
    half.stream.skipTo(half.stream.seqOf(6));
    expect(half.segment(3, 'def')).toBe(SEGMENT.stale);
    expect(half.segment(3, 'defghi')).toBe(SEGMENT.delivered);
    expect(half.delivered).toBe('abcghi');
  });
});

it('any segmentation, order and duplication, with conflicts and acknowledgments between: as the model says', () => {
  fc.assert(fc.property(firstSeq, fc.array(streamStep, { maxLength: 60 }), compareWithModel), { numRuns: 400 });
});

it('every octet exactly once, in order, whatever segments bring it', () => {
  const wide = { outOfOrderBytes: 10_000, holes: 1000 };
  const cut = fc.array(fc.tuple(fc.nat(400), fc.integer({ min: 1, max: 90 })), { maxLength: 80 });
  fc.assert(
    fc.property(firstSeq, cut, (first, segments) => {
      const length = 500;
      const half = new HalfStream(first, new PagePool(), wide);
      const delivered: number[] = [];
      const all: [number, number][] = [
        ...segments,
        ...Array.from({ length: 10 }, (_, i): [number, number] => [i * 50, 50]),
      ];
      for (const [offset, size] of all) {
        const data = Uint8Array.from({ length: Math.min(size, length - offset) }, (_, i) => genuine(offset + i));
        half.accept(seqAdd(first, offset), data, 0, data.length, (bytes, start, end) =>
          delivered.push(...bytes.subarray(start, end)),
        );
      }
      expect(delivered).toEqual(Array.from({ length }, (_, i) => genuine(i)));
      expect(half.gaps).toBe(0);
    }),
  );
});
