import { describe, expect, test } from 'vitest';

import { LINKTYPE, findIp } from '../../../src/source/capture/link.ts';
import { IpOutline, innerIp } from '../../../src/source/capture/tunnel.ts';
import { ethernet, ipv4, ipv6, u16, u32, udp } from '../../support/capture-bytes.ts';

const V4 = ipv4(6, Buffer.from('segment'));
const V6 = ipv6(6, Buffer.from('segment'));
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const join = Buffer.concat;

/** What `findIp` makes of a frame that lies between other octets. */
function found(linkType: number, frame: Buffer): Buffer | undefined {
  const bytes = join([Buffer.alloc(3, 0x45), frame, Buffer.alloc(3, 0x45)]);
  const at = findIp(linkType, bytes, 3, 3 + frame.length);
  return at < 0 ? undefined : bytes.subarray(at, 3 + frame.length);
}

const vlan = (type: number, payload: Buffer): Buffer => join([hex('2064'), u16(type), payload]);
const mpls = (payload: Buffer): Buffer => join([hex('00011040 00012140'), payload]);
const pppoe = (payload: Buffer): Buffer => join([hex('1100 0001 0020'), payload]);
const snap = (type: number, payload: Buffer): Buffer => join([hex('aaaa03000000'), u16(type), payload]);

