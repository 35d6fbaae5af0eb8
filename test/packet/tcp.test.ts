import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { TCP_FLAG, TcpView } from '../../src/packet/tcp.ts';
import { ipv4, ipv6, tcpSegment, viewIp, viewTcp } from '../support/ip-bytes.ts';

const accepts = (packet: Uint8Array) => new TcpView().parse(viewIp(packet));
const TIMESTAMPS = [8, 10, 0x01, 0x02, 0x03, 0x04, 0, 0, 0, 9];
const MD5 = [19, 18, ...new Array<number>(16).fill(7)];
const AUTHENTICATION_OPTION = [29, 4, 1, 1];

it('literal header: ports, numbers, flags, window, data', () => {
  const tcp = Buffer.from('ca5a01bb' + 'fffffff0' + '80000001' + '5018' + '1000' + '0000' + '0000' + '1603', 'hex');
  expect(viewTcp(ipv4(tcp))).toMatchObject({
    srcPort: 0xca5a,
    dstPort: 443,
    seq: 0xfffffff0,
    ack: 0x80000001,
    flags: TCP_FLAG.psh | TCP_FLAG.ack,
    window: 0x1000,
    dataStart: 40,
    dataEnd: 42,
    dataLength: 2,
    hasTimestamps: false,
    hasSignature: false,
  });
});

it('`has` asks for any of the flags', () => {
  const view = viewTcp(ipv4(tcpSegment({ flags: TCP_FLAG.syn | TCP_FLAG.ack })));
  expect([view.has(TCP_FLAG.syn), view.has(TCP_FLAG.fin), view.has(TCP_FLAG.fin | TCP_FLAG.ack)]).toEqual([
    true,
    false,
    true,
  ]);
});

it('over IPv6 behind extension headers', () => {
  const view = viewTcp(ipv6(tcpSegment({ data: 'ab' }), [{ type: 60, rest: [0, 1, 4, 0, 0, 0, 0] }]));
  expect(view).toMatchObject({ dstPort: 443, dataLength: 2 });
});

describe('a header that does not fit', () => {
  it('is cut at any octet', () => {
    const whole = tcpSegment({ options: TIMESTAMPS });
    for (let length = 0; length < whole.length; length++) {
      expect(accepts(ipv4(whole.subarray(0, length))), `${length} octets`).toBe(false);
    }
    expect(accepts(ipv4(whole))).toBe(true);
  });

  it('claims fewer than 20 octets', () => {
    for (let words = 0; words < 5; words++) {
      const segment = tcpSegment();
      segment[12] = words << 4;
      expect(accepts(ipv4(segment))).toBe(false);
    }
  });

  it('claims more than there are', () => {
    const segment = tcpSegment({ data: 'abc' });
    segment[12] = 6 << 4;
    expect(accepts(ipv4(segment))).toBe(false);
  });
});

describe('options', () => {
  it('timestamps, aligned or not', () => {
    for (const padding of [[], [1], [1, 1], [1, 1, 1]]) {
      const view = viewTcp(ipv4(tcpSegment({ options: [...padding, ...TIMESTAMPS] })));
      expect(view).toMatchObject({ hasTimestamps: true, tsVal: 0x01020304 });
    }
  });

  it('timestamps of another length are not timestamps', () => {
    expect(viewTcp(ipv4(tcpSegment({ options: [8, 6, 0, 0, 0, 1] })))).toMatchObject({ hasTimestamps: false });
  });

  it('a signature, MD5 (RFC 2385) or TCP-AO (RFC 5925)', () => {
    expect(viewTcp(ipv4(tcpSegment({ options: MD5 }))).hasSignature).toBe(true);
    expect(viewTcp(ipv4(tcpSegment({ options: AUTHENTICATION_OPTION }))).hasSignature).toBe(true);
  });

  it('end where the end says, whatever follows', () => {
    const view = viewTcp(ipv4(tcpSegment({ options: [0, 19, 18, 0xff] })));
    expect(view).toMatchObject({ hasSignature: false, dataStart: 44 });
  });

  it('of unknown kinds are stepped over', () => {
    const view = viewTcp(ipv4(tcpSegment({ options: [2, 4, 5, 0xb4, 4, 2, 3, 3, 7, 253, 2, 1, ...TIMESTAMPS] })));
    expect(view).toMatchObject({ hasTimestamps: true, tsVal: 0x01020304 });
  });

  it('with a length of 0 or 1, or one that reaches into the data, spoil the header', () => {
    for (const options of [
      [2, 0, 0, 0],
      [2, 1, 0, 0],
      [1, 1, 1, 8],
      [1, 1, 2, 4],
      [8, 10, 0, 0],
      [254, 255, 0, 0],
    ]) {
      expect(accepts(ipv4(tcpSegment({ options, data: 'data that follows' })))).toBe(false);
    }
  });

  it('leave nothing behind for the next segment', () => {
    const view = new TcpView();
    view.parse(viewIp(ipv4(tcpSegment({ options: [...TIMESTAMPS, 1, 1] }))));
    view.parse(viewIp(ipv4(tcpSegment({ options: MD5 }))));
    expect(view).toMatchObject({ hasTimestamps: false, hasSignature: true });
    view.parse(viewIp(ipv4(tcpSegment())));
    expect(view).toMatchObject({ hasTimestamps: false, hasSignature: false });
  });
});

it('any octets: the data lies inside the packet or the header is refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const packet = ipv4(bytes);
      const view = new TcpView();
      if (!view.parse(viewIp(packet))) return;
      expect(view.dataStart).toBeGreaterThanOrEqual(40);
      expect(view.dataEnd).toBe(packet.length);
      expect(view.dataLength).toBeGreaterThanOrEqual(0);
    }),
  );
});
