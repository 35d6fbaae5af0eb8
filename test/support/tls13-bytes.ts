/** A server's encrypted flight of TLS 1.3 as bytes, message by message, with a key of its own to sign with. */
import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

import type { Tls13Suite } from '../../src/tls/key-schedule.ts';
import { RecordProtection } from '../../src/tls/record-protection.ts';
import type { Transcript } from '../../src/tls/transcript.ts';
import { extension, handshake, u16, vector16, vector24, vector8 } from './tls-bytes.ts';

/** HandshakeType. */
const TYPE = { encryptedExtensions: 8, certificate: 11, certificateRequest: 13, certificateVerify: 15, finished: 20 };
const COMPRESSED_CERTIFICATE = 25;

export const KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const SPKI = KEY.publicKey.export({ type: 'spki', format: 'der' });

export function encryptedExtensions(...extensions: readonly Uint8Array[]): Buffer {
  return handshake(TYPE.encryptedExtensions, vector16(Buffer.concat(extensions)));
}

export function certificateRequest(): Buffer {
  const body = Buffer.concat([vector8(Buffer.alloc(0)), vector16(extension(13, vector16(u16(0x0403))))]);
  return handshake(TYPE.certificateRequest, body);
}

/** Body of the message: an empty context, and each certificate with the extensions that are given for all. */
export function certificateBody13(
  certificates: readonly Uint8Array[],
  extensions: Uint8Array = Buffer.alloc(0),
): Buffer {
  const entries = certificates.map((each) => Buffer.concat([vector24(each), vector16(extensions)]));
  return Buffer.concat([vector8(Buffer.alloc(0)), vector24(Buffer.concat(entries))]);
}

export function certificate13(...certificates: readonly Uint8Array[]): Buffer {
  return handshake(TYPE.certificate, certificateBody13(certificates));
}

/** RFC 8879 §4. */
export function compressedCertificate(algorithm: number, compressed: Uint8Array, length: number): Buffer {
  const announced = Buffer.from([length >> 16, (length >> 8) & 0xff, length & 0xff]);
  return handshake(COMPRESSED_CERTIFICATE, Buffer.concat([u16(algorithm), announced, vector24(compressed)]));
}

/** RFC 8446 §4.4.3, over `transcriptHash`. */
export function signedContent(transcriptHash: Uint8Array): Buffer {
  const context = Buffer.from(`${' '.repeat(64)}TLS 1.3, server CertificateVerify\0`, 'latin1');
  return Buffer.concat([context, transcriptHash]);
}

export function certificateVerify(
  transcriptHash: Uint8Array,
  key: KeyObject = KEY.privateKey,
  scheme = 0x0403,
): Buffer {
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  const options = key.asymmetricKeyType === 'rsa' ? { key, ...pss } : { key };
  const signature = sign('sha256', signedContent(transcriptHash), options);
  return handshake(TYPE.certificateVerify, Buffer.concat([u16(scheme), vector16(signature)]));
}

export const finished13 = handshake(TYPE.finished, Buffer.alloc(32, 0xf1));

/** The messages with a CertificateVerify behind them that fits what came before, and Finished. */
export function signedMessages(
  before: Transcript,
  messages: readonly Buffer[],
  key: KeyObject = KEY.privateKey,
): Buffer[] {
  for (const message of messages) before.add(message[0]!, message.subarray(4));
  const scheme = key.asymmetricKeyType === 'rsa' ? 0x0804 : 0x0403;
  return [...messages, certificateVerify(before.digest(), key, scheme), finished13];
}

export interface SealOptions {
  /** Octets of content in a record. */
  readonly size?: number;
  readonly padding?: number;
}

/** Messages in encrypted records, cut anew wherever `size` says. */
export function sealed(
  suite: Tls13Suite,
  secret: Uint8Array,
  messages: readonly Uint8Array[],
  { size = 16_384, padding = 0 }: SealOptions = {},
): Buffer {
  const protection = new RecordProtection(suite, secret);
  const stream = Buffer.concat(messages);
  const records: Uint8Array[] = [];
  for (let at = 0; at < stream.length; at += size) {
    records.push(protection.seal(22, stream.subarray(at, at + size), padding));
  }
  return Buffer.concat(records);
}