const FRAMES: [string, number, Buffer, Buffer][] = [
  ['Ethernet', LINKTYPE.ethernet, ethernet(0x0800, V4), V4],
  ['Ethernet with IPv6', LINKTYPE.ethernet, ethernet(0x86dd, V6), V6],
  ['VLAN', LINKTYPE.ethernet, ethernet(0x8100, vlan(0x0800, V4)), V4],
  ['QinQ', LINKTYPE.ethernet, ethernet(0x88a8, vlan(0x8100, vlan(0x86dd, V6))), V6],
  ['QinQ of 0x9100', LINKTYPE.ethernet, ethernet(0x9100, vlan(0x8100, vlan(0x0800, V4))), V4],
  ['802.3 with SNAP', LINKTYPE.ethernet, ethernet(0x0040, snap(0x0800, V4)), V4],
  ['802.3 with LLC', LINKTYPE.ethernet, ethernet(0x0040, join([hex('060603'), V4])), V4],
  ['MPLS', LINKTYPE.ethernet, ethernet(0x8847, mpls(V4)), V4],
  ['MPLS pseudowire', LINKTYPE.ethernet, ethernet(0x8847, mpls(join([hex('00000000'), ethernet(0x0800, V4)]))), V4],
  ['MPLS Ethernet', LINKTYPE.ethernet, ethernet(0x8847, mpls(ethernet(0x0800, V4))), V4],
  ['PPPoE', LINKTYPE.ethernet, ethernet(0x8864, pppoe(join([hex('0021'), V4]))), V4],
  ['PPPoE with IPv6', LINKTYPE.ethernet, ethernet(0x8864, pppoe(join([hex('0057'), V6]))), V6],
  ['VN-Tag', LINKTYPE.ethernet, ethernet(0x8926, join([hex('00000000 0800'), V4])), V4],
  ['raw', LINKTYPE.raw, V4, V4],
  ['raw of BSD/OS', LINKTYPE.rawBsdOs, V6, V6],
  ['raw of OpenBSD', LINKTYPE.rawOpenBsd, V4, V4],
  ['raw IPv4', LINKTYPE.ipv4, V4, V4],
  ['raw IPv6', LINKTYPE.ipv6, V6, V6],
  ['null, little endian', LINKTYPE.null, join([hex('02000000'), V4]), V4],
  ['null, big endian', LINKTYPE.null, join([hex('00000002'), V4]), V4],
  ['null of macOS with IPv6', LINKTYPE.null, join([hex('1e000000'), V6]), V6],
  ['loop of OpenBSD with IPv6', LINKTYPE.loop, join([hex('00000018'), V6]), V6],
  ['SLL', LINKTYPE.linuxSll, join([hex('0000 0001 0006 0202020202020000 0800'), V4]), V4],
  ['SLL with VLAN', LINKTYPE.linuxSll, join([hex('0000 0001 0006 0202020202020000 8100'), vlan(0x0800, V4)]), V4],
  ['SLL2', LINKTYPE.linuxSll2, join([hex('86dd 0000 00000001 0001 00 06 0202020202020000'), V6]), V6],
  ['PPP', LINKTYPE.ppp, join([hex('0021'), V4]), V4],
  ['PPP with HDLC framing', LINKTYPE.ppp, join([hex('ff03 0021'), V4]), V4],
  ['PPP with a compressed protocol', LINKTYPE.pppSerial, join([hex('ff03 21'), V4]), V4],
  ['PPP with MPLS', LINKTYPE.pppSerial, join([hex('ff03 0281'), mpls(V6)]), V6],
  ['PPP of pppd', LINKTYPE.pppd, join([hex('01 ff03 0057'), V6]), V6],
  ['PPPoE without Ethernet', LINKTYPE.pppEthernet, pppoe(join([hex('0021'), V4])), V4],
  ['Cisco HDLC', LINKTYPE.ciscoHdlc, join([hex('0f00 0800'), V4]), V4],
  ['NFLOG', LINKTYPE.nflog, join([hex('02000000 0800 0100 00000000'), hex('1f00 0900'), V4]), V4],
  ['PPI with Ethernet', LINKTYPE.ppi, join([hex('00000800 01000000'), ethernet(0x0800, V4)]), V4],
  ['a redundancy tag of HSR', LINKTYPE.ethernet, ethernet(0x892f, join([hex('0034 0001 0800'), V4])), V4],
  ['802.1ah', LINKTYPE.ethernet, ethernet(0x88e7, join([hex('00012345'), ethernet(0x8100, vlan(0x0800, V4))])), V4],
  ['Cisco metadata', LINKTYPE.ethernet, ethernet(0x8909, join([hex('0101 00010002 86dd'), V6])), V6],
  ['Cisco timestamp tag', LINKTYPE.ethernet, ethernet(0x8988, join([hex('000000000000 0800'), V4])), V4],
  ['PKTAP', LINKTYPE.pktap, join([hex('6c000000 01000000 01000000'), Buffer.alloc(96), ethernet(0x0800, V4)]), V4],
  ['PFLOG', LINKTYPE.pflog, join([hex('3d02'), Buffer.alloc(62), V4]), V4],
  ['enc of OpenBSD', LINKTYPE.enc, join([hex('18000000 00001234 00000000'), V6]), V6],
  ['Token Ring', LINKTYPE.tokenRing, join([hex('1040'), Buffer.alloc(12, 2), snap(0x0800, V4)]), V4],
  [
    'Token Ring with a route',
    LINKTYPE.tokenRing,
    join([hex('1040 000000000001 820000000002'), hex('0630 0011 0022'), snap(0x0800, V4)]),
    V4,
  ],
  ['frame relay', LINKTYPE.frameRelay, join([hex('1841 03cc'), V4]), V4],
  ['frame relay with SNAP', LINKTYPE.frameRelay, join([hex('1841 03 00 80 000000 86dd'), V6]), V6],
  ['frame relay of Cisco', LINKTYPE.frameRelay, join([hex('1841 0800'), V4]), V4],
  ['IP over InfiniBand', LINKTYPE.ipOverInfiniband, join([Buffer.alloc(40), hex('0800 0000'), V4]), V4],
  ['Juniper', LINKTYPE.juniperEthernet, join([hex('4d4743 80 0003 010203'), ethernet(0x0800, V4)]), V4],
  ['Juniper without a link layer', LINKTYPE.juniperEthernet, join([hex('4d4743 02 00000002'), V4]), V4],
  [
    'Prism',
    LINKTYPE.prism,
    join([hex('44000000 90000000'), Buffer.alloc(136), hex('0801'), Buffer.alloc(22), snap(0x0800, V4)]),
    V4,
  ],
  [
    'AVS',
    LINKTYPE.ieee80211Avs,
    join([hex('80211001 00000040'), Buffer.alloc(56), hex('0801'), Buffer.alloc(22), snap(0x0800, V4)]),
    V4,
  ],
  ['802.11', LINKTYPE.ieee80211, join([hex('0801'), Buffer.alloc(22), snap(0x0800, V4)]), V4],
  ['802.11 with QoS', LINKTYPE.ieee80211, join([hex('8802'), Buffer.alloc(24), snap(0x86dd, V6)]), V6],
  [
    'radiotap with padding behind the 802.11 header',
    LINKTYPE.ieee80211Radiotap,
    join([hex('00000900 02000000 20'), hex('8802'), Buffer.alloc(24), hex('0000'), snap(0x0800, V4)]),
    V4,
  ],
];

