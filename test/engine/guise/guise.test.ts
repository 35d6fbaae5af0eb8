/** Packets of a Linux gateway's probes in the guise of other systems, octet by octet, and back. */
import { describe, expect, it } from 'vitest';

import { ClientTcp } from '../../../src/engine/guise/client-tcp.ts';
import { Guise } from '../../../src/engine/guise/guise.ts';
import { readSynShape } from '../../../src/engine/guise/syn-shape.ts';
import { tcpChecksumFits, writeIpv4Checksum } from '../../../src/packet/checksum.ts';
import { TCP_FLAG } from '../../../src/packet/tcp.ts';
import { ipv4, ipv6, tcpSegment, type TcpFields, viewIp, viewTcp } from '../../support/ip-bytes.ts';

const { syn, ack, psh } = TCP_FLAG;
const [ECE, CWR] = [0x40, 0x80];
const octets = (text: string) => [...Buffer.from(text.replaceAll(' ', ''), 'hex')];
const u32 = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
const stamps = (value: number, echo: number) => [1, 1, 8, 10, ...u32(value), ...u32(echo)];

const WINDOWS = octets('02 04 05b4 01 03 03 08 01 01 04 02');
const MACOS = octets('02 04 05b4 01 03 03 06 01 01 08 0a 00000500 00000000 04 02 00 00');
const LINUX = octets('02 04 05b4 04 02 08 0a 00000500 00000000 01 03 03 07');
/** The gateway's. */
const OWN = octets('02 04 05b4 04 02 08 0a 00009000 00000000 01 03 03 07');

/** Its traffic class, and the identification and flags of IPv4. */
function packet(fields: TcpFields, { traffic = 0, id = 0x1111, df = true, version = 4 } = {}): Buffer {
  const out = version === 4 ? ipv4(tcpSegment(fields), { fragment: df ? 0x4000 : 0 }) : ipv6(tcpSegment(fields));
  if (version === 4) {
    out[1] = traffic;
    out.writeUInt16BE(id, 4);
    writeIpv4Checksum(out, 0, 20);
  } else {
    out[0] = 0x60 | (traffic >> 4);
    out.writeUIntBE(((traffic & 0xf) << 20) | id, 1, 3);
  }
  return out;
}

const headers = (bytes: Uint8Array) => ({ ip: viewIp(bytes), tcp: viewTcp(bytes) });

/** A client with this SYN, which came at 0; identifications of all its connections are counted from `latest`. */
function client(bytes: Uint8Array, latest = -1, tickBegun = 0): ClientTcp {
  const { ip, tcp } = headers(bytes);
  return new ClientTcp(readSynShape(ip, tcp)!, { latest }, 0, tickBegun);
}

function seen(tcp: ClientTcp, bytes: Uint8Array, now: number): void {
  const view = headers(bytes);
  tcp.onPacket(view.ip, view.tcp, now);
}

const ownSyn = (fields: TcpFields = {}, ip = {}) =>
  packet({ srcPort: 40_000, seq: 0x0a0b0c0d, ack: 0, flags: syn, window: 64_240, options: OWN, ...fields }, ip);

function guiseOf(tcp: ClientTcp, bytes = ownSyn(), stillFor = 0): Guise {
  return Guise.of(tcp, headers(bytes), stillFor)!;
}

/** Without checksums, which are held to fit. */
function shown(bytes: Uint8Array): string {
  expect(tcpChecksumFits(viewIp(bytes))).toBe(true);
  const out = Buffer.from(bytes);
  const transport = viewTcp(bytes).start;
  if (out[0]! >> 4 === 4) {
    let sum = 0;
    for (let at = 0; at < 20; at += 2) sum += out.readUInt16BE(at);
    expect((sum & 0xffff) + (sum >> 16)).toBe(0xffff);
    out.fill(0, 10, 12);
  }
  out.fill(0, transport + 16, transport + 18);
  return out.toString('hex');
}

const ENDS = '0a010203 c6336407';
const hex = (text: string) => text.replaceAll(' ', '').replaceAll('\n', '');

