/** Hellos that are recognised have the digests that they would have if nobody had ever sent one like them. */
import { randomBytes } from 'node:crypto';

import { expect, it } from 'vitest';

import { isFault } from '../../src/bytes/fault.ts';
import { KnownHellos } from '../../src/probe/known-hellos.ts';
import { mirrorOf } from '../../src/probe/mirror.ts';
import { clientHelloOf } from '../support/memory-tls.ts';
import { clientHelloMessage, extension, u16, vector16, vector8 } from '../support/tls-bytes.ts';

const share = (group: number, octets: Uint8Array) => Buffer.concat([u16(group), vector16(octets)]);

/** With everything that is drawn anew, a session to resume, and GREASE where its octets count. */
const resuming = (random = randomBytes(32), grease = Buffer.alloc(3)) => {
  const shares = [share(0x3a3a, grease), share(29, randomBytes(32)), share(23, randomBytes(65))];
  const extensions = [
    extension(10, vector16(Buffer.concat([0x3a3a, 29, 23].map(u16)))),
    extension(43, vector8(Buffer.concat([0x0304, 0x0303].map(u16)))),
    extension(51, vector16(Buffer.concat(shares))),
    extension(35, randomBytes(40)),
    extension(41, Buffer.concat([vector16(randomBytes(40)), vector16(randomBytes(33))])),
  ];
  return Buffer.concat([
    u16(0x0303),
    random,
    vector8(randomBytes(32)),
    vector16(Buffer.concat([0x1301, 0xc02f].map(u16))),
    vector8(Buffer.alloc(1)),
    vector16(Buffer.concat(extensions)),
  ]);
};

const digests = (mirror: ReturnType<typeof mirrorOf>) =>
  isFault(mirror) ? mirror.code : [mirror.digest, mirror.digestInAnyOrder];

it.each([
  ['of Node', () => clientHelloOf({ servername: 'www.bank.example' })],
  ['of Node, that offers TLS 1.2 only', () => clientHelloOf({ maxVersion: 'TLSv1.2' })],
  ['that resumes', async () => resuming()],
] as const)('a hello %s: the same after any change of an octet', async (_, make) => {
  const known = new KnownHellos();
  const original = await make();
  expect(digests(known.mirrorOf(original))).toEqual(digests(mirrorOf(original)));
  for (let at = 0; at < original.length; at++) {
    for (const change of [0x01, 0xff]) {
      const changed = Buffer.from(original);
      changed[at]! ^= change;
      expect(digests(known.mirrorOf(changed)), `octet ${at}`).toEqual(digests(mirrorOf(changed)));
    }
  }
});

it('a hello differs by the octets of a share that is GREASE, and not by those of others', () => {
  const known = new KnownHellos();
  const first = digests(known.mirrorOf(resuming()));
  expect(digests(known.mirrorOf(resuming()))).toEqual(first);
  expect(digests(known.mirrorOf(resuming(undefined, Buffer.from([0, 0, 1]))))).not.toEqual(first);
});

it('a hello is as another one only where their own octets are all that differs', () => {
  const known = new KnownHellos();
  const bodyOf = (name: string) => clientHelloMessage({ name }).subarray(4);
  const [one, other] = [bodyOf('www.bank.example'), bodyOf('www.tank.example')];
  expect(digests(known.mirrorOf(one))).not.toEqual(digests(known.mirrorOf(other)));
});
