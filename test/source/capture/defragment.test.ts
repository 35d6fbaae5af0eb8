import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { Defragmenter } from '../../../src/source/capture/defragment.ts';
import { IpOutline } from '../../../src/source/capture/tunnel.ts';
import { ipv4, ipv6, u16, u32 } from '../../support/capture-bytes.ts';

const WHOLE = Buffer.from(Array.from({ length: 100 }, (_, index) => index));

function v4(offset: number, octets: Buffer, more: boolean, id = 7): Buffer {
  return ipv4(6, octets, { id, fragment: (more ? 0x2000 : 0) | (offset / 8) });
}

function v6(offset: number, octets: Buffer, more: boolean, id = 7): Buffer {
  return ipv6(44, Buffer.concat([Buffer.from([6, 0]), u16(offset | (more ? 1 : 0)), u32(id), octets]));
}

function feed(table: Defragmenter, packets: readonly Buffer[], seconds = 0): Buffer[] {
  const whole: Buffer[] = [];
  for (const packet of packets) {
    const ip = new IpOutline();
    expect(ip.read(packet, 0, packet.length)).toBe(true);
    expect(ip.fragmented).toBe(true);
    const done = table.add(ip, packet, packet.length, seconds);
    if (done !== undefined) whole.push(done);
  }
  return whole;
}

const piece = (from: number, to: number): Buffer => WHOLE.subarray(from, to);

describe.each([
  ['IPv4', v4, 20],
  ['IPv6', v6, 40],
] as const)('%s', (name, fragment, header) => {
  const pieces = [
    fragment(0, piece(0, 24), true),
    fragment(24, piece(24, 64), true),
    fragment(64, piece(64, 100), false),
  ];

  test('fragments in any order, with exact duplicates, make the datagram once', () => {
    const orders = fc.shuffledSubarray([0, 1, 2, 0, 1, 2], { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(orders, (order) => {
        const whole = feed(
          new Defragmenter(),
          order.map((index) => pieces[index]!),
        );
        expect(whole.length).toBeGreaterThanOrEqual(1);
        for (const packet of whole) {
          expect(packet.subarray(header)).toEqual(WHOLE);
          const ip = new IpOutline();
          expect(ip.read(packet, 0, packet.length)).toBe(true);
          expect([ip.fragmented, ip.protocol, ip.payload, ip.end]).toEqual([false, 6, header, packet.length]);
        }
      }),
    );
  });

  test('datagrams with other identifications do not mix', () => {
    const table = new Defragmenter();
    expect(feed(table, [pieces[0]!, pieces[1]!, fragment(64, piece(64, 100), false, 8)])).toEqual([]);
    expect(feed(table, [pieces[2]!])).toHaveLength(1);
  });

  test('an overlap with other octets makes the whole datagram go', () => {
    const table = new Defragmenter();
    const conflict = fragment(16, Buffer.alloc(16, 0xee), true);
    expect(feed(table, [pieces[0]!, conflict, pieces[1]!, pieces[2]!, pieces[0]!])).toEqual([]);
    expect(table.discarded).toBe(1);
  });

  test('two last fragments that disagree make the whole datagram go', () => {
    const table = new Defragmenter();
    expect(feed(table, [pieces[2]!, fragment(64, piece(64, 90), false), pieces[0]!, pieces[1]!])).toEqual([]);
    expect(table.discarded).toBe(1);
  });

  test('a fragment past the last one makes the whole datagram go', () => {
    const table = new Defragmenter();
    expect(feed(table, [pieces[2]!, fragment(104, Buffer.alloc(8), true), pieces[0]!, pieces[1]!])).toEqual([]);
  });

  test('a fragment that ends past the largest datagram is ignored', () => {
    const table = new Defragmenter();
    expect(feed(table, [fragment(65_528, Buffer.alloc(32), false), ...pieces])).toHaveLength(1);
  });

  test('parts that waited longer than the kernel would keep them are forgotten', () => {
    const table = new Defragmenter();
    feed(table, pieces.slice(0, 2), 0);
    expect(feed(table, pieces.slice(2), 31)).toEqual([]);
    expect(table.discarded).toBe(1);
  });

  test('beyond 256 datagrams in the making the oldest goes', () => {
    const table = new Defragmenter();
    for (let id = 0; id < 257; id++) feed(table, [fragment(0, piece(0, 24), true, id)]);
    expect(table.discarded).toBe(1);
    const rest = (id: number): Buffer[] => [
      fragment(24, piece(24, 64), true, id),
      fragment(64, piece(64, 100), false, id),
    ];
    expect(feed(table, rest(1))).toHaveLength(1);
    expect(feed(table, rest(0))).toEqual([]);
  });

  test(`${name}: a fragment that the snap length cut is no part of the whole`, () => {
    const packet = pieces[0]!;
    const ip = new IpOutline();
    ip.read(packet, 0, packet.length);
    const table = new Defragmenter();
    expect(table.add(ip, packet, packet.length - 1, 0)).toBeUndefined();
    expect(feed(table, pieces.slice(1))).toEqual([]);
  });
});

test('IPv4: overlaps with the same octets are accepted', () => {
  const pieces = [v4(0, piece(0, 40), true), v4(24, piece(24, 72), true), v4(64, piece(64, 100), false)];
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [0, 2, 1],
  ]) {
    const whole = feed(
      new Defragmenter(),
      order.map((index) => pieces[index]!),
    );
    expect(whole.map((packet) => packet.subarray(20))).toEqual([WHOLE]);
  }
});

test('IPv6: overlaps with the same octets are not (RFC 5722)', () => {
  const pieces = [v6(0, piece(0, 40), true), v6(24, piece(24, 72), true), v6(64, piece(64, 100), false)];
  expect(feed(new Defragmenter(), pieces)).toEqual([]);
});

test('IPv4: the header checksum of the whole is right', () => {
  const [whole] = feed(new Defragmenter(), [v4(0, piece(0, 40), true), v4(40, piece(40, 100), false)]);
  let sum = 0;
  for (let at = 0; at < 20; at += 2) sum += whole!.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  expect(sum).toBe(0xffff);
});