describe('a SYN', () => {
  it('of Windows: no timestamps, its own order and scale, a packet number of its own count', () => {
    const windows = packet({ flags: syn, window: 64_240, options: WINDOWS }, { id: 0x2005 });
    const out = guiseOf(client(windows, 0x2001)).leaving(headers(ownSyn()), 3_000);
    expect(shown(out)).toBe(
      hex(`45 00 0034 2006 4000 40 06 0000 ${ENDS}
           9c40 01bb 0a0b0c0d 00000000 80 02 faf0 0000 0000 020405b4 0103030801010402`),
    );
  });

  it('of macOS: ECN asked for, an end of its options, no packet numbers, its clock', () => {
    const mac = packet({ flags: syn | ECE | CWR, window: 65_535, options: MACOS }, { id: 0, traffic: 0 });
    const out = guiseOf(client(mac)).leaving(headers(ownSyn()), 3_000);
    expect(shown(out)).toBe(
      hex(`45 00 0040 0000 4000 40 06 0000 ${ENDS}
           9c40 01bb 0a0b0c0d 00000000 b0 c2 ffff 0000 0000 020405b4 01030306 0101080a 00000503 00000000 04020000`),
    );
  });

  it('of Linux, which is the gateway’s: another window, service and clock, and the socket’s own number', () => {
    const linux = packet({ flags: syn, window: 29_200, options: LINUX }, { traffic: 0x10, df: false });
    const out = guiseOf(client(linux)).leaving(headers(ownSyn({}, { id: 0x7777 })), 250_000);
    expect(shown(out)).toBe(
      hex(`45 10 003c 7777 0000 40 06 0000 ${ENDS}
           9c40 01bb 0a0b0c0d 00000000 a0 02 7210 0000 0000 020405b4 0402080a 000005fa 00000000 01030307`),
    );
  });

  it('over IPv6: traffic class, and no flow label where the client has none', () => {
    const mac = packet({ flags: syn, options: MACOS }, { version: 6, traffic: 0x20, id: 0 });
    const tcp = client(mac);
    const out = guiseOf(tcp, ownSyn({}, { version: 6 })).leaving(headers(ownSyn({}, { version: 6, id: 0x5_4321 })), 0);
    expect(shown(out).slice(0, 16)).toBe(hex('62000000 002c 06 40'));
    const labelled = client(packet({ flags: syn, options: MACOS }, { version: 6, id: 9 }));
    const own = ownSyn({}, { version: 6, id: 0x5_4321 });
    expect(shown(guiseOf(labelled, own).leaving(headers(own), 0)).slice(0, 8)).toBe('60054321');
  });

  it.each([
    ['asks for what the gateway does not', LINUX, octets('02 04 05b4 01 03 03 07')],
    ['scales where the gateway does not', WINDOWS, octets('02 04 05b4 04 02 01 01')],
    ['allows selective acknowledgments where the gateway does not', WINDOWS, octets('02 04 05b4 01 03 03 08')],
  ])('that %s fits no packet', (_, clients, own) => {
    const tcp = client(packet({ flags: syn, options: clients }));
    expect(Guise.of(tcp, headers(ownSyn({ options: own })), 0)).toBeUndefined();
  });

  it('with accurate ECN or a signature has no shape', () => {
    const accurate = packet({ flags: syn | ECE | CWR, options: LINUX });
    accurate[20 + 12]! |= 1;
    expect(readSynShape(viewIp(accurate), viewTcp(accurate))).toBeUndefined();
    const signed = packet({ flags: syn, options: [19, 18, ...Array<number>(16).fill(7), 1, 1] });
    expect(readSynShape(viewIp(signed), viewTcp(signed))).toBeUndefined();
  });

  it.each([
    ['a scale without a value', '02 04 05b4 03 02 01 01'],
    ['timestamps without values ahead of others', '08 02 08 0a 00000500 00000000'],
    ['timestamps twice', '08 0a 00000500 00000000 08 0a 00000600 00000000 01 01 01 01'],
    ['a scale twice', '03 03 08 03 03 01 01 01'],
    ['half a segment size', '02 03 05 01'],
    ['too much of a permission', '04 03 01 01'],
  ])('with %s has no shape', (_, options) => {
    const odd = packet({ flags: syn, options: octets(options) });
    expect(readSynShape(viewIp(odd), viewTcp(odd))).toBeUndefined();
  });

  it('has the options that go on to the server, without those that do not', () => {
    const multipath = packet({ flags: syn, options: [...octets('02 04 05b4'), 30, 4, 0, 1] });
    const { ip, tcp } = headers(multipath);
    expect([...readSynShape(ip, tcp)!.options]).toEqual([...octets('02 04 05b4'), 1, 1, 1, 1]);
  });
});

