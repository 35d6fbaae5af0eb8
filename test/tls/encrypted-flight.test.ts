import { X509Certificate } from 'node:crypto';
import * as zlib from 'node:zlib';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { EncryptedFlight } from '../../src/tls/encrypted-flight.ts';
import { tls13SuiteOf } from '../../src/tls/key-schedule.ts';
import { RecordReader } from '../../src/tls/record.ts';
import { RecordProtection } from '../../src/tls/record-protection.ts';
import { type Hellos, Transcript } from '../../src/tls/transcript.ts';
import { verifyCertificateVerify } from '../../src/x509/certificate-verify.ts';
import { RETRY, SIMPLE } from '../support/rfc8448.ts';
import { changeCipherSpec, extension, handshake, record, u16, vector16, vector24 } from '../support/tls-bytes.ts';
import {
  certificate13,
  certificateBody13,
  certificateRequest,
  compressedCertificate,
  encryptedExtensions,
  finished13,
  sealed,
  signedMessages,
  SPKI,
} from '../support/tls13-bytes.ts';

const suite = tls13SuiteOf(0x1301)!;
const limits = { handshakeBytes: 4096, records: 64, certificates: 3 };
const LEAF = Buffer.alloc(70, 0x1f);
const ISSUER = Buffer.alloc(90, 0x15);
const { clientHello, serverHello, serverSecret } = SIMPLE;
const helloTranscript = () => Transcript.ofHellos('sha256', { clientHello, serverHello });

interface ReadOptions {
  cut?: number;
  hellos?: Hellos;
  secret?: Uint8Array;
  raw?: boolean;
  toTheEnd?: boolean;
}

/** A reader with a flight behind it, and what it said in the end. */
function read(bytes: Uint8Array, options: ReadOptions = {}) {
  const transcript = Transcript.ofHellos('sha256', options.hellos ?? { clientHello, serverHello });
  const { secret = serverSecret, raw: offersRawPublicKey = true, toTheEnd = false } = options;
  const of = { suite, serverSecret: secret, transcript, toTheEnd };
  const flight = new EncryptedFlight({ ...of, offersRawPublicKey, limits });
  const reader = new RecordReader(flight);
  const cut = options.cut ?? bytes.length;
  for (let at = 0; at < bytes.length; at += cut) reader.feed(bytes, at, Math.min(at + cut, bytes.length));
  const { authentication, alert, finished, asksForMore } = flight;
  const fault = reader.fault?.code;
  return { authentication, alert, fault, ...(toTheEnd && { finished, asksForMore }) };
}

const flightOf = (...messages: Buffer[]) => sealed(suite, serverSecret, signedMessages(helloTranscript(), messages));
const plain = flightOf(encryptedExtensions(), certificate13(LEAF, ISSUER));

function provenBy(spki: Uint8Array, { authentication }: ReturnType<typeof read>): boolean {
  return authentication?.kind === 'certificate' && verifyCertificateVerify({ spki, ...authentication });
}

describe('the traces of RFC 8448', () => {
  const spki = new X509Certificate(SIMPLE.certificate).publicKey.export({ type: 'spki', format: 'der' });
  const { helloRetryRequest, secondClientHello } = RETRY;
  const retry = { helloRetryRequest, clientHello: secondClientHello };
  const retried = { hellos: { ...RETRY, retry }, secret: RETRY.serverSecret };

  it.each([
    ['§3', SIMPLE.serverFlight, {}],
    ['§5', RETRY.serverFlight, retried],
  ])('%s: the certificate and a signature that its key made', (_, bytes, options) => {
    const seen = read(bytes, options);
    expect(seen.fault).toBeUndefined();
    expect(seen.authentication).toMatchObject({ kind: 'certificate', isRawPublicKey: false, scheme: 0x0804 });
    expect(seen.authentication).toMatchObject({ certificates: [new Uint8Array(SIMPLE.certificate)] });
    expect(provenBy(spki, seen)).toBe(true);
  });

  it('§5 without its first ClientHello proves nothing', () => {
    const hellos = { clientHello: secondClientHello, serverHello: RETRY.serverHello };
    const seen = read(RETRY.serverFlight, { hellos, secret: RETRY.serverSecret });
    expect(seen.authentication).toMatchObject({ kind: 'certificate' });
    expect(provenBy(spki, seen)).toBe(false);
  });
});