describe('link layers', () => {
  test.each(FRAMES)('%s', (_name, linkType, frame, packet) => {
    expect(found(linkType, frame)).toEqual(packet);
  });

  test.each(FRAMES)('%s, cut anywhere before the IP header ends, carries none', (_name, linkType, frame, packet) => {
    const header = packet[0]! >> 4 === 4 ? 20 : 40;
    for (let length = 0; length < frame.length - packet.length + header; length++) {
      expect(found(linkType, frame.subarray(0, length))).toBeUndefined();
    }
  });

  test.each([
    ['ARP', LINKTYPE.ethernet, ethernet(0x0806, Buffer.alloc(46))],
    ['PPPoE discovery', LINKTYPE.ethernet, ethernet(0x8863, Buffer.alloc(46))],
    ['an EtherType of IP above something else', LINKTYPE.ethernet, ethernet(0x0800, Buffer.alloc(46))],
    ['an encrypted 802.11 frame', LINKTYPE.ieee80211, join([hex('0841'), Buffer.alloc(22), snap(0x0800, V4)])],
    ['PKTAP within PKTAP that does not get on', LINKTYPE.pktap, hex('00000000 01000000 02010000 00000000')],
    [
      'PKTAP within PKTAP, again and again',
      LINKTYPE.pktap,
      join(Array<Buffer>(20_000).fill(hex('0c000000 01000000 02010000'))),
    ],
    [
      '802.1ah within 802.1ah, again and again',
      LINKTYPE.ethernet,
      join(Array<Buffer>(14_000).fill(ethernet(0x88e7, Buffer.alloc(4)))),
    ],
    ['Juniper without its magic', LINKTYPE.juniperEthernet, join([hex('4d4744 00'), ethernet(0x0800, V4)])],
    ['an 802.11 beacon', LINKTYPE.ieee80211, join([hex('8000'), Buffer.alloc(22), snap(0x0800, V4)])],
    ['a link type that is not known', 227, V4],
    ['more VLAN tags than any network has', LINKTYPE.ethernet, ethernet(0x8100, nestedVlan(9))],
  ])('%s carries no IP', (_name, linkType, frame) => {
    expect(found(linkType, frame)).toBeUndefined();
  });
});

function nestedVlan(depth: number): Buffer {
  return depth === 0 ? V4 : vlan(depth === 1 ? 0x0800 : 0x8100, nestedVlan(depth - 1));
}

/** What lies inside `packet`, an IP packet. */
function inside(packet: Buffer): Buffer | undefined {
  const ip = new IpOutline();
  expect(ip.read(packet, 0, packet.length)).toBe(true);
  const at = innerIp(ip, packet, packet.length);
  return at < 0 ? undefined : packet.subarray(at);
}

const TUNNELS: [string, Buffer, Buffer][] = [
  ['IP in IP', ipv4(4, V4), V4],
  ['IPv6 in IPv4', ipv4(41, V6), V6],
  ['IPv4 in IPv6', ipv6(4, V4), V4],
  ['behind extension headers', ipv6(0, join([hex('3c00 000000000000'), hex('2900 000000000000'), V6])), V6],
  ['GRE', ipv4(47, join([hex('0000 0800'), V4])), V4],
  ['GRE with checksum, key and sequence', ipv4(47, join([hex('b000 86dd'), Buffer.alloc(12), V6])), V6],
  ['GRE with Ethernet', ipv4(47, join([hex('2000 6558 00000001'), ethernet(0x0800, V4)])), V4],
  ['GRE with MPLS', ipv4(47, join([hex('0000 8847'), mpls(V4)])), V4],
  ['GRE of PPTP', ipv4(47, join([hex('3081 880b 00200001 00000001 00000000'), hex('ff030021'), V4])), V4],
  ['ERSPAN type I', ipv4(47, join([hex('0000 88be'), ethernet(0x0800, V4)])), V4],
  ['ERSPAN type II', ipv4(47, join([hex('1000 88be 00000001'), Buffer.alloc(8), ethernet(0x0800, V4)])), V4],
  ['ERSPAN type III', ipv4(47, join([hex('1000 22eb 00000001'), Buffer.alloc(12), ethernet(0x0800, V4)])), V4],
  ['EtherIP', ipv4(97, join([hex('3000'), ethernet(0x0800, V4)])), V4],
  ['MPLS in IP', ipv4(137, mpls(V4)), V4],
  ['VXLAN', ipv4(17, udp(4789, join([hex('08000000 00000100'), ethernet(0x0800, V4)]))), V4],
  ['VXLAN on the older port', ipv6(17, udp(8472, join([hex('08000000 00000100'), ethernet(0x86dd, V6)]))), V6],
  ['VXLAN-GPE', ipv4(17, udp(4790, join([hex('0c000002 00000100'), V6]))), V6],
  ['Geneve', ipv4(17, udp(6081, join([hex('0100 6558 00000100 01020300'), ethernet(0x0800, V4)]))), V4],
  ['Geneve with IP', ipv4(17, udp(6081, join([hex('0000 0800 00000100'), V4]))), V4],
  ['GTP-U', ipv4(17, udp(2152, join([hex('30ff 0024 00000001'), V4]))), V4],
  ['GTP-U with extension', ipv4(17, udp(2152, join([hex('34ff 0024 00000001 00000085 01100000'), V4]))), V4],
  ['L2TP', ipv4(17, udp(1701, join([hex('0002 0001 0001'), hex('ff03 0021'), V4]))), V4],
  [
    'L2TP with everything',
    ipv4(17, udp(1701, join([hex('4a02 0040 0001 0001 0000 0000 0002 ffff'), hex('0057'), V6]))),
    V6,
  ],
  ['L2TP version 3', ipv4(17, udp(1701, join([hex('0003 0000 00000001'), ethernet(0x0800, V4)]))), V4],
  ['MPLS in UDP', ipv4(17, udp(6635, mpls(V4))), V4],
  ['TZSP', ipv4(17, udp(37008, join([hex('01 00 0001 0a01ff 00 01'), ethernet(0x0800, V4)]))), V4],
  ['TZSP with 802.11', ipv4(17, udp(37008, join([hex('01 00 0012 01 0801'), Buffer.alloc(22), snap(0x0800, V4)]))), V4],
  ['GRE of WCCP', ipv4(47, join([hex('0000 883e'), V4])), V4],
  ['GRE of WCCP with a redirect header', ipv4(47, join([hex('0000 883e 00010000'), V4])), V4],
  ['Teredo', ipv4(17, udp(3544, V6)), V6],
  ['Teredo with both indications', ipv4(17, udp(3544, join([hex('00010000'), Buffer.alloc(17, 0), V6]))), V6],
];