describe('what follows it', () => {
  it('has the window that the client keeps open, its service and its clock; data and numbers stay', () => {
    const tcp = client(packet({ flags: syn, options: MACOS, window: 65_535 }, { traffic: 0x08, id: 0 }));
    const guise = guiseOf(tcp);
    guise.leaving(headers(ownSyn()), 0);
    seen(tcp, packet({ flags: ack, window: 2_058, options: stamps(0x600, 1) }, { id: 0 }), 40_000);
    const own = packet({
      srcPort: 40_000,
      seq: 77,
      ack: 88,
      flags: psh | ack,
      window: 502,
      options: stamps(0x9028, 0x1234),
      data: 'hi',
    });
    expect(shown(guise.leaving(headers(own), 41_000))).toBe(
      hex(`45 08 0036 0000 4000 40 06 0000 ${ENDS}
           9c40 01bb 0000004d 00000058 80 18 080a 0000 0000 0101080a 00000601 00001234 6869`),
    );
  });

  it.each([
    ['in its scale', WINDOWS, 502, 251],
    ['as it is where the client does not scale', octets('02 04 05b4 04 02 01 01'), 64_000, 64_000],
  ])('before that is known, the socket’s %s', (_, options, own, expected) => {
    const guise = guiseOf(client(packet({ flags: syn, options })));
    const out = guise.leaving(headers(packet({ flags: ack, window: own })), 0);
    expect(viewTcp(out).window).toBe(expected);
  });

  it.each([
    [0, 502, 251],
    [7, 502, 251],
    [8, 502, 8],
    [8, 0, 0],
  ])('lets the server answer: a client’s window of %i and the socket’s of %i are %i', (clients, own, expected) => {
    const tcp = client(packet({ flags: syn, options: WINDOWS }));
    seen(tcp, packet({ flags: ack, window: clients }), 10);
    const out = guiseOf(tcp).leaving(headers(packet({ flags: ack, window: own })), 20);
    expect(viewTcp(out).window).toBe(expected);
  });

  it.each([
    [0, 64_000],
    [502, 64_000],
    [40_000, 40_000],
  ])('is not scaled where the server scales none: a client’s window of %i comes to %i', (clients, expected) => {
    const tcp = client(packet({ flags: syn, options: WINDOWS }));
    if (clients > 0) seen(tcp, packet({ flags: ack, window: clients }), 10);
    const guise = guiseOf(tcp);
    guise.leaving(headers(ownSyn()), 0);
    guise.coming(headers(packet({ flags: syn | ack, options: octets('02 04 05b4') })));
    expect(viewTcp(guise.leaving(headers(packet({ flags: ack, window: 64_000 })), 20)).window).toBe(expected);
  });

  it('is marked as able to bear congestion marks where the server grants it, data alone', () => {
    const answers = [ECE | syn | ack, ECE | CWR | syn | ack, syn | ack];
    const marks = answers.map((flags) => {
      const guise = guiseOf(client(packet({ flags: syn | ECE | CWR, options: MACOS })));
      guise.leaving(headers(ownSyn()), 0);
      guise.coming(headers(packet({ flags, options: stamps(5, 0x500) })));
      const sent = ['', 'x'].map((data) => guise.leaving(headers(packet({ flags: ack, data })), 0));
      return sent.map((out) => out[1]);
    });
    expect(marks).toEqual([
      [0, 2],
      [0, 0],
      [0, 0],
    ]);
  });

  it('is numbered at random where the client’s packets are', () => {
    const tcp = client(packet({ flags: syn, options: WINDOWS }, { id: 5 }));
    seen(tcp, packet({ flags: ack }, { id: 40_000 }), 10);
    const guise = guiseOf(tcp);
    const numbers = Array.from({ length: 20 }, () => guise.leaving(headers(packet({ flags: ack })), 0));
    expect(new Set(numbers.map((out) => Buffer.from(out).readUInt16BE(4))).size).toBeGreaterThan(5);
  });

  it('is numbered as its socket does where each of a client’s connections counts by itself, and they take turns', () => {
    const host = { latest: -1 };
    const connection = (id: number) => {
      const { ip, tcp } = headers(packet({ flags: syn, options: LINUX }, { id }));
      return new ClientTcp(readSynShape(ip, tcp)!, host, 0);
    };
    const [one, other] = [connection(5), connection(40_000)];
    for (const step of [1, 2]) {
      seen(one, packet({ flags: ack }, { id: 5 + step }), step);
      seen(other, packet({ flags: ack }, { id: 40_000 + step }), step);
    }
    expect([one, other].map((tcp) => tcp.nextIdentification(77))).toEqual([77, 77]);
  });

  it('has the window that the client had ahead of any answer', () => {
    const tcp = client(packet({ flags: syn, options: WINDOWS }));
    seen(tcp, packet({ flags: ack, ack: 100, window: 1_026 }), 10);
    seen(tcp, packet({ flags: ack, ack: 900, window: 1_011 }), 20);
    expect(viewTcp(guiseOf(tcp).leaving(headers(packet({ flags: ack })), 30)).window).toBe(1_026);
  });

  it('goes by ticks of which nobody knows when they begin', () => {
    const tcp = client(packet({ flags: syn, options: LINUX }), -1, 0.75);
    expect([0, 249, 250, 1_249, 1_250].map((now) => tcp.timestampAt(now, 0) - 0x500)).toEqual([0, 0, 1, 1, 2]);
    expect(tcp.timestampAt(400, 400)).toBe(0x500);
  });

  it.each([1_000, 250, 100])('goes by a clock of %i ticks a second where the client’s is one', (rate) => {
    const tcp = client(packet({ flags: syn, options: LINUX }));
    seen(tcp, packet({ flags: ack, options: stamps(0x500 + Math.round(rate * 0.098), 1) }), 100_000);
    expect(tcp.timestampAt(1_100_000, 0)).toBe(0x500 + Math.round(rate * 0.098) + rate);
  });
});

