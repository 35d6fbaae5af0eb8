import { describe, expect, test } from 'vitest';

import { ja4 } from '../../src/tls/ja4.ts';
import { alpn, clientHelloBody, serverName, signatureAlgorithms, supportedVersions } from '../support/client-hello.ts';

const EMPTY = Buffer.alloc(0);

/** A hello of Chrome with GREASE in every place, whose fingerprint FoxIO's own tools give (sigalg-grease.pcapng). */
const CHROME_SUITES = [
  0x4a4a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d,
  0x002f, 0x0035,
];
const CHROME_ALGORITHMS = [
  0x3a3a, 0x0904, 0x0905, 0x0906, 0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601,
];
const plain = (type: number): readonly [number, Buffer] => [type, EMPTY];
const CHROME = clientHelloBody({
  cipherSuites: CHROME_SUITES,
  extensions: [
    plain(0x2a2a),
    plain(0xfe0d),
    alpn('h2', 'http/1.1'),
    ...[0x0017, 0x0033, 0x44cd, 0xff01, 0x000a].map(plain),
    signatureAlgorithms(...CHROME_ALGORITHMS),
    ...[0x0023].map(plain),
    supportedVersions(0x5a5a, 0x0304, 0x0303),
    ...[0x000b, 0xca34, 0x002d].map(plain),
    serverName('optimizationguide-pa.googleapis.com'),
    ...[0x0005, 0x001b, 0x0012, 0x6a6a].map(plain),
  ],
});

test('a hello of Chrome has the fingerprint that FoxIO gives it', () => {
  expect(ja4(CHROME)).toBe('t13d1517h2_8daaf6152771_cb7bf5808d99');
});

test('a hello cut anywhere has none', () => {
  for (let length = 0; length < CHROME.length; length++) {
    // Up to the compression methods it is a hello without extensions.
    const isWhole = length === CHROME.length - 2 - CHROME.readUInt16BE(71);
    if (!isWhole) expect(ja4(CHROME.subarray(0, length))).toBeNull();
  }
});

describe('the first part', () => {
  const start = (extensions: readonly (readonly [number, Buffer])[] | null, version = 0x0303): string =>
    ja4(clientHelloBody({ version, cipherSuites: [0x1301], extensions }))!.split('_')[0]!;

  test.each([
    [0x0303, 't12'],
    [0x0302, 't11'],
    [0x0301, 't10'],
    [0x0300, 'ts3'],
    [0x0299, 't00'],
  ])('version 0x%s of the message is %s where no extension lists versions', (version, begins) => {
    expect(start([], version).slice(0, 3)).toBe(begins);
  });

  test('the highest listed version counts, GREASE aside', () => {
    expect(start([supportedVersions(0x0303, 0x0304, 0xfafa)]).slice(0, 3)).toBe('t13');
  });

  test('d with a server name, i without', () => {
    expect(start([serverName('x')])).toBe('t12d010100');
    expect(start([])).toBe('t12i010000');
    expect(start(null)).toBe('t12i010000');
  });

  test('counts stop at 99', () => {
    const many = Array.from({ length: 120 }, (_, index) => plain(0x1000 + index));
    expect(start(many)).toBe('t12i019900');
  });

  test.each([
    ['http/1.1', 'h1'],
    ['h2', 'h2'],
    ['h', 'hh'],
    ['\xab', 'ab'],
    ['\xab\xcd', 'ad'],
    ['0\xab', '3b'],
    ['\x30\x31\xab\xcd', '3d'],
  ])('ALPN %j is %s', (value, ends) => {
    expect(start([alpn(Buffer.from(value, 'latin1'))]).slice(-2)).toBe(ends);
  });
});

describe('the digests', () => {
  test('of nothing are zeros', () => {
    expect(ja4(clientHelloBody({ cipherSuites: [], extensions: null }))).toBe('t12i000000_000000000000_000000000000');
  });

  test('do not depend on the order of suites and extensions, but on that of signature algorithms', () => {
    const of = (suites: number[], types: number[], algorithms: number[]): string | null =>
      ja4(
        clientHelloBody({
          cipherSuites: suites,
          extensions: [...types.map(plain), signatureAlgorithms(...algorithms)],
        }),
      );
    const base = of([1, 2], [10, 11], [0x0403, 0x0804]);
    expect(of([2, 1], [11, 10], [0x0403, 0x0804])).toBe(base);
    expect(of([1, 2], [10, 11], [0x0804, 0x0403])).not.toBe(base);
  });
});
