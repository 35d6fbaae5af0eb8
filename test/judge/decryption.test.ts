/** Encrypted records in whatever order they and their secret come: what is told of them, once each, and what waits. */
import { describe, expect, it } from 'vitest';

import { Decryption } from '../../src/judge/decryption.ts';
import { tls13SuiteOf } from '../../src/tls/key-schedule.ts';
import { RecordReader } from '../../src/tls/record.ts';
import { Transcript } from '../../src/tls/transcript.ts';
import { SIMPLE } from '../support/rfc8448.ts';
import { alert, changeCipherSpec, extension } from '../support/tls-bytes.ts';
import {
  certificate13,
  encryptedExtensions,
  finished13,
  sealed,
  signedMessages,
  SPKI,
} from '../support/tls13-bytes.ts';

const { clientHello, serverHello, serverSecret } = SIMPLE;
const suite = tls13SuiteOf(0x1301)!;
const signed = (...messages: readonly Buffer[]) =>
  signedMessages(Transcript.ofHellos('sha256', { clientHello, serverHello }), messages);
/** A raw public key, which is proven without a certificate around it. */
const messages = signed(encryptedExtensions(extension(20, Buffer.from([2]))), certificate13(SPKI));
const flight = sealed(suite, serverSecret, messages);
const pieces = sealed(suite, serverSecret, messages, { size: 60 });
const wrong = Buffer.alloc(32, 7);

class Read {
  readonly told: string[] = [];
  readonly decryption: Decryption;
  readonly #reader: RecordReader;

  constructor({ records = 64, cipherSuite = 0x1301 } = {}) {
    this.decryption = new Decryption({
      hellos: { clientHello, serverHello },
      version: 0x0304,
      cipherSuite,
      offersRawPublicKey: true,
      limits: { handshakeBytes: 4096, records, certificates: 3 },
      dateMs: () => 0,
      listener: {
        onSealed: () => this.told.push('sealed'),
        onHiddenCertificate: (chain, isRaw) => this.told.push(`certificate ${chain.length}${isRaw ? ' raw' : ''}`),
        onHiddenProof: (proven) => this.told.push(`proof ${proven}`),
        onHiddenFailure: (code) => this.told.push(`failed ${code}`),
      },
    });
    this.#reader = new RecordReader(this.decryption);
  }

  octets(...all: readonly Uint8Array[]): this {
    for (const octets of all) this.#reader.feed(octets, 0, octets.length);
    return this;
  }

  secret(secret: Uint8Array = serverSecret): this {
    this.decryption.onSecret(secret);
    return this;
  }

  get waits(): { isOpen: boolean; lacksSecret: boolean; isSealed: boolean; sealedFrom: number | undefined } {
    const { isOpen, lacksSecret, isSealed, sealedFrom } = this.decryption;
    return { isOpen, lacksSecret, isSealed, sealedFrom };
  }
}

const SHOWN = ['certificate 1 raw', 'proof true'];

describe('a flight', () => {
  it.each<[string, (read: Read) => Read, string[]]>([
    ['behind its secret', (read) => read.secret().octets(flight), SHOWN],
    ['ahead of it', (read) => read.octets(flight).secret(), ['sealed', ...SHOWN]],
    ['in many records, behind it', (read) => read.secret().octets(pieces), SHOWN],
    ['in many records, ahead of it', (read) => read.octets(pieces).secret(), ['sealed', ...SHOWN]],
    [
      'on both sides of it',
      (read) => read.octets(pieces.subarray(0, 100)).secret().octets(pieces.subarray(100)),
      ['sealed', ...SHOWN],
    ],
    [
      'with a ChangeCipherSpec that the secret cuts',
      (read) => read.octets(changeCipherSpec.subarray(0, 5)).secret().octets(changeCipherSpec.subarray(5), flight),
      SHOWN,
    ],
    [
      'with another secret, which is too late',
      (read) => read.octets(pieces.subarray(0, 100)).secret().secret(wrong).octets(pieces.subarray(100)),
      ['sealed', ...SHOWN],
    ],
  ])('%s shows a certificate and its proof', (_, act, expected) => {
    const read = act(new Read());
    expect(read.told).toEqual(expected);
    expect(read.waits).toMatchObject({ isOpen: false, lacksSecret: false, isSealed: false });
  });

  it('shows them once, whatever follows, and whatever is logged then', () => {
    for (const act of [
      (read: Read) => read.secret().octets(flight),
      (read: Read) => read.octets(flight, flight).secret(),
    ]) {
      const read = act(new Read());
      read.octets(flight, changeCipherSpec, pieces).secret(wrong);
      expect(read.told.filter((told) => told !== 'sealed')).toEqual(SHOWN);
    }
  });
});

