import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { tcpChecksumFits, writeIpv4Checksum, writeTcpChecksum } from '../../src/packet/checksum.ts';
import { ipv4, ipv6, tcpSegment, viewIp } from '../support/ip-bytes.ts';

const fits = (packet: Uint8Array) => tcpChecksumFits(viewIp(packet));

describe('the checksum of a TCP segment', () => {
  it('fits with data of odd and even length, over IPv4 and IPv6, behind options', () => {
    for (const data of ['', 'a', 'ab', 'abc']) {
      expect(fits(ipv4(tcpSegment({ data })))).toBe(true);
      expect(fits(ipv4(tcpSegment({ data, options: [1, 1, 1, 1] }), { options: [1, 1, 1, 1] }))).toBe(true);
      expect(fits(ipv6(tcpSegment({ data })))).toBe(true);
      expect(fits(ipv6(tcpSegment({ data }), [{ type: 60, rest: [0, 1, 4, 0, 0, 0, 0] }]))).toBe(true);
    }
  });

  it('no longer fits when any bit of the segment or of an address is turned', () => {
    for (const packet of [ipv4(tcpSegment({ data: 'abc' })), ipv6(tcpSegment({ data: 'abc' }))]) {
      const { addresses, addressLength, transport, end } = viewIp(packet);
      const covered = [
        ...Array.from({ length: 2 * addressLength }, (_, i) => addresses + i),
        ...Array.from({ length: end - transport }, (_, i) => transport + i),
      ];
      for (const at of covered) {
        const spoiled = Buffer.from(packet);
        spoiled[at]! ^= 0x10;
        expect(fits(spoiled), `octet ${at}`).toBe(false);
      }
    }
  });

  it('does not cover the padding behind the packet', () => {
    expect(fits(Buffer.concat([ipv4(tcpSegment({ data: 'abc' })), Buffer.alloc(5, 0xff)]))).toBe(true);
  });

  it('written is the one that a naive sum gives, for packets up to the largest', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(0, 60_000, 65_495), (data, more) => {
        const whole = Buffer.concat([data, Buffer.alloc(Math.max(0, more - data.length), 0xff)]);
        const packet = ipv4(tcpSegment({ data: whole }));
        const written = Buffer.from(packet);
        written.writeUInt16BE(0x1234, 36);
        writeTcpChecksum(written, 12, 4, 20);
        expect(written.readUInt16BE(36)).toBe(packet.readUInt16BE(36));
        expect(fits(packet)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

describe('the checksum of an IPv4 header', () => {
  it('is the one of the example in RFC 1071, as everyone computes it', () => {
    const header = Buffer.from('45000073000040004011' + '0000' + 'c0a80001c0a800c7', 'hex');
    writeIpv4Checksum(header, 0, 20);
    expect(header.readUInt16BE(10)).toBe(0xb861);
  });

  it('covers the options', () => {
    const packet = ipv4(tcpSegment(), { options: [7, 4, 4, 0] });
    const expected = packet.readUInt16BE(10);
    packet.writeUInt16BE(0xffff, 10);
    writeIpv4Checksum(packet, 0, 24);
    expect(packet.readUInt16BE(10)).toBe(expected);
  });
});
