import { describe, expect, it } from 'vitest';

import { tcpChecksumFits } from '../../src/packet/checksum.ts';
import { copyHeaders, rewriteSegment, type Rewrite } from '../../src/packet/rewrite.ts';
import { TCP_FLAG } from '../../src/packet/tcp.ts';
import { ipv4, ipv6, onesComplement, tcpSegment, viewIp, viewTcp } from '../support/ip-bytes.ts';

const TIMESTAMPS = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8];
const DESTINATION_OPTIONS = { type: 60, rest: [0, 1, 4, 0, 0, 0, 0] };
const ALERT = Buffer.from('1503030002022a', 'hex');
const asAlert: Rewrite = { seq: 77, ack: 88, flags: TCP_FLAG.psh | TCP_FLAG.ack, payload: ALERT, keepOptions: true };
const asReset: Rewrite = {
  ...asAlert,
  flags: TCP_FLAG.rst | TCP_FLAG.ack,
  payload: Buffer.alloc(0),
  keepOptions: false,
};

function rewrite(packet: Uint8Array, as: Rewrite): Buffer {
  return Buffer.from(rewriteSegment(copyHeaders(viewIp(packet), viewTcp(packet)), as));
}

const segment = tcpSegment({ options: TIMESTAMPS, data: 'a server flight that is replaced', seq: 1, window: 0x1234 });
const packets = {
  IPv4: ipv4(segment),
  'IPv4 with options': ipv4(segment, { options: [148, 4, 0, 0] }),
  IPv6: ipv6(segment),
  'IPv6 with extension headers': ipv6(segment, [DESTINATION_OPTIONS]),
};

describe.each(Object.entries(packets))('%s', (_name, packet) => {
  it('as an alert: same endpoints, its own numbers and payload, its own options, checksums that verify', () => {
    const out = rewrite(packet, asAlert);
    expect(tcpChecksumFits(viewIp(out))).toBe(true);
    const view = viewTcp(out);
    expect(view).toMatchObject({ srcPort: 51514, dstPort: 443, seq: 77, ack: 88, flags: 0x18, window: 0x1234 });
    expect(view).toMatchObject({ hasTimestamps: true, tsVal: 0x01020304, dataLength: ALERT.length });
    expect(out.subarray(view.dataStart).equals(ALERT)).toBe(true);
  });

  it('as a reset: a bare header', () => {
    const out = rewrite(packet, asReset);
    expect(tcpChecksumFits(viewIp(out))).toBe(true);
    const { version, transport, end } = viewIp(out);
    expect(end - transport).toBe(20);
    expect(transport).toBe(version === 4 ? 20 : 40);
    expect(viewTcp(out)).toMatchObject({ flags: 0x14, dataLength: 0, hasTimestamps: false });
  });

  it('ends where its length field says', () => {
    const out = rewrite(packet, asAlert);
    expect(viewIp(out).end).toBe(out.length);
  });
});

it('the IPv4 header is a plain one of 20 octets and its checksum verifies', () => {
  const out = rewrite(packets['IPv4 with options'], asAlert);
  expect(out[0]).toBe(0x45);
  expect(onesComplement(out.subarray(0, 20))).toBe(0);
  expect(out.subarray(12, 20).equals(packets.IPv4.subarray(12, 20))).toBe(true);
});

it('extension headers go, and TCP follows the base header', () => {
  const out = rewrite(packets['IPv6 with extension headers'], asAlert);
  expect(out[6]).toBe(6);
  expect(out.readUInt16BE(4)).toBe(out.length - 40);
});

it('an urgent pointer goes with the data that it pointed into', () => {
  const urgent = tcpSegment({ flags: 0x38, data: 'abc' });
  urgent.writeUInt16BE(2, 18);
  expect(rewrite(ipv4(urgent), asAlert).readUInt16BE(20 + 18)).toBe(0);
});

it('headers are copies: the packet may go', () => {
  const packet = Buffer.from(packets.IPv4);
  const headers = copyHeaders(viewIp(packet), viewTcp(packet));
  packet.fill(0);
  expect(viewTcp(rewriteSegment(headers, asAlert)).dstPort).toBe(443);
});

it('a packet in the midst of a slab leaves no octet of its neighbours', () => {
  const slab = Buffer.concat([Buffer.alloc(64, 0xee), packets.IPv4, Buffer.alloc(64, 0xee)]);
  const ip = viewIp(packets.IPv4);
  ip.parse(slab, 64, 64 + packets.IPv4.length);
  const tcp = viewTcp(packets.IPv4);
  tcp.parse(ip);
  expect(Buffer.from(rewriteSegment(copyHeaders(ip, tcp), asAlert)).equals(rewrite(packets.IPv4, asAlert))).toBe(true);
});
