import { randomBytes } from 'node:crypto';
import type { ConnectionOptions } from 'node:tls';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { createKeyShare, GROUP } from '../../src/probe/key-share.ts';
import { type Mirror, MirroredHello, mirrorOf } from '../../src/probe/mirror.ts';
import { clientHelloOf } from '../support/memory-tls.ts';
import { extensionOf } from '../support/scripted-server.ts';
import { clientHelloMessage, extension, u16, vector16, vector8 } from '../support/tls-bytes.ts';

const mirror = (body: Uint8Array): Mirror => mirrorOf(body) as Mirror;
const mirrored = (body: Uint8Array): Buffer => Buffer.from(new MirroredHello(mirror(body)).body());
const share = (group: number, length: number) => Buffer.concat([u16(group), vector16(randomBytes(length))]);
const types = (hello: Uint8Array) => mirror(hello).hello.extensionTypes;

const ECH_HEAD = Buffer.from('0000010001f5', 'hex');
const ech = (length = 208) => Buffer.concat([ECH_HEAD, vector16(randomBytes(32)), vector16(randomBytes(length))]);

interface BrowserOptions {
  readonly grease?: number;
  readonly order?: readonly number[];
  readonly name?: string;
  readonly groups?: readonly number[];
  readonly shares?: readonly Buffer[];
  /** Octets of what looks like an encrypted hello. */
  readonly echLength?: number;
}

/** What a browser sends: GREASE wherever it goes, ECH, shuffled extensions, a session to resume. */
function browserHello({
  grease = 0x3a3a,
  order,
  name = 'www.example.com',
  groups,
  shares,
  echLength,
}: BrowserOptions = {}): Buffer {
  const list = groups ?? [0x11ec, 29, 23, 24];
  const extensions = [
    extension(grease, Buffer.alloc(0)),
    extension(0, vector16(Buffer.concat([Buffer.from([0]), vector16(Buffer.from(name))]))),
    extension(10, vector16(Buffer.concat([grease, ...list].map(u16)))),
    extension(13, vector16(Buffer.concat([grease, 0x0403, 0x0804].map(u16)))),
    extension(16, vector16(Buffer.concat([u16(grease), 'h2', 'http/1.1'].map((each) => vector8(Buffer.from(each)))))),
    extension(35, randomBytes(120)),
    extension(43, vector8(Buffer.concat([grease, 0x0304, 0x0303].map(u16)))),
    extension(45, vector8(Buffer.from([0x0b + 0x1f * (grease >> 12), 1]))),
    extension(51, vector16(Buffer.concat(shares ?? [share(grease, 1), share(0x11ec, 1216), share(29, 32)]))),
    extension(42, Buffer.alloc(0)),
    extension(44, vector16(randomBytes(9))),
    extension(27, vector8(u16(2))),
    extension(0xfe0d, ech(echLength)),
    extension(50, vector16(Buffer.concat([grease, 0x0403].map(u16)))),
    extension(34, vector16(Buffer.concat([0x0403, grease].map(u16)))),
    extension(grease ^ 0x1010, Buffer.from([0])),
    extension(21, Buffer.alloc(60)),
  ];
  const shuffled = order === undefined ? extensions : order.map((at) => extensions[at]!);
  const psk = extension(41, randomBytes(80));
  return Buffer.concat([
    u16(0x0303),
    randomBytes(32),
    vector8(randomBytes(32)),
    vector16(Buffer.concat([grease, 0x1301, 0x1302, 0xc02f].map(u16))),
    vector8(Buffer.from([0])),
    vector16(Buffer.concat([...shuffled, psk])),
  ]);
}