describe('nothing is to be read', () => {
  it.each<[string, (read: Read) => Read, string]>([
    ['with a secret of another length', (read) => read.secret(Buffer.alloc(48)), 'keylog.length'],
    ['with a wrong one', (read) => read.octets(flight).secret(wrong), 'tls.record.undecipherable'],
    [
      'of a session that was resumed',
      (read) => read.secret().octets(sealed(suite, serverSecret, [encryptedExtensions(), finished13])),
      'psk',
    ],
  ])('%s', (_, act, code) => {
    const read = act(new Read());
    // What is logged, or sent, later does not count.
    read.secret(Buffer.alloc(48)).secret().octets(flight, changeCipherSpec, flight).secret();
    expect(read.told.filter((told) => told !== 'sealed')).toEqual([`failed ${code}`]);
    expect(read.waits).toMatchObject({ isOpen: false, lacksSecret: false, isSealed: false });
  });

  it('nor does anything wait then, in whatever number', () => {
    const read = new Read({ records: 2 }).secret(Buffer.alloc(48)).octets(flight, flight, flight, flight);
    expect(read.told).toEqual(['failed keylog.length']);
  });

  it('of a suite that nobody here knows', () => {
    expect(new Read({ cipherSuite: 0x1399 }).octets(flight).secret().told).toEqual([
      'sealed',
      'failed tls.cipher-suite',
    ]);
  });
});

describe('without a secret', () => {
  const first = pieces.subarray(0, 5 + pieces.readUInt16BE(3));

  it.each<[string, (read: Read) => Read, Partial<Read['waits']>]>([
    ['nothing waits where nothing came', (read) => read, { isSealed: false, sealedFrom: undefined }],
    [
      'ChangeCipherSpec and alerts are in clear',
      (read) => read.octets(changeCipherSpec, alert('warning', 0)),
      { isSealed: false, sealedFrom: undefined },
    ],
    [
      'a record waits once it is whole',
      (read) => read.octets(changeCipherSpec, first.subarray(0, -1)),
      { isSealed: false, sealedFrom: 6 },
    ],
    ['behind what comes in clear', (read) => read.octets(changeCipherSpec, first), { isSealed: true, sealedFrom: 6 }],
    ['and others with it', (read) => read.octets(first, first), { isSealed: true, sealedFrom: 0 }],
  ])('%s', (_, act, expected) => {
    const read = act(new Read());
    expect(read.waits).toEqual({ isOpen: true, lacksSecret: true, ...expected });
    expect(read.told).toEqual(expected.isSealed ? ['sealed'] : []);
  });

  it('no more wait than are read: a secret opens none of them then', () => {
    const read = new Read({ records: 2 }).octets(changeCipherSpec, changeCipherSpec);
    expect(read.waits).toMatchObject({ isSealed: false, sealedFrom: undefined });
    read.octets(changeCipherSpec, flight);
    expect(read.waits).toMatchObject({ isSealed: true, sealedFrom: 12 });
    expect(read.secret().told).toEqual(['sealed', 'failed tls.record.too-many']);
    expect(new Read({ records: 2 }).octets(changeCipherSpec, flight).secret().told).toEqual(['sealed', ...SHOWN]);
  });
});
