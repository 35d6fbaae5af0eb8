import { describe, expect, it } from 'vitest';

import { udpChecksumFits, writeUdpChecksum } from '../../src/packet/checksum.ts';
import { emptyDatagram } from '../../src/packet/rewrite.ts';
import { UdpView } from '../../src/packet/udp.ts';
import { ipv4, ipv6, viewIp } from '../support/ip-bytes.ts';

const datagram = (length: number, data = 'data') =>
  Buffer.concat([Buffer.of(0xc9, 0x3a, 0x01, 0xbb, length >> 8, length & 0xff, 0, 0), Buffer.from(data)]);
const carriers = {
  IPv4: (octets: Buffer) => ipv4(octets, { protocol: 17, options: [1, 1, 1, 1] }),
  IPv6: (octets: Buffer) => ipv6(octets, [], 17),
};

describe.each(Object.entries(carriers))('a datagram over %s', (_, carry) => {
  const view = (octets: Buffer) => {
    const udp = new UdpView();
    return { udp, isRead: udp.parse(viewIp(carry(octets))) };
  };
  const data = ({ bytes, dataStart, dataEnd }: UdpView) => Buffer.from(bytes.subarray(dataStart, dataEnd)).toString();

  it('has its ports and its data', () => {
    const { udp, isRead } = view(datagram(12));
    expect(isRead).toBe(true);
    expect([udp.srcPort, udp.dstPort, data(udp)]).toEqual([51514, 443, 'data']);
  });

  it('ends where it says: what lies behind is nobody’s', () => {
    expect(data(view(datagram(10)).udp)).toBe('da');
  });

  it('without a length ends with the packet', () => {
    expect(data(view(datagram(0)).udp)).toBe('data');
  });

  it.each([1, 7, 13, 0xffff])('with a length of %d is refused', (length) => {
    expect(view(datagram(length)).isRead).toBe(false);
  });

  it('that is shorter than its header is refused', () => {
    for (let length = 0; length < 8; length++) expect(view(datagram(12).subarray(0, length)).isRead).toBe(false);
  });

  it('has a checksum that fits, and does not when any bit is turned', () => {
    const packet = carry(datagram(12));
    const ip = viewIp(packet);
    writeUdpChecksum(packet, ip.addresses, ip.addressLength, ip.transport);
    const fits = (octets: Buffer) => {
      const udp = new UdpView();
      const at = viewIp(octets);
      return udp.parse(at) && udpChecksumFits(at, udp);
    };
    expect(fits(packet)).toBe(true);
    for (let bit = ip.transport * 8; bit < packet.length * 8; bit++) {
      const turned = Buffer.from(packet);
      turned[bit >> 3]! ^= 0x80 >> (bit & 7);
      expect(fits(turned), `bit ${bit}`).toBe(false);
    }
  });

  it('without its data has right lengths and checksums', () => {
    const ip = viewIp(carry(datagram(12)));
    const udp = new UdpView();
    udp.parse(ip);
    const left = viewIp(emptyDatagram(ip, udp));
    const emptied = new UdpView();
    expect(emptied.parse(left)).toBe(true);
    expect([emptied.srcPort, emptied.dstPort, emptied.dataLength]).toEqual([51514, 443, 0]);
    expect(left.end).toBe(left.bytes.length);
    expect(emptied.bytes[emptied.start + 6]! | emptied.bytes[emptied.start + 7]!).not.toBe(0);
    expect(udpChecksumFits(left, emptied)).toBe(true);
  });
});

it('RFC 768: over IPv4 a checksum may be left out, over IPv6 not', () => {
  const fits = (packet: Buffer) => {
    const udp = new UdpView();
    const ip = viewIp(packet);
    udp.parse(ip);
    return udpChecksumFits(ip, udp);
  };
  expect(fits(carriers.IPv4(datagram(12)))).toBe(true);
  expect(fits(carriers.IPv6(datagram(12)))).toBe(false);
});