describe('Finished', () => {
  it('is read where it is wanted, however it is cut', () => {
    for (const cut of [1, 7, plain.length]) {
      const seen = read(plain, { cut, toTheEnd: true });
      expect(seen).toMatchObject({ finished: new Uint8Array(finished13.subarray(4)), asksForMore: false });
    }
  });

  it('is not what a client may answer by Finished alone where it is asked for more', () => {
    const settings = flightOf(encryptedExtensions(extension(17613, Buffer.alloc(3))), certificate13(LEAF));
    const certificate = flightOf(encryptedExtensions(), certificateRequest(), certificate13(LEAF));
    for (const bytes of [settings, certificate]) {
      expect(read(bytes, { toTheEnd: true })).toMatchObject({ finished: expect.anything(), asksForMore: true });
    }
  });

  it('comes next, or nothing', () => {
    const messages = signedMessages(helloTranscript(), [encryptedExtensions(), certificate13(LEAF)]);
    const behind = [...messages.slice(0, -1), encryptedExtensions()];
    expect(read(sealed(suite, serverSecret, behind), { toTheEnd: true })).toMatchObject({
      authentication: { kind: 'certificate' },
      fault: 'tls.handshake.order',
    });
  });
});

describe('a server’s flight', () => {
  it('shows certificates and a proof', () => {
    const seen = read(plain);
    expect(seen).toMatchObject({ fault: undefined, alert: undefined });
    expect(seen.authentication).toMatchObject({
      certificates: [new Uint8Array(LEAF), new Uint8Array(ISSUER)],
      delegatedCredential: null,
      asksForClientCertificate: false,
    });
    expect(provenBy(SPKI, seen)).toBe(true);
  });

  it('is the same in segments of every size', () => {
    // As text: comparing long arrays takes long.
    const whole = JSON.stringify(read(plain));
    for (let cut = 1; cut < plain.length; cut++) expect(JSON.stringify(read(plain, { cut }))).toBe(whole);
  });

  it('is the same in records of any size, with any padding', () => {
    const messages = signedMessages(helloTranscript(), [encryptedExtensions(), certificate13(LEAF, ISSUER)]);
    const whole = read(sealed(suite, serverSecret, messages));
    for (const [size, padding] of [
      [40, 0],
      [61, 7],
      [170, 300],
      [16_384, 4000],
    ] as const) {
      expect(read(sealed(suite, serverSecret, messages, { size, padding }))).toEqual(whole);
    }
  });

  it('may ask for a client’s certificate', () => {
    const seen = read(flightOf(encryptedExtensions(), certificateRequest(), certificate13(LEAF)));
    expect(seen.authentication).toMatchObject({ asksForClientCertificate: true });
    expect(provenBy(SPKI, seen)).toBe(true);
  });

  it('may have ChangeCipherSpec anywhere between its records', () => {
    const messages = signedMessages(helloTranscript(), [encryptedExtensions(), certificate13(LEAF)]);
    const bytes = sealed(suite, serverSecret, messages, { size: 40 });
    const first = 5 + bytes.readUInt16BE(3);
    const mixed = Buffer.concat([changeCipherSpec, bytes.subarray(0, first), changeCipherSpec, bytes.subarray(first)]);
    expect(provenBy(SPKI, read(mixed))).toBe(true);
  });

  it('authenticates by a PSK where Finished follows at once', () => {
    const seen = read(sealed(suite, serverSecret, [encryptedExtensions(), finished13]));
    expect(seen).toEqual({ authentication: { kind: 'psk' }, alert: undefined, fault: undefined });
  });

  it('carries a raw public key where EncryptedExtensions say so', () => {
    const seen = read(flightOf(encryptedExtensions(extension(20, Buffer.from([2]))), certificate13(SPKI)));
    expect(seen.authentication).toMatchObject({ isRawPublicKey: true, certificates: [new Uint8Array(SPKI)] });
    expect(provenBy(SPKI, seen)).toBe(true);
  });

  it('carries none that was not asked for', () => {
    const bytes = flightOf(encryptedExtensions(extension(20, Buffer.from([2]))), certificate13(SPKI));
    expect(read(bytes, { raw: false }).fault).toBe('tls.encrypted-extensions.unsolicited');
  });

  it('hands on the leaf’s delegated credential', () => {
    const body = certificateBody13([LEAF, ISSUER], extension(34, Buffer.from('credential')));
    const seen = read(flightOf(encryptedExtensions(), handshake(11, body)));
    expect(seen.authentication).toMatchObject({ delegatedCredential: new Uint8Array(Buffer.from('credential')) });
  });

  it('that tells of an alert ends with it', () => {
    const bytes = new RecordProtection(suite, serverSecret).seal(21, Buffer.from([2, 40]));
    expect(read(bytes)).toEqual({ authentication: undefined, alert: 40, fault: 'tls.alert' });
  });

  it('is not read with another secret', () => {
    expect(read(plain, { secret: Buffer.alloc(32) })).toMatchObject({ fault: 'tls.record.undecipherable' });
  });

  it('is not read behind its end', () => {
    const bytes = Buffer.concat([plain, Buffer.from([21, 3, 3, 0, 2, 2, 40])]);
    expect(read(bytes).fault).toBeUndefined();
  });
});

