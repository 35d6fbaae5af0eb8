import { describe, expect, it } from 'vitest';

import { IP, IpView } from '../../src/packet/ip.ts';
import { ipv4, ipv6, tcpSegment } from '../support/ip-bytes.ts';

const parse = (packet: Uint8Array, start = 0, end = packet.length) => {
  const ip = new IpView();
  return { outcome: ip.parse(packet, start, end), ip };
};

const HOP_BY_HOP = { type: 0, rest: [0, 1, 4, 0, 0, 0, 0] };
const ROUTING = { type: 43, rest: [2, 0, 0, 0, 0, 0, 0, ...new Array<number>(16).fill(0)] };
const DESTINATION = { type: 60, rest: [0, 1, 4, 0, 0, 0, 0] };
/** RFC 4302: the length counts words of four octets, less two. */
const AUTHENTICATION = { type: 51, rest: [4, 0, 0, 0, 0, 1, 0, 0, 0, 1, ...new Array<number>(12).fill(9), 0] };
const fragment = (offsetAndMore: number) => ({
  type: 44,
  rest: [0, offsetAndMore >> 8, offsetAndMore & 0xff, 1, 2, 3, 4],
});

describe('IPv4', () => {
  it('literal header: addresses, protocol, where the transport begins and the packet ends', () => {
    const packet = Buffer.from('4500002c12344000400600000a010203c6336407' + 'ca5a01bb'.padEnd(48, '0'), 'hex');
    const { outcome, ip } = parse(packet);
    expect(outcome).toBe(IP.ok);
    expect(ip).toMatchObject({ version: 4, protocol: 6, addresses: 12, addressLength: 4, transport: 20, end: 44 });
  });

  it('with options: the transport header follows them', () => {
    const { outcome, ip } = parse(ipv4(tcpSegment(), { options: [1, 1, 1, 0] }));
    expect(outcome).toBe(IP.ok);
    expect(ip.transport).toBe(24);
  });

  it('anywhere in a slab', () => {
    const packet = ipv4(tcpSegment({ data: 'x' }));
    const slab = Buffer.concat([Buffer.alloc(100, 0xee), packet, Buffer.alloc(50, 0xee)]);
    const { outcome, ip } = parse(slab, 100, 100 + packet.length);
    expect(outcome).toBe(IP.ok);
    expect(ip).toMatchObject({ start: 100, addresses: 112, transport: 120, end: 100 + packet.length });
  });

  it('octets behind the total length are padding of the link', () => {
    const packet = ipv4(tcpSegment());
    const { outcome, ip } = parse(Buffer.concat([packet, Buffer.alloc(6)]));
    expect(outcome).toBe(IP.ok);
    expect(ip.end).toBe(packet.length);
  });

  it('total length 0 is the whole packet: the device will fill it in', () => {
    const packet = ipv4(tcpSegment({ data: 'abc' }));
    packet.writeUInt16BE(0, 2);
    const { outcome, ip } = parse(packet);
    expect(outcome).toBe(IP.ok);
    expect(ip.end).toBe(packet.length);
  });

  it('a real fragment is one, first, middle or last; "do not fragment" is not', () => {
    expect(parse(ipv4(tcpSegment(), { fragment: 0x2000 })).outcome).toBe(IP.fragment);
    expect(parse(ipv4(tcpSegment(), { fragment: 0x2001 })).outcome).toBe(IP.fragment);
    expect(parse(ipv4(tcpSegment(), { fragment: 0x0001 })).outcome).toBe(IP.fragment);
    expect(parse(ipv4(tcpSegment(), { fragment: 0x0000 })).outcome).toBe(IP.ok);
    expect(parse(ipv4(tcpSegment(), { fragment: 0x4000 })).outcome).toBe(IP.ok);
    // The reserved bit says nothing of fragments (RFC 791 §3.1; RFC 3514 was not serious).
    expect(parse(ipv4(tcpSegment(), { fragment: 0x8000 })).outcome).toBe(IP.ok);
  });

  it('fewer octets than announced are a truncated packet, cut anywhere', () => {
    const packet = ipv4(tcpSegment({ data: 'hello' }));
    for (let length = 20; length < packet.length; length++) {
      expect(parse(packet, 0, length).outcome, `${length} octets`).toBe(IP.truncated);
    }
    for (let length = 0; length < 20; length++) {
      expect(parse(packet, 0, length).outcome, `${length} octets`).toBe(IP.malformed);
    }
  });

  it('a header shorter than 20 octets, or longer than the packet, is malformed', () => {
    const short = ipv4(tcpSegment());
    short[0] = 0x44;
    expect(parse(short).outcome).toBe(IP.malformed);
    const long = ipv4(Buffer.alloc(0), { protocol: 17 });
    long[0] = 0x4f;
    expect(parse(long).outcome).toBe(IP.malformed);
  });

  it('no other version has a header', () => {
    for (const version of [0, 1, 5, 7, 15]) {
      const packet = ipv4(tcpSegment());
      packet[0] = (version << 4) | 5;
      expect(parse(packet).outcome).toBe(IP.malformed);
    }
  });
});

