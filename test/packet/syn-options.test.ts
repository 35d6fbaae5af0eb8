/** SYNs and SYN/ACKs, literally: which of their options go on, and that nothing else of the packet changes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { tcpChecksumFits } from '../../src/packet/checksum.ts';
import { withPlainOptions } from '../../src/packet/syn-options.ts';
import { TCP_FLAG, TcpView } from '../../src/packet/tcp.ts';
import { ipv4, ipv6, onesComplement, tcpSegment, viewIp, viewTcp } from '../support/ip-bytes.ts';

const { syn, ack } = TCP_FLAG;
const NOP = 1;
const nops = (count: number): number[] => new Array<number>(count).fill(NOP);
const MSS = [2, 4, 0x05, 0xb4];
const SACK_PERMITTED = [4, 2];
const TIMESTAMPS = [8, 10, 1, 2, 3, 4, 0, 0, 0, 0];
const WINDOW_SCALE = [3, 3, 7];
const COOKIE = [34, 10, 1, 2, 3, 4, 5, 6, 7, 8];
/** RFC 8684 §3.1 and §3.2, of a SYN and of a SYN/ACK. */
const MULTIPATH = {
  'MP_CAPABLE of a SYN': [30, 4, 0x01, 0x81],
  'MP_CAPABLE of a SYN/ACK': [30, 12, 0x01, 0x81, 1, 2, 3, 4, 5, 6, 7, 8],
  'MP_CAPABLE of version 0': [30, 12, 0x00, 0x01, 1, 2, 3, 4, 5, 6, 7, 8],
  'MP_JOIN of a SYN': [30, 12, 0x10, 1, 9, 9, 9, 9, 7, 7, 7, 7],
  'MP_JOIN of a SYN/ACK': [30, 16, 0x10, 1, 1, 2, 3, 4, 5, 6, 7, 8, 7, 7, 7, 7],
};

const families = {
  IPv4: (segment: Buffer) => ipv4(segment),
  'IPv4 with options of its own': (segment: Buffer) => ipv4(segment, { options: [148, 4, 0, 0] }),
  IPv6: (segment: Buffer) => ipv6(segment),
  'IPv6 behind extension headers': (segment: Buffer) => ipv6(segment, [{ type: 60, rest: [0, 1, 4, 0, 0, 0, 0] }]),
};

/** The options that go on; undefined where the packet stays as it is. */
function goingOn(options: readonly number[], wrap = families.IPv4, flags: number = syn): number[] | undefined {
  const packet = wrap(tcpSegment({ flags, options, data: 'early' }));
  const out = withPlainOptions(viewIp(packet), viewTcp(packet));
  if (out === undefined) return undefined;
  const view = viewTcp(out);
  expect(tcpChecksumFits(viewIp(out))).toBe(true);
  expect(out.length).toBe(packet.length);
  const { start, dataStart } = view;
  // Everything but the options and the checksum is as it was.
  const rest = (octets: Uint8Array): Buffer => {
    const copy = Buffer.from(octets);
    copy.fill(0, start + 16, start + 18).fill(0, start + 20, dataStart);
    return copy;
  };
  expect(rest(out)).toEqual(rest(packet));
  return [...out.subarray(start + 20, dataStart)];
}

describe.each(Object.entries(families))('over %s', (_, wrap) => {
  it.each(Object.entries(MULTIPATH))('%s becomes NOPs', (_kind, option) => {
    const flags = option.length > 4 ? syn | ack : syn;
    expect(goingOn([...MSS, ...option, ...SACK_PERMITTED, NOP, NOP], wrap, flags)).toEqual([
      ...MSS,
      ...nops(option.length),
      ...SACK_PERMITTED,
      NOP,
      NOP,
    ]);
  });
});

it.each([
  ['what every system sends', [...MSS, ...SACK_PERMITTED, ...TIMESTAMPS, NOP, ...WINDOW_SCALE]],
  ['a cookie of Fast Open', [...MSS, NOP, NOP, ...COOKIE]],
  ['a signature, whose segments are refused by themselves', [19, 18, ...new Array<number>(16).fill(7), NOP, NOP]],
  ['no options', []],
  ['the end of the list, and padding', [...MSS, 0, 0, 0, 0]],
])('%s: the packet goes as it is', (_, options) => {
  expect(goingOn(options)).toBeUndefined();
});

it.each([
  ['TCP-ENO (RFC 8547), which encrypts the stream', [69, 4, 0x21, 0x22]],
  ['SMC-R (RFC 7609), which carries the octets by other means', [254, 6, 0xe2, 0xd4, 0xc3, 0xd9, NOP, NOP]],
  ['an alternate checksum (RFC 1146)', [14, 3, 1, NOP]],
  ['an experiment', [253, 4, 0x12, 0x34]],
  ['a number that nobody assigned', [200, 2, NOP, NOP]],
])('%s becomes NOPs', (_, options) => {
  expect(goingOn(options)).toEqual(nops(options.length));
});

it('of an option that is repeated none is left', () => {
  const join = MULTIPATH['MP_JOIN of a SYN'];
  expect(goingOn([30, 4, 1, 0x81, NOP, ...join, NOP, 30, 2])).toEqual([...nops(20)]);
});

it('behind the end of the list nothing is left for whoever reads on', () => {
  expect(goingOn([...MSS, 0, 30, 4, 1, 0x81, 0, 0, 0])).toEqual([...MSS, 0, 0, 0, 0, 0, 0, 0, 0]);
});

it('octets inside another option are that option’s', () => {
  expect(goingOn([8, 10, 30, 4, 1, 0x81, 30, 4, 1, 0x81, NOP, NOP])).toBeUndefined();
});

it('a packet whose checksum is still to be filled in has a whole one', () => {
  const packet = ipv4(tcpSegment({ flags: syn, options: [30, 4, 1, 0x81] }));
  packet.writeUInt16BE(0x1234, 36);
  const out = Buffer.from(withPlainOptions(viewIp(packet), viewTcp(packet))!);
  const pseudo = Buffer.concat([out.subarray(12, 20), Buffer.from([0, 6, 0, out.length - 20])]);
  expect(onesComplement(pseudo, out.subarray(20))).toBe(0);
});

it('any list whose lengths fit: what is left is known, in its place, and nothing is left to take', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (octets) => {
      const packet = ipv4(tcpSegment({ flags: syn, options: [...octets] }));
      if (!new TcpView().parse(viewIp(packet))) return;
      const out = withPlainOptions(viewIp(packet), viewTcp(packet));
      if (out === undefined) return;
      expect(new TcpView().parse(viewIp(out))).toBe(true);
      expect(withPlainOptions(viewIp(out), viewTcp(out))).toBeUndefined();
    }),
  );
});