describe('faults', () => {
  const verify = signedMessages(helloTranscript(), [encryptedExtensions(), certificate13(LEAF)])[2]!;
  const sealedMessages = (...messages: Buffer[]) => sealed(suite, serverSecret, messages);
  const seal = (type: number, content: Uint8Array, padding = 0) =>
    new RecordProtection(suite, serverSecret).seal(type, content, padding);

  it.each<[string, Uint8Array, string]>([
    ['a certificate first', sealedMessages(certificate13(LEAF)), 'tls.handshake.order'],
    ['EncryptedExtensions twice', sealedMessages(encryptedExtensions(), encryptedExtensions()), 'tls.handshake.order'],
    ['a proof without a certificate', sealedMessages(encryptedExtensions(), verify), 'tls.handshake.order'],
    [
      'a second certificate',
      sealedMessages(encryptedExtensions(), certificate13(LEAF), certificate13(LEAF)),
      'tls.handshake.order',
    ],
    ['no proof', sealedMessages(encryptedExtensions(), certificate13(LEAF), finished13), 'tls.handshake.order'],
    [
      'CertificateRequest twice',
      sealedMessages(encryptedExtensions(), certificateRequest(), certificateRequest()),
      'tls.handshake.order',
    ],
    [
      'CertificateRequest and a PSK',
      sealedMessages(encryptedExtensions(), certificateRequest(), finished13),
      'tls.handshake.order',
    ],
    ['no certificate in the list', sealedMessages(encryptedExtensions(), certificate13()), 'tls.certificate.none'],
    [
      'an empty certificate',
      sealedMessages(encryptedExtensions(), certificate13(Buffer.alloc(0))),
      'tls.certificate.empty',
    ],
    [
      'more certificates than the limit',
      sealedMessages(encryptedExtensions(), certificate13(LEAF, LEAF, LEAF, LEAF)),
      'tls.certificate.too-many',
    ],
    [
      'a request context',
      sealedMessages(encryptedExtensions(), handshake(11, Buffer.from('01aa000000', 'hex'))),
      'tls.certificate.context',
    ],
    [
      'a list that is longer than its message',
      sealedMessages(encryptedExtensions(), handshake(11, Buffer.from('00000009000001aa', 'hex'))),
      'tls.certificate.syntax',
    ],
    [
      'octets behind the list',
      sealedMessages(encryptedExtensions(), handshake(11, Buffer.concat([certificateBody13([LEAF]), Buffer.alloc(1)]))),
      'tls.certificate.syntax',
    ],
    [
      'an extension twice',
      sealedMessages(
        encryptedExtensions(),
        handshake(11, certificateBody13([LEAF], Buffer.concat([extension(5, LEAF), extension(5, LEAF)]))),
      ),
      'tls.certificate.syntax',
    ],
    [
      'two raw public keys',
      sealedMessages(encryptedExtensions(extension(20, Buffer.from([2]))), certificate13(SPKI, SPKI)),
      'tls.certificate.syntax',
    ],
    [
      'EncryptedExtensions without a list',
      sealedMessages(handshake(8, Buffer.alloc(0))),
      'tls.encrypted-extensions.syntax',
    ],
    [
      'a message longer than the limit',
      sealedMessages(encryptedExtensions(), handshake(11, Buffer.alloc(4097))),
      'tls.handshake.too-long',
    ],
    ['a handshake record in clear', record(22, encryptedExtensions()), 'tls.record.unprotected'],
    ['an alert in clear', record(21, Buffer.from([2, 40])), 'tls.record.unprotected'],
    ['a record with nothing but its tag', record(23, Buffer.alloc(16)), 'tls.record.empty'],
    ['a record above 2^14 + 256', record(23, Buffer.alloc(16_641)), 'tls.record.overflow'],
    ['content above 2^14', seal(22, Buffer.alloc(16_385)), 'tls.record.overflow'],
    ['an empty handshake record', seal(22, Buffer.alloc(0), 30), 'tls.record.empty'],
    ['nothing but padding', seal(0, Buffer.alloc(0), 30), 'tls.record.interleaved'],
    ['application data', seal(23, Buffer.from('data')), 'tls.record.interleaved'],
    ['a long ChangeCipherSpec', record(20, Buffer.from([1, 1])), 'tls.change-cipher-spec.length'],
    ['another ChangeCipherSpec', record(20, Buffer.from([2])), 'tls.change-cipher-spec.value'],
    ['more records than the limit', Buffer.concat(Array(65).fill(changeCipherSpec)), 'tls.record.too-many'],
  ])('%s', (_, bytes, code) => {
    expect(read(bytes)).toMatchObject({ authentication: undefined, fault: code });
  });

  it('an alert within a message', () => {
    const protection = new RecordProtection(suite, serverSecret);
    const bytes = [protection.seal(22, encryptedExtensions().subarray(0, 3)), protection.seal(21, Buffer.from([1, 0]))];
    expect(read(Buffer.concat(bytes)).fault).toBe('tls.record.interleaved');
  });

  it('a signature that is cut', () => {
    const cut = handshake(15, Buffer.concat([u16(0x0403), u16(9), Buffer.alloc(8)]));
    expect(read(sealedMessages(encryptedExtensions(), certificate13(LEAF), cut)).fault).toBe(
      'tls.certificate-verify.syntax',
    );
  });

  it('never throws, whatever octets are inside', () => {
    const messages = fc.array(fc.tuple(fc.constantFrom(8, 11, 13, 15, 20, 25), fc.uint8Array({ maxLength: 60 })));
    fc.assert(
      fc.property(messages, (bodies) => {
        const stream = bodies.map(([type, body]) => handshake(type, body));
        read(sealedMessages(encryptedExtensions(), ...stream));
      }),
    );
  });
});