describe('what comes back', () => {
  const guise = guiseOf(client(packet({ flags: syn, options: LINUX })));

  it('echoes the socket’s own timestamps, whatever left in their place', () => {
    const sent = [0x9000, 0x9001, 0x9001, 0x9010, 0xffff_fff0, 5];
    const times = [0, 1, 1, 16, 20, 41];
    sent.forEach((own, at) => {
      const out = guise.leaving(headers(packet({ flags: ack, options: stamps(own, 1) })), times[at]! * 1_000);
      const echo = viewTcp(out).tsVal;
      const answer = packet({ flags: ack, srcPort: 443, dstPort: 40_000, options: stamps(0x77, echo), data: 'ok' });
      const back = guise.coming(headers(answer))!;
      const expected = packet({ flags: ack, srcPort: 443, dstPort: 40_000, options: stamps(0x77, own), data: 'ok' });
      expect(shown(back)).toBe(shown(expected));
    });
  });

  it('is left as it is where it echoes nothing that left, or there is nothing to echo', () => {
    expect(guise.coming(headers(packet({ flags: ack, options: stamps(1, 0x4ff) })))).toBeUndefined();
    expect(guise.coming(headers(packet({ flags: ack })))).toBeUndefined();
    const without = guiseOf(client(packet({ flags: syn, options: WINDOWS })));
    expect(without.coming(headers(packet({ flags: ack, options: stamps(1, 2) })))).toBeUndefined();
  });
});
