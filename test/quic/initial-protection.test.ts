import { describe, expect, it } from 'vitest';

import { initialKeys, InitialProtection } from '../../src/quic/initial-protection.ts';
import { readLongHeader } from '../../src/quic/packet.ts';
import { QUIC_V1, QUIC_V2, quicVersion } from '../../src/quic/version.ts';
import { DCID, initialPacket, seal } from '../support/quic-bytes.ts';

/** RFC 9001 appendix A.2: the CRYPTO frame of the client's Initial packet. */
const CLIENT_FRAMES = Buffer.concat([
  Buffer.from(
    '060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868' +
      '04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578' +
      '616d706c652e636f6dff01000100000a00080006001d00170018001000070005' +
      '04616c706e000500050100000000003300260024001d00209370b2c9caa47fba' +
      'baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302030400' +
      '0d0010000e0403050306030203080408050806002d00020101001c0002400100' +
      '3900320408ffffffffffffffff05048000ffff07048000ffff08011001048000' +
      '75300901100f088394c8f03e51570806048000ffff',
    'hex',
  ),
  Buffer.alloc(917),
]);
/** Appendix A.3. */
const SERVER_FRAMES = Buffer.from(
  '02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf739' +
    '88cfc79825df566dc5430b9a045a1200130100002e00330024001d00209d3c94' +
    '0d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00' +
    '020304',
  'hex',
);

/** RFC 9001 and RFC 9369, both appendix A. Of the client's packet: how it begins, and the tag that is of all of it. */
const VECTORS = [
  {
    rfc: 'RFC 9001',
    version: QUIC_V1,
    client: ['1f369613dd76d5467730efcbe3b1a22d', 'fa044b2f42a3fd3b46fb255c', '9f50449e04a0e810283a1e9933adedd2'],
    server: ['cf3a5331653c364c88f0f379b6067e37', '0ac1493ca1905853b0bba03e', 'c206b8d9b9f0f37644430b490eeaa314'],
    clientHeader: 'c300000001088394c8f03e5157080000449e00000002',
    clientBegins: 'c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11',
    clientTag: 'e221af44860018ab0856972e194cd934',
    serverPacket:
      'cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a' +
      '5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3' +
      'dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84' +
      '022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc4' +
      '2158407dd074ee',
  },
  {
    rfc: 'RFC 9369',
    version: QUIC_V2,
    client: ['8b1a0bc121284290a29e0971b5cd045d', '91f73e2351d8fa91660e909f', '45b95e15235d6f45a6b19cbcb0294ba9'],
    server: ['82db637861d55e1d011f19ea71d5d2a7', 'dd13c276499c0249d3310652', 'edf6d05c83121201b436e16877593c3a'],
    clientHeader: 'd36b3343cf088394c8f03e5157080000449e00000002',
    clientBegins: 'd76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485',
    clientTag: 'a18b2faa745b6fe189cf772a9f84cbfc',
    serverPacket:
      'dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698' +
      'baeea26b91eb761d9b89237bbf87263017915358230035f7fd3945d88965cf17' +
      'f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a393e42757507698075b2' +
      'c984c707f0a0812d8cd5a6881eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca8' +
      '4bed8521e2e140',
  },
] as const;

const hex = (octets: Uint8Array | undefined) => octets && Buffer.from(octets).toString('hex');

describe.each(VECTORS)('$rfc appendix A', (vector) => {
  const version = quicVersion(vector.version)!;

  it.each(['client', 'server'] as const)('keys of the %s', (from) => {
    const { key, iv, hp } = initialKeys(version, DCID, from);
    expect([key, iv, hp].map(hex)).toEqual(vector[from]);
  });

  it('the client’s Initial packet', () => {
    const keys = initialKeys(version, DCID, 'client');
    const packet = seal(Buffer.from(vector.clientHeader, 'hex'), 4, CLIENT_FRAMES, keys);
    expect(packet.length).toBe(1200);
    expect(packet.subarray(0, 32).toString('hex')).toBe(vector.clientBegins);
    expect(packet.subarray(-16).toString('hex')).toBe(vector.clientTag);
    const header = readLongHeader(packet, 0, packet.length)!;
    expect(header).toMatchObject({ type: 'initial', version: vector.version, packetNumberAt: 18, end: 1200 });
    expect(hex(new InitialProtection(keys).open(packet, header))).toBe(CLIENT_FRAMES.toString('hex'));
  });

  it('the server’s Initial packet', () => {
    const packet = Buffer.from(vector.serverPacket, 'hex');
    const header = readLongHeader(packet, 0, packet.length)!;
    expect(hex(header.scid)).toBe('f067a5502a4262b5');
    const opened = new InitialProtection(initialKeys(version, DCID, 'server')).open(packet, header);
    expect(hex(opened)).toBe(SERVER_FRAMES.toString('hex'));
  });
});

describe('a packet that was changed', () => {
  const keys = initialKeys(quicVersion(QUIC_V1)!, DCID, 'client');
  const packet = initialPacket(Buffer.from('a hello'));
  const open = (octets: Buffer) => {
    const header = readLongHeader(octets, 0, octets.length);
    return header === undefined ? undefined : new InitialProtection(keys).open(octets, header);
  };

  it('in any octet is not opened', () => {
    expect(open(packet)).toBeDefined();
    for (let at = 0; at < packet.length; at++) {
      const changed = Buffer.from(packet);
      changed[at]! ^= 0x01;
      expect(open(changed), `octet ${at}`).toBeUndefined();
    }
  });

  it('or cut at any octet is not opened', () => {
    for (let end = 0; end < packet.length; end++) expect(open(packet.subarray(0, end))).toBeUndefined();
  });
});

it('packet numbers are told by the largest one before', () => {
  const keys = initialKeys(quicVersion(QUIC_V1)!, DCID, 'client');
  const protection = new InitialProtection(keys);
  const packet = (packetNumber: number) => {
    const header = Buffer.from('c00000000108' + DCID.toString('hex') + '0000401800', 'hex');
    header[header.length - 1] = packetNumber & 0xff;
    // One octet is sent of a number that counts on.
    const nonceKeys = { ...keys, iv: Buffer.from(keys.iv) };
    nonceKeys.iv[10]! ^= packetNumber >> 8;
    return seal(header, 1, Buffer.alloc(7, 1), nonceKeys);
  };
  for (const number of [0, 120, 250, 370, 300, 490]) {
    const octets = packet(number);
    expect(protection.open(octets, readLongHeader(octets, 0, octets.length)!), `${number}`).toBeDefined();
  }
});
