import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { PAGE_SIZE, PagePool, Pages } from '../../src/tcp/page-pool.ts';

const bytes = (length: number, first = 0) => Uint8Array.from({ length }, (_, i) => (first + i) & 0xff);

function readAll(pages: Pages, from: number, to: number): number[] {
  const out: number[] = [];
  pages.read(from, to, (piece, start, end) => out.push(...piece.subarray(start, end)));
  return out;
}

describe('pages', () => {
  it('hold octets at any offset, across their edges', () => {
    const pages = new Pages(new PagePool());
    const data = bytes(300);
    const offset = 3 * PAGE_SIZE - 100;
    pages.write(offset, data, 0, 300);
    expect(readAll(pages, offset, offset + 300)).toEqual([...data]);
    expect(pages.equals(offset, data, 0, 300)).toBe(true);
    expect(pages.equals(offset + 1, data, 1, 300)).toBe(true);
    expect(pages.equals(offset, data, 1, 300)).toBe(false);
  });

  it('cost memory for octets that came, not for offsets that were named', () => {
    const pages = new Pages(new PagePool());
    pages.write(1000 * PAGE_SIZE, bytes(10), 0, 10);
    expect(pages.size).toBe(PAGE_SIZE);
  });

  it('are given back once everything in them lies before the offset', () => {
    const pages = new Pages(new PagePool());
    pages.write(0, bytes(3 * PAGE_SIZE), 0, 3 * PAGE_SIZE);
    pages.releaseBefore(PAGE_SIZE - 1);
    expect(pages.size).toBe(3 * PAGE_SIZE);
    pages.releaseBefore(PAGE_SIZE);
    expect(pages.size).toBe(2 * PAGE_SIZE);
    expect(readAll(pages, PAGE_SIZE, PAGE_SIZE + 2)).toEqual([0, 1]);
    pages.releaseBefore(100 * PAGE_SIZE);
    expect(pages.size).toBe(0);
    pages.write(100 * PAGE_SIZE + 5, bytes(5), 0, 5);
    expect(readAll(pages, 100 * PAGE_SIZE + 5, 100 * PAGE_SIZE + 10)).toEqual([0, 1, 2, 3, 4]);
  });

  it('all go back at the end', () => {
    const pool = new PagePool();
    const pages = new Pages(pool);
    const page = pool.take();
    pool.give(page);
    pages.write(0, bytes(10), 0, 10);
    pages.releaseAll();
    expect(pages.size).toBe(0);
    expect(pool.take()).toBe(page);
  });

  it('the pool keeps no more free ones than it was told', () => {
    const pool = new PagePool(1);
    const [a, b] = [pool.take(), pool.take()];
    pool.give(a);
    pool.give(b);
    expect(pool.take()).toBe(a);
    expect(pool.take()).not.toBe(b);
  });
});

it('read what was written last, whatever the pieces', () => {
  const write = fc.tuple(fc.nat(3 * PAGE_SIZE), fc.uint8Array({ minLength: 1, maxLength: 64 }));
  fc.assert(
    fc.property(fc.array(write, { maxLength: 20 }), (writes) => {
      const pages = new Pages(new PagePool());
      const model = new Map<number, number>();
      for (const [offset, data] of writes) {
        pages.write(offset, data, 0, data.length);
        data.forEach((octet, i) => model.set(offset + i, octet));
      }
      for (const [offset, data] of writes) {
        const expected = Array.from(data, (_, i) => model.get(offset + i)!);
        expect(readAll(pages, offset, offset + data.length)).toEqual(expected);
        expect(pages.equals(offset, Uint8Array.from(expected), 0, expected.length)).toBe(true);
      }
    }),
  );
});