describe('IPv6', () => {
  it('without extension headers', () => {
    const { outcome, ip } = parse(ipv6(tcpSegment({ data: 'x' })));
    expect(outcome).toBe(IP.ok);
    expect(ip).toMatchObject({ version: 6, protocol: 6, addresses: 8, addressLength: 16, transport: 40, end: 61 });
  });

  it('each extension header is stepped over by its own length', () => {
    const chain = [HOP_BY_HOP, ROUTING, DESTINATION, AUTHENTICATION];
    for (const header of chain) {
      const { outcome, ip } = parse(ipv6(tcpSegment(), [header]));
      expect(outcome, `header ${header.type}`).toBe(IP.ok);
      expect(ip).toMatchObject({ protocol: 6, transport: 41 + header.rest.length });
    }
    const all = parse(ipv6(tcpSegment(), chain));
    expect(all.outcome).toBe(IP.ok);
    expect(all.ip.transport).toBe(40 + chain.reduce((sum, { rest }) => sum + 1 + rest.length, 0));
  });

  it('an atomic fragment (RFC 6946) is a whole packet; one with an offset or with more to come is not', () => {
    expect(parse(ipv6(tcpSegment(), [fragment(0x0000)]))).toMatchObject({ outcome: IP.ok, ip: { transport: 48 } });
    expect(parse(ipv6(tcpSegment(), [fragment(0x0001)])).outcome).toBe(IP.fragment);
    expect(parse(ipv6(tcpSegment(), [fragment(0x0008)])).outcome).toBe(IP.fragment);
    expect(parse(ipv6(tcpSegment(), [DESTINATION, fragment(0x0009)])).outcome).toBe(IP.fragment);
    // Bits 1 and 2 are reserved.
    expect(parse(ipv6(tcpSegment(), [fragment(0x0006)])).outcome).toBe(IP.ok);
  });

  it('more extension headers than an honest sender uses are unknown ground', () => {
    const headers = (count: number) => new Array<typeof DESTINATION>(count).fill(DESTINATION);
    expect(parse(ipv6(tcpSegment(), headers(8))).outcome).toBe(IP.ok);
    expect(parse(ipv6(tcpSegment(), headers(9))).outcome).toBe(IP.unknownHeader);
    expect(parse(ipv6(tcpSegment(), headers(150))).outcome).toBe(IP.unknownHeader);
  });

  it('an extension header that reaches past the packet is malformed', () => {
    for (const length of [4, 0x7f, 0xff]) {
      const packet = ipv6(tcpSegment(), [{ type: 60, rest: [length, 1, 4, 0, 0, 0, 0] }]);
      expect(parse(packet).outcome).toBe(IP.malformed);
    }
    expect(parse(ipv6(Buffer.alloc(4), [], 60)).outcome).toBe(IP.malformed);
  });

  it('what is not an extension header is the protocol, known or not', () => {
    for (const protocol of [17, 50, 58, 59, 253]) {
      expect(parse(ipv6(Buffer.alloc(8), [], protocol))).toMatchObject({ outcome: IP.ok, ip: { protocol } });
    }
  });

  it('fewer octets than announced are a truncated packet', () => {
    const packet = ipv6(tcpSegment({ data: 'hello' }));
    for (let length = 40; length < packet.length; length++) {
      expect(parse(packet, 0, length).outcome).toBe(IP.truncated);
    }
    for (let length = 0; length < 40; length++) expect(parse(packet, 0, length).outcome).toBe(IP.malformed);
  });

  it('payload length 0 is the whole packet: too long for the field', () => {
    const packet = ipv6(tcpSegment({ data: 'abc' }));
    packet.writeUInt16BE(0, 4);
    expect(parse(packet)).toMatchObject({ outcome: IP.ok, ip: { end: packet.length } });
  });
});

it('one view serves packet after packet without a trace of the one before', () => {
  const ip = new IpView();
  const four = ipv4(tcpSegment(), { options: [1, 1, 1, 1] });
  const six = ipv6(tcpSegment());
  ip.parse(six, 0, six.length);
  ip.parse(four, 0, four.length);
  expect(ip).toMatchObject({ version: 4, addressLength: 4, addresses: 12, transport: 24, end: four.length });
});
