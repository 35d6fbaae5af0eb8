import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { CausalOrder, type Waiting } from '../../../src/source/capture/causal-order.ts';
import { IpOutline } from '../../../src/source/capture/tunnel.ts';
import { ipv4, u16, u32 } from '../../support/capture-bytes.ts';

interface Segment {
  readonly name: string;
  readonly from: 'client' | 'server';
  readonly flags: string;
  readonly seq: number;
  readonly ack?: number;
  readonly length?: number;
}

const FLAGS: Readonly<Record<string, number>> = { F: 1, S: 2, R: 4, P: 8, A: 16 };
const ISS = 0xffff_fff0;
const segment = (
  name: string,
  from: 'client' | 'server',
  flags: string,
  seq: number,
  ack = 0,
  length = 0,
): Segment => ({
  name,
  from,
  flags,
  seq: (seq + (from === 'client' ? ISS : 7000)) >>> 0,
  ack: flags.includes('A') ? (ack + (from === 'client' ? 7000 : ISS)) >>> 0 : 0,
  length,
});

const HANDSHAKE = [
  segment('syn', 'client', 'S', 0),
  segment('syn-ack', 'server', 'SA', 0, 1),
  segment('ack', 'client', 'A', 1, 1),
  segment('hello', 'client', 'PA', 1, 1, 200),
  segment('flight', 'server', 'PA', 1, 201, 900),
  segment('finished', 'client', 'PA', 201, 901, 50),
  segment('data', 'server', 'PA', 901, 251, 300),
  segment('fin', 'server', 'FA', 1201, 251),
  segment('last', 'client', 'A', 251, 1202),
];

function packet({ from, flags, seq, ack = 0, length = 0 }: Segment): Buffer {
  const ports = from === 'client' ? [40_000, 443] : [443, 40_000];
  const bits = [...flags].reduce((sum, flag) => sum | FLAGS[flag]!, 0);
  const head = [u16(ports[0]!), u16(ports[1]!), u32(seq), u32(ack), Buffer.of(0x50, bits), Buffer.alloc(6)];
  const ip = ipv4(6, Buffer.concat([...head, Buffer.alloc(length)]));
  const [source, destination] = from === 'client' ? [12, 16] : [16, 12];
  ip.writeUInt32BE(0x0a000001, source);
  ip.writeUInt32BE(0x0a000002, destination);
  return ip;
}

/** Names in the order in which they go. */
function ordered(segments: readonly Segment[], second = (_: number) => 0): string[] {
  const went: string[] = [];
  const order = new CausalOrder(({ frame }: Waiting) => went.push(segments[frame]!.name));
  for (const [frame, each] of segments.entries()) {
    const bytes = packet(each);
    const ip = new IpOutline();
    ip.read(bytes, 0, bytes.length);
    if (order.mayGo(ip, bytes, bytes.length)) went.push(each.name);
    else order.keep({ bytes, originalLength: bytes.length, flags: 0, seconds: second(frame), micros: 0, frame });
    order.settle(frame, second(frame));
  }
  order.end();
  return went;
}

const names = (segments: readonly Segment[]) => segments.map(({ name }) => name);

describe('segments go', () => {
  it('as they come where they come in order', () => {
    expect(ordered(HANDSHAKE)).toEqual(names(HANDSHAKE));
  });

  it('behind what they answer, in whatever order they were captured', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(HANDSHAKE, { minLength: HANDSHAKE.length }), (shuffled) => {
        const went = ordered(shuffled);
        const at = (name: string) => went.indexOf(name);
        expect(went).toHaveLength(HANDSHAKE.length);
        for (const [before, behind] of [
          ['syn', 'syn-ack'],
          ['syn-ack', 'hello'],
          ['hello', 'flight'],
          ['flight', 'finished'],
          ['finished', 'data'],
          ['data', 'fin'],
          ['fin', 'last'],
        ] as const) {
          expect(at(before), went.join(' ')).toBeLessThan(at(behind));
        }
      }),
    );
  });

  it('each once, whatever is missing', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(HANDSHAKE), (some) => {
        expect(ordered(some).sort()).toEqual(names(some).sort());
      }),
    );
  });

  it('without what was never captured after a few frames', () => {
    const [, , , hello, flight] = HANDSHAKE;
    const other = (n: number) => ({ ...segment(`other ${n}`, 'client', 'S', 0), seq: n });
    const went = ordered([hello!, flight!, ...Array.from({ length: 40 }, (_, n) => other(n))]);
    expect(went.indexOf('hello')).toBeGreaterThan(25);
    expect(went.indexOf('hello')).toBeLessThan(35);
    expect(went.indexOf('flight')).toBe(went.indexOf('hello') + 1);
  });

  it('without it when a second has passed, too', () => {
    const [, , , hello] = HANDSHAKE;
    const other = { ...segment('other', 'client', 'S', 0), seq: 1 };
    expect(ordered([hello!, other, { ...other, name: 'later' }], (frame) => frame)).toEqual([
      'other',
      'later',
      'hello',
    ]);
  });
});