describe('tunnels', () => {
  test.each(TUNNELS)('%s', (_name, packet, inner) => {
    expect(inside(packet)).toEqual(inner);
  });

  test.each([
    ['TCP', V4],
    ['UDP of no tunnel', ipv4(17, udp(53, V4))],
    ['VXLAN without its flag', ipv4(17, udp(4789, join([hex('00000000 00000100'), ethernet(0x0800, V4)])))],
    ['a GTP-U echo', ipv4(17, udp(2152, join([hex('3001 0024 00000001'), V4])))],
    ['GTP-U whose extension has no length', ipv4(17, udp(2152, join([hex('34ff 0024 00000001 00000085 00'), V4])))],
    ['an L2TP control message', ipv4(17, udp(1701, join([hex('c802 0040 0001 0000 0000 0000'), V4])))],
    ['GRE with source routes', ipv4(47, join([hex('4000 0800 00000000'), V4]))],
    ['IP in IP of another version', ipv4(4, Buffer.alloc(40, 0x20))],
  ])('%s is none', (_name, packet) => {
    expect(inside(packet)).toBeUndefined();
  });

  test('an IPv4 length of 0, as captures on sending hosts show it, means what was captured', () => {
    const packet = Buffer.from(V4);
    packet.writeUInt16BE(0, 2);
    const ip = new IpOutline();
    expect(ip.read(packet, 0, packet.length)).toBe(true);
    expect(ip.end).toBe(packet.length);
  });

  test('header lengths that contradict themselves are no packet', () => {
    const ip = new IpOutline();
    const tooShort = Buffer.from(V4);
    tooShort[0] = 0x44;
    expect(ip.read(tooShort, 0, tooShort.length)).toBe(false);
    const longerThanCaptured = Buffer.from(V4);
    longerThanCaptured[0] = 0x4f;
    expect(ip.read(longerThanCaptured, 0, longerThanCaptured.length)).toBe(false);
    const totalBelowHeader = Buffer.from(V4);
    totalBelowHeader.writeUInt16BE(19, 2);
    expect(ip.read(totalBelowHeader, 0, totalBelowHeader.length)).toBe(false);
  });

  test('an IPv6 header chain without end is walked for a bounded way', () => {
    const chain = Array.from({ length: 100 }, () => hex('0000 000000000000'));
    const packet = ipv6(0, join([...chain, u32(0)]));
    const ip = new IpOutline();
    expect(ip.read(packet, 0, packet.length)).toBe(true);
    expect(ip.payload).toBeLessThan(40 + 20 * 8);
  });
});
