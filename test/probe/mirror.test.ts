import { randomBytes } from 'node:crypto';
import type { ConnectionOptions } from 'node:tls';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { isFault } from '../../src/bytes/fault.ts';
import { isGrease } from '../../src/tls/grease.ts';
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

/** BoringSSL's has one octet, and that is zero. */
const greaseShare = (group: number) => Buffer.concat([u16(group), vector16(Buffer.alloc(1))]);

interface BrowserOptions {
  readonly grease?: number;
  readonly order?: readonly number[];
  readonly name?: string;
  readonly groups?: readonly number[];
  readonly shares?: readonly Buffer[];
  /** Octets of what looks like an encrypted hello. */
  readonly echLength?: number;
  /** Body of pre_shared_key. */
  readonly psk?: Buffer;
}

/** What a browser sends: GREASE wherever it goes, ECH, shuffled extensions, a session to resume. */
function browserHello({
  grease = 0x3a3a,
  order,
  name = 'www.example.com',
  groups,
  shares,
  echLength,
  psk = Buffer.concat([vector16(identity(113)), vector16(vector8(randomBytes(32)))]),
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
    extension(51, vector16(Buffer.concat(shares ?? [greaseShare(grease), share(0x11ec, 1216), share(29, 32)]))),
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
  return Buffer.concat([
    u16(0x0303),
    randomBytes(32),
    vector8(randomBytes(32)),
    vector16(Buffer.concat([grease, 0x1301, 0x1302, 0xc02f].map(u16))),
    vector8(Buffer.from([0])),
    vector16(Buffer.concat([...shuffled, extension(41, psk)])),
  ]);
}

/** RFC 8446 §4.2.11: with the age of its ticket. */
function identity(length: number): Buffer {
  return Buffer.concat([vector16(randomBytes(length)), randomBytes(4)]);
}

describe('a mirrored hello', () => {
  const original = browserHello();
  const copy = mirrored(original);

  it('has the versions and extensions of the client’s, in its order', () => {
    const [before, after] = [mirror(original).hello, mirror(copy).hello];
    expect(after.legacyVersion).toBe(before.legacyVersion);
    expect(after.cipherSuites.slice(1)).toEqual(before.cipherSuites.slice(1));
    const leftOut = [42, 44];
    const ungreased = (types: readonly number[]) => types.map((type) => (isGrease(type) ? 'GREASE' : type));
    const kept = before.extensionTypes.filter((type) => !leftOut.includes(type));
    expect(ungreased(after.extensionTypes)).toEqual(ungreased(kept));
    for (const type of [0, 21, 27]) expect(extensionOf(copy, type)).toEqual(extensionOf(original, type));
  });

  it('draws GREASE of its own, equal where the client’s was, and leaves all else of the lists', () => {
    const drawn = new Set<number>();
    for (let i = 0; i < 50; i++) {
      const { hello } = mirror(mirrored(original));
      const one = hello.cipherSuites[0]!;
      const other = hello.extensionTypes.at(-3)!;
      drawn.add(one);
      expect([one, other].every(isGrease)).toBe(true);
      expect(other).not.toBe(one);
      const bytes = (hex: string) => Buffer.from(hex.replaceAll('GG', one.toString(16).padStart(4, '0')), 'hex');
      expect(hello.cipherSuites).toEqual([one, 0x1301, 0x1302, 0xc02f]);
      const again = Buffer.from(hello.body);
      expect(extensionOf(again, 10)).toEqual(bytes('000aGG11ec001d00170018'));
      expect(extensionOf(again, 13)).toEqual(bytes('0006GG04030804'));
      expect(extensionOf(again, 16)).toEqual(bytes('000f02GG02683208687474702f312e31'));
      expect(extensionOf(again, 43)).toEqual(bytes('06GG03040303'));
      expect(extensionOf(again, one)).toEqual(Buffer.alloc(0));
      expect(extensionOf(again, other)).toEqual(Buffer.from([0]));
    }
    expect(drawn.size).toBeGreaterThan(5);
  });

  it('has a random and a session id of its own, the latter as long as the client’s', () => {
    const [before, after] = [mirror(original).hello, mirror(copy).hello];
    expect(after.random).not.toEqual(before.random);
    expect(after.sessionId).not.toEqual(before.sessionId);
    expect(after.sessionId).toHaveLength(32);
    expect(mirror(mirrored(clientHelloMessage().subarray(4))).hello.sessionId).toHaveLength(0);
  });

  it('offers a session of the same form, and of other octets: nobody has it', () => {
    expect(mirror(copy).hello).toMatchObject({ offersPsk: true, offersEarlyData: false });
    for (const type of [35, 41]) {
      const [before, after] = [extensionOf(original, type)!, extensionOf(copy, type)!];
      expect(after).toHaveLength(before.length);
      expect(after.includes(before.subarray(4, 20))).toBe(false);
    }
    const lengths = (psk: Buffer) => [0, 2, 2 + 119, 2 + 119 + 2].map((at) => psk[at]! * 256 + psk[at + 1]!);
    expect(lengths(extensionOf(copy, 41)!).slice(0, 3)).toEqual(lengths(extensionOf(original, 41)!).slice(0, 3));
    expect(extensionOf(copy, 41)![2 + 119 + 2]).toBe(32);
    expect(extensionOf(copy, 44)).toBeUndefined();
  });

  it('offers none where what the client offers is none', () => {
    for (const body of [randomBytes(80), Buffer.alloc(4), Buffer.alloc(0)]) {
      const hello = browserHello({ psk: body });
      expect(extensionOf(mirrored(hello), 41)).toBeUndefined();
    }
  });

  it('names a session as its client up to TLS 1.2 does, by another id', () => {
    const sessionId = randomBytes(32);
    const after = mirror(mirrored(clientHelloMessage({ sessionId }).subarray(4))).hello;
    expect(after.sessionId).toHaveLength(32);
    expect(Buffer.from(after.sessionId)).not.toEqual(sessionId);
  });

  it('has its sessions last behind a cookie too, the same as before', () => {
    const hello = new MirroredHello(mirror(original));
    const [first, second] = [Buffer.from(hello.body()), Buffer.from(hello.retryBody(23, randomBytes(20))!)];
    expect(types(second).slice(-2)).toEqual([44, 41]);
    expect(extensionOf(second, 41)).toEqual(extensionOf(first, 41));
  });

  it('has the client’s ECH in its form, with other octets', () => {
    const [before, after] = [extensionOf(original, 0xfe0d)!, extensionOf(copy, 0xfe0d)!];
    expect(after.subarray(0, 5)).toEqual(before.subarray(0, 5));
    expect(after.subarray(6, 8)).toEqual(before.subarray(6, 8));
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
        const again = mirror(new MirroredHello(seen).body()).hello;
        expect(again.cipherSuites).toHaveLength(seen.hello.cipherSuites.length);
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

  it('are for the client’s groups, in its order, GREASE among them', () => {
    const hello = mirrored(browserHello());
    const grease = mirror(hello).hello.cipherSuites[0]!;
    expect(groupsOf(hello)).toEqual([grease, 0x11ec, 29]);
  });

  it('are for its best other group where none of its own can be done', () => {
    const shares = [share(0x3a3a, 1), share(0x6399, 1216)];
    expect(groupsOf(mirrored(browserHello({ groups: [0x6399, 24, 29], shares })))).toEqual([expect.any(Number), 24]);
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
  const inAnyOrder = (options: BrowserOptions = {}) => mirror(browserHello(options)).digestInAnyOrder;
  const grease = fc.nat(7).map((nibble) => ((nibble << 4) | 10) * 0x0101);
  // BoringSSL's are of 144, 176, 208 or 240 octets.
  const echLength = fc.nat(3).map((step) => 144 + 32 * step);

  it('is the same for each connection of one client: random, session, keys and GREASE aside', () => {
    fc.assert(
      fc.property(grease, echLength, (value, length) => {
        expect(digest({ grease: value, echLength: length })).toBe(digest());
      }),
    );
  });

  it('in any order is the same for browsers that shuffle; a probe says it in the order of its client', () => {
    const shuffle = fc.shuffledSubarray([...Array(17).keys()], { minLength: 17 });
    fc.assert(
      fc.property(shuffle, grease, echLength, (order, value, length) => {
        const hello = browserHello({ order, grease: value, echLength: length });
        expect(mirror(hello).digestInAnyOrder).toBe(inAnyOrder());
        const left = mirror(hello).hello.extensionTypes.filter((type) => ![42, 44].includes(type));
        expect(types(mirrored(hello)).map((type) => (isGrease(type) ? 0 : type))).toEqual(
          left.map((type) => (isGrease(type) ? 0 : type)),
        );
      }),
    );
    expect(digest({ order: [...Array(17).keys()].reverse() })).not.toBe(digest());
  });

  it('is another one without any extension that a probe sends', () => {
    const order = [...Array(17).keys()];
    const leftOut = [9, 10]; // early data and a cookie
    for (const at of order) {
      const without = { order: order.filter((each) => each !== at) };
      expect([at, digest(without) === digest()]).toEqual([at, leftOut.includes(at)]);
      expect([at, inAnyOrder(without) === inAnyOrder()]).toEqual([at, leftOut.includes(at)]);
    }
  });

  const modified = (at: number, body: Buffer) => {
    const { hello, extensions } = mirror(browserHello());
    const blocks = [...extensions].map(([type, own]) => extension(type, type === at ? body : Buffer.from(own)));
    const head = hello.body.subarray(0, 34 + 1 + 32 + 2 + 8 + 2);
    return mirrorOf(Buffer.concat([head, vector16(Buffer.concat(blocks))]));
  };
  const own = modified(0, Buffer.from(mirror(browserHello()).extensions.get(0)!)) as Mirror;

  it.each<[string, number, Buffer]>([
    ['psk modes that are empty', 45, Buffer.from([0])],
    ['psk modes that are cut', 45, Buffer.from([9, 1])],
    ['padding that is longer', 21, Buffer.alloc(16_000)],
    ['padding that is not zero', 21, Buffer.alloc(60, 1)],
    ['no key share', 51, vector16(Buffer.alloc(0))],
    ['a share of another group', 51, vector16(share(23, 65))],
    ['groups that are cut', 10, Buffer.from('000b3a3a001d', 'hex')],
    ['protocols that are cut', 16, Buffer.from('000902683208', 'hex')],
    ['an encrypted hello of another length', 0xfe0d, ech(100)],
    [
      'an encrypted hello of another suite',
      0xfe0d,
      Buffer.concat([Buffer.from('0000010003', 'hex'), ech(144).subarray(5)]),
    ],
  ])('is another one with %s', (_, at, body) => {
    const other = modified(at, body) as Mirror;
    expect(other.digest).not.toBe(own.digest);
    expect(other.digestInAnyOrder).not.toBe(own.digestInAnyOrder);
  });

  it('is read off what a probe sends, and off nothing else: a probe of a probe is the same question', () => {
    const original = browserHello();
    const octets = fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(octets, (changes) => {
        const hello = Buffer.from(original);
        for (const [at, value] of changes) hello[at] = value;
        const asked = mirrorOf(hello);
        if (isFault(asked)) return;
        const sent = mirror(mirrored(hello));
        expect([sent.digest, sent.digestInAnyOrder]).toEqual([asked.digest, asked.digestInAnyOrder]);
      }),
      { numRuns: 1000 },
    );
  });

  it('is none where a group has two shares, which no server answers', () => {
    const twice = modified(51, vector16(Buffer.concat([share(29, 32), share(29, 32)])));
    expect(twice).toMatchObject({ code: 'tls.client-hello.key-share' });
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

it('types of a hello are all told', () => {
  expect(types(browserHello())).toHaveLength(18);
});
