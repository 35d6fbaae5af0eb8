import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { ByteReader } from '../../src/bytes/reader.ts';

const reader = (...octets: number[]) => new ByteReader(Uint8Array.from(octets));

describe('numbers', () => {
  it('are big-endian and unsigned', () => {
    const r = reader(0xff, 0x01, 0x02, 0xff, 0xfe, 0xfd, 0xff, 0xff, 0xff, 0xfe);
    expect([r.u8(), r.u16(), r.u24(), r.u32()]).toEqual([0xff, 0x0102, 0xfffefd, 0xfffffffe]);
    expect(r.atEnd()).toBe(true);
  });

  it('begin where the reader does and end where it ends, not where the bytes do', () => {
    const r = new ByteReader(Uint8Array.of(9, 1, 2, 9), 1, 3);
    expect(r.u16()).toBe(0x0102);
    expect(r.u8()).toBe(0);
    expect(r.ok).toBe(false);
  });
});

describe('after an overrun', () => {
  it('every read yields nothing, though octets are left', () => {
    const r = reader(1, 2, 3);
    expect(r.u32()).toBe(0);
    expect([r.ok, r.u8(), r.u16(), r.u24(), r.span(1).length, r.rest().length]).toEqual([false, 0, 0, 0, 0, 0]);
    expect([r.more(), r.atEnd(), r.sub(1).ok, r.vector8().ok]).toEqual([false, false, false, false]);
  });

  it('the offset stays where the overrun happened', () => {
    const r = reader(1, 2, 3);
    r.u16();
    r.u16();
    r.u8();
    expect(r.at).toBe(2);
  });

  it('a negative length is one', () => {
    const r = reader(1, 2);
    r.skip(-1);
    expect(r.ok).toBe(false);
  });
});

describe('vectors', () => {
  it('hold their length and cannot be escaped', () => {
    const r = reader(2, 0xaa, 0xbb, 0xcc);
    const vector = r.vector8();
    expect(vector.u16()).toBe(0xaabb);
    expect(vector.u8()).toBe(0);
    expect(vector.ok).toBe(false);
    expect(r.ok).toBe(true);
    expect(r.u8()).toBe(0xcc);
  });

  it('of 16 and 24 bits of length', () => {
    expect([...reader(0, 1, 7).vector16().rest()]).toEqual([7]);
    expect([...reader(0, 0, 1, 7).vector24().rest()]).toEqual([7]);
  });

  it('that are empty are at their end at once', () => {
    const vector = reader(0).vector8();
    expect([vector.more(), vector.atEnd()]).toEqual([false, true]);
  });

  it('longer than what is there spoil the reader they came from', () => {
    const r = reader(3, 1, 2);
    expect(r.vector8().ok).toBe(false);
    expect(r.ok).toBe(false);
  });

  it('with a promised length cost nothing that was not received', () => {
    const r = reader(0xff, 0xff, 0xff, 1);
    expect(r.vector24().rest().length).toBe(0);
  });
});

describe('spans', () => {
  it('are views of the bytes, not copies', () => {
    const bytes = Uint8Array.of(1, 2, 3);
    const span = new ByteReader(bytes).span(2);
    bytes[0] = 9;
    expect(span[0]).toBe(9);
  });
});

it('reads what any sequence of reads says it reads, and never an octet beyond its end', () => {
  const read = fc.constantFrom('u8', 'u16', 'u24', 'u32', 'vector8', 'vector16', 'vector24', 'skip3');
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(40),
      fc.array(read, { maxLength: 20 }),
      (bytes, cut, reads) => {
        const end = Math.min(cut, bytes.length);
        const guarded = Uint8Array.from([...bytes.subarray(0, end), ...new Array<number>(8).fill(0xee)]);
        const bounded = new ByteReader(guarded, 0, end);
        const exact = new ByteReader(bytes.subarray(0, end));
        const run = (r: ByteReader) =>
          reads.map((name) => {
            if (name === 'skip3') return r.skip(3);
            return name.startsWith('vector') ? [...r[name as 'vector8']().rest()] : r[name as 'u8']();
          });
        expect(run(bounded)).toEqual(run(exact));
        expect(bounded.at).toBeLessThanOrEqual(end);
        expect([bounded.ok, bounded.at]).toEqual([exact.ok, exact.at]);
      },
    ),
  );
});