describe('a mirrored hello', () => {
  const original = browserHello();
  const copy = mirrored(original);

  it('has the versions, suites and extensions of the client’s, in its order', () => {
    const [before, after] = [mirror(original).hello, mirror(copy).hello];
    expect(after.legacyVersion).toBe(before.legacyVersion);
    expect(after.cipherSuites).toEqual(before.cipherSuites);
    const leftOut = [41, 42, 44];
    expect(after.extensionTypes).toEqual(before.extensionTypes.filter((type) => !leftOut.includes(type)));
    for (const type of [0, 10, 13, 16, 21, 27, 43, 45, 0x3a3a, 0x2a2a]) {
      expect(extensionOf(copy, type)).toEqual(extensionOf(original, type));
    }
  });

  it('has a random and a session id of its own, the latter as long as the client’s', () => {
    const [before, after] = [mirror(original).hello, mirror(copy).hello];
    expect(after.random).not.toEqual(before.random);
    expect(after.sessionId).not.toEqual(before.sessionId);
    expect(after.sessionId).toHaveLength(32);
    expect(mirror(mirrored(clientHelloMessage().subarray(4))).hello.sessionId).toHaveLength(0);
  });

  it('resumes nothing', () => {
    const { hello } = mirror(copy);
    expect(hello).toMatchObject({ offersPsk: false, offersEarlyData: false });
    expect(hello.sessionTicket).toHaveLength(0);
    expect(extensionOf(copy, 44)).toBeUndefined();
  });

  it('has the client’s ECH in its form, with other octets', () => {
    const [before, after] = [extensionOf(original, 0xfe0d)!, extensionOf(copy, 0xfe0d)!];
    expect(after).toHaveLength(before.length);
    expect(after.subarray(0, 8)).toEqual(before.subarray(0, 8));
    expect(after.subarray(8, 40)).not.toEqual(before.subarray(8, 40));
    expect(after.subarray(42)).not.toEqual(before.subarray(42));
  });

  it('without extensions is one', () => {
    const bare = Buffer.concat([
      u16(0x0303),
      randomBytes(32),
      vector8(Buffer.alloc(0)),
      vector16(u16(0x2f)),
      vector8(u16(0)),
    ]);
    const again = mirrored(bare);
    expect(again.subarray(34)).toEqual(bare.subarray(34));
  });

  it('of whatever hello can be read is a hello that can be read', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255)), { maxLength: 5 }), (changes) => {
        const changed = Uint8Array.from(original);
        for (const [at, value] of changes) changed[at] = value;
        const seen = mirrorOf(changed);
        if ('family' in seen) return;
        expect(mirror(new MirroredHello(seen).body()).hello.cipherSuites).toEqual(seen.hello.cipherSuites);
      }),
    );
  });
});

describe('key shares', () => {
  const groupsOf = (hello: Buffer): number[] => {
    const list = extensionOf(hello, 51)!.subarray(2);
    const groups: number[] = [];
    for (let at = 0; at < list.length; at += 4 + list.readUInt16BE(at + 2)) groups.push(list.readUInt16BE(at));
    return groups;
  };
  const hybrid = createKeyShare(GROUP.x25519Mlkem768) !== undefined;

  it('are for the client’s groups, in its order, GREASE among them', () => {
    const hello = mirrored(browserHello());
    expect(groupsOf(hello)).toEqual(hybrid ? [0x3a3a, 0x11ec, 29] : [0x3a3a, 29]);
    expect(extensionOf(hello, 10)).toEqual(extensionOf(browserHello(), 10));
  });

  it('are for its best other group where none of its own can be done', () => {
    const shares = [share(0x3a3a, 1), share(0x6399, 1216)];
    expect(groupsOf(mirrored(browserHello({ groups: [0x6399, 24, 29], shares })))).toEqual([0x3a3a, 24]);
  });

  it('are none where the client sent none, so that the server has to ask', () => {
    expect(groupsOf(mirrored(browserHello({ shares: [] })))).toEqual([]);
  });

  it('are none where nothing on its list can be done', () => {
    expect(groupsOf(mirrored(browserHello({ groups: [0x6399], shares: [share(0x6399, 9)] })))).toEqual([]);
  });
});