describe('a compressed certificate', () => {
  const body = certificateBody13([LEAF, ISSUER]);
  const readMessage = (message: Buffer) => read(flightOf(encryptedExtensions(), message));
  const zstd = Buffer.from(
    // `zstd -19 --no-check` of the body.
    'KLUv/SCuzQAAgAAAAKoAAEYfAAAAAFoVAAACAAamIijgAg==',
    'base64',
  );

  it.each([
    ['zlib', 1, zlib.deflateSync(body)],
    ['brotli', 2, zlib.brotliCompressSync(body)],
    ['zstd', 3, zstd],
  ])('by %s is the certificate, and the proof is over what was sent', (_, algorithm, compressed) => {
    const seen = readMessage(compressedCertificate(algorithm, compressed, body.length));
    expect(seen.fault).toBeUndefined();
    expect(seen.authentication).toMatchObject({ certificates: [new Uint8Array(LEAF), new Uint8Array(ISSUER)] });
    expect(provenBy(SPKI, seen)).toBe(true);
  });

  it.each([
    ['zlib', 1, zlib.deflateSync(body)],
    ['brotli', 2, zlib.brotliCompressSync(body)],
    ['zstd', 3, zstd],
  ])('by %s has exactly the announced length', (_, algorithm, compressed) => {
    for (const length of [1, body.length - 1, body.length + 1, 4096]) {
      const seen = readMessage(compressedCertificate(algorithm, compressed, length));
      expect(seen).toMatchObject({ authentication: undefined, fault: 'tls.compressed-certificate.content' });
    }
  });

  it.each([1, 2, 3])('by algorithm %i that is no such thing is a fault', (algorithm) => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 80 }), (junk) => {
        expect(readMessage(compressedCertificate(algorithm, junk, 100)).fault).toMatch(/^tls\./);
      }),
      { numRuns: 30 },
    );
  });

  it('is not decompressed beyond the limit', () => {
    const bomb = zlib.deflateSync(Buffer.alloc(1 << 24));
    expect(readMessage(compressedCertificate(1, bomb.subarray(0, 2000), 4097)).fault).toBe('tls.handshake.too-long');
    expect(readMessage(compressedCertificate(1, bomb.subarray(0, 2000), 4096)).fault).toBe(
      'tls.compressed-certificate.content',
    );
  });

  it('by zstd cannot keep anybody busy', () => {
    // 19 octets that ask for 3,000 copies of 65,539 octets each, into a certificate of 1,000.
    const busy = Buffer.from('28b52ffd60e8024d000008418bb85400003480', 'hex');
    const began = performance.now();
    expect(readMessage(compressedCertificate(3, busy, 1000)).fault).toBe('tls.compressed-certificate.content');
    expect(performance.now() - began).toBeLessThan(1000);
  });

  it('by an algorithm that nobody knows cannot be read', () => {
    expect(readMessage(compressedCertificate(4, body, body.length)).fault).toBe('tls.compressed-certificate.algorithm');
  });

  it('of no octets is none', () => {
    expect(readMessage(compressedCertificate(1, zlib.deflateSync(body), 0)).fault).toBe(
      'tls.compressed-certificate.syntax',
    );
  });

  it('is read to its last octet', () => {
    const long = handshake(25, Buffer.concat([u16(1), Buffer.alloc(3), vector24(Buffer.from('x')), vector16(body)]));
    expect(readMessage(long).fault).toBe('tls.compressed-certificate.syntax');
  });
});
