import fc from 'fast-check';
import { expect, it, vi } from 'vitest';

import { isFault } from '../../src/bytes/fault.ts';
import { type ClientHello, parseClientHello } from '../../src/tls/client-hello.ts';
import { OwnOctets } from '../../src/tls/hello-patterns.ts';
import { clientHelloMessage, extension, type HelloFields, u16, vector16 } from '../support/tls-bytes.ts';

const bodyOf = (fields: HelloFields) => clientHelloMessage(fields).subarray(4);
const hello = (fields: HelloFields) => parseClientHello(bodyOf(fields)) as ClientHello;

const share = (group: number, octets: Buffer) => Buffer.concat([u16(group), vector16(octets)]);
const keyShare = (...shares: Buffer[]) => extension(51, vector16(Buffer.concat(shares)));

/** What one client sends; its own octets are all `fill`. */
function sent(fill: number, fields: HelloFields = {}): HelloFields {
  return {
    name: 'www.bank.example',
    random: Buffer.alloc(32, fill),
    sessionId: Buffer.alloc(32, fill + 1),
    ticket: Buffer.alloc(48, fill + 2),
    alpns: ['h2'],
    supportedVersions: [0x0304, 0x0303],
    extensions: [keyShare(share(0x1a1a, Buffer.alloc(1)), share(29, Buffer.alloc(32, fill + 3)))],
    ...fields,
  };
}

it('a hello that came before but for its own octets is read as what it is', () => {
  const [first, , third] = [hello(sent(10)), hello(sent(20)), hello(sent(30))];
  expect(first.pattern).toBeUndefined();
  expect(third.pattern).toBeDefined();
  const { body, random, sessionId, sessionTicket, pattern, ...alike } = third;
  expect(first).toMatchObject(alike);
  expect(Object.keys(first)).toEqual(Object.keys(third));
  expect(Buffer.compare(body, bodyOf(sent(30)))).toBe(0);
  expect([random, sessionId, sessionTicket].map((octets) => [octets!.length, new Set(octets)])).toEqual([
    [32, new Set([30])],
    [32, new Set([31])],
    [48, new Set([32])],
  ]);
  expect(hello(sent(40)).pattern).toBe(pattern);
});

it('what differs in anything else is another one', () => {
  for (let times = 0; times < 3; times++) hello(sent(times));
  const { pattern } = hello(sent(7));
  expect(pattern).toBeDefined();
  for (const other of [
    { name: 'www.bonk.example' },
    { alpns: ['h3'] },
    { suites: [0xc02b, 0xc02f, 0x009d] },
    { supportedVersions: [0x0303, 0x0304] },
    { psk: true },
    { earlyData: true },
    { sessionId: Buffer.alloc(31) },
    { ticket: Buffer.alloc(0) },
    { extensions: [keyShare(share(0x2a2a, Buffer.alloc(1)), share(29, Buffer.alloc(32)))] },
    { extensions: [keyShare(share(0x1a1a, Buffer.alloc(1, 9)), share(29, Buffer.alloc(32)))] },
    { extensions: [keyShare(share(0x1a1a, Buffer.alloc(1)), share(23, Buffer.alloc(32)))] },
  ]) {
    const read = hello(sent(8, other));
    expect(read.pattern, JSON.stringify(other)).not.toBe(pattern);
  }
});

it('whatever is known, a hello is read as by somebody who knows nothing', async () => {
  vi.resetModules();
  const unknowing = await import('../../src/tls/client-hello.ts');
  const bases = [sent(1), sent(1, { psk: true, earlyData: true }), { name: 'a.example' }, {}].map(bodyOf);
  for (let times = 0; times < 3; times++) for (const base of bases) parseClientHello(base);
  const change = fc.tuple(fc.nat(400), fc.nat(255));
  fc.assert(
    fc.property(fc.nat(bases.length - 1), fc.array(change, { maxLength: 3 }), fc.nat(600), (which, changes, cut) => {
      const body = Buffer.from(bases[which]!);
      for (const [at, octet] of changes) if (at < body.length) body[at] = octet;
      const input = cut < 40 ? body.subarray(0, body.length - cut) : body;
      const [one, other] = [parseClientHello(input), unknowing.parseClientHello(input)];
      const plain = (read: typeof one) => (isFault(read) ? read : { ...read, pattern: undefined });
      expect(plain(one)).toEqual(plain(other));
    }),
    { numRuns: 2_000 },
  );
});

it('own octets lie within the hello, in order, however broken it is', () => {
  const own = new OwnOctets();
  const base = bodyOf(sent(1, { psk: true }));
  const change = fc.tuple(fc.nat(base.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 4 }), fc.nat(base.length), (changes, length) => {
      const body = Buffer.from(base);
      for (const [at, octet] of changes) body[at] = octet;
      const input = body.subarray(0, length === 0 ? body.length : length);
      if (!own.read(input)) return;
      const edges = [...own.edges.subarray(0, own.count)];
      expect(edges).toEqual(edges.toSorted((a, b) => a - b));
      expect(edges.at(-1)).toBeLessThanOrEqual(input.length);
    }),
    { numRuns: 2_000 },
  );
});

it('a hello with more key shares than anybody has is no pattern', () => {
  const many = Array.from({ length: 40 }, () => share(29, Buffer.alloc(1)));
  const reads = [1, 2, 3].map((fill) => hello(sent(fill, { extensions: [keyShare(...many)] })));
  expect(reads.map(({ pattern }) => pattern)).toEqual([undefined, undefined, undefined]);
});