describe('the digest', () => {
  const digest = (options: BrowserOptions = {}) => mirror(browserHello(options)).digest;

  it('is the same for each connection of one client: random, session, keys, GREASE and order aside', () => {
    const shuffle = fc.shuffledSubarray([...Array(17).keys()], { minLength: 17 });
    const grease = fc.nat(7).map((nibble) => ((nibble << 4) | 10) * 0x0101);
    // BoringSSL's are of 144, 176, 208 or 240 octets.
    const echLength = fc.nat(3).map((step) => 144 + 32 * step);
    fc.assert(
      fc.property(shuffle, grease, echLength, (order, value, length) => {
        const hello = browserHello({ order, grease: value, echLength: length });
        expect(mirror(hello).digest).toBe(digest());
        // The probe itself says it in the order of the client whose question it is.
        const left = mirror(hello).hello.extensionTypes.filter((type) => ![41, 42, 44].includes(type));
        expect(types(mirrored(hello))).toEqual(left);
      }),
    );
  });

  it('is the same for hellos in any order, and not for hellos of any extension', () => {
    const order = [...Array(17).keys()].reverse();
    expect(digest({ order })).toBe(digest());
    // Names, groups, algorithms, protocols, versions, compression: a server may look at each.
    const inDigest = [1, 2, 3, 4, 6, 11, 12, 13, 14];
    const others = [...Array(17).keys()].filter((at) => !inDigest.includes(at));
    for (const at of inDigest) expect(digest({ order: order.filter((each) => each !== at) })).not.toBe(digest());
    for (const at of others) expect(digest({ order: order.filter((each) => each !== at) })).toBe(digest());
  });

  it('does not depend on what resumes a session', async () => {
    const plain = clientHelloMessage({ ticket: Buffer.alloc(0) }).subarray(4);
    const resuming = clientHelloMessage({
      ticket: randomBytes(99),
      sessionId: randomBytes(32),
      psk: true,
      earlyData: true,
    });
    expect(mirror(resuming.subarray(4)).digest).toBe(mirror(plain).digest);
  });

  it.each<[string, ConnectionOptions]>([
    ['name', { servername: 'other.example.com' }],
    ['ALPN', { ALPNProtocols: ['h2'] }],
    ['signature algorithms', { sigalgs: 'rsa_pss_rsae_sha256' }],
    ['groups', { ecdhCurve: 'P-256' }],
    ['suites', { ciphers: 'TLS_AES_256_GCM_SHA384' }],
    ['versions', { maxVersion: 'TLSv1.2' }],
  ])('depends on the client’s %s', async (_, options) => {
    expect(mirror(await clientHelloOf(options)).digest).not.toBe(mirror(await clientHelloOf()).digest);
    expect(mirror(await clientHelloOf(options)).digest).toBe(mirror(await clientHelloOf(options)).digest);
  });

  it('depends on the order of a list', () => {
    expect(digest({ groups: [0x11ec, 23, 29, 24] })).not.toBe(digest());
  });
});

describe('shares of a group', () => {
  const groups = Object.values(GROUP).filter((group) => createKeyShare(group) !== undefined);

  it('exist for what every runtime has', () => {
    expect(groups).toEqual(expect.arrayContaining([GROUP.x25519, GROUP.secp256r1, GROUP.secp384r1]));
    expect(createKeyShare(0x3a3a)).toBeUndefined();
  });

  it.each([GROUP.x25519, GROUP.x448, GROUP.secp256r1, GROUP.secp384r1, GROUP.secp521r1])(
    'make one secret of two: %i',
    (group) => {
      const [one, other] = [createKeyShare(group)!, createKeyShare(group)!];
      expect(one.agree(other.keyExchange)).toEqual(other.agree(one.keyExchange));
      expect(one.keyExchange).not.toEqual(other.keyExchange);
    },
  );

  it.each(groups)('make none of what is no share: %i', (group) => {
    const own = createKeyShare(group)!;
    const { length } = own.keyExchange;
    for (const size of [0, 1, length - 1, length + 1]) expect(own.agree(Buffer.alloc(size, 4))).toBeUndefined();
    expect(own.agree(Buffer.alloc(length))).toBeUndefined();
  });
});

it('types of a hello are all told', () => {
  expect(types(browserHello())).toHaveLength(18);
});
