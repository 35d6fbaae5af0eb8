/** TLS up to 1.2 as bytes, made by hand: handshake messages, and records in whatever pieces a test wants. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

const u8 = (value: number): Buffer => Buffer.from([value]);
const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
const u24 = (value: number): Buffer => Buffer.from([value >> 16, (value >> 8) & 0xff, value & 0xff]);
const vector8 = (body: Uint8Array): Buffer => Buffer.concat([u8(body.length), body]);
const vector16 = (body: Uint8Array): Buffer => Buffer.concat([u16(body.length), body]);
const vector24 = (body: Uint8Array): Buffer => Buffer.concat([u24(body.length), body]);

/** RFC 8446 §5.1: record content types. */
export const CONTENT = { changeCipherSpec: 20, alert: 21, handshake: 22, applicationData: 23 } as const;

/** RFC 5246 §7.4: handshake types. */
export const HANDSHAKE = {
  helloRequest: 0,
  clientHello: 1,
  serverHello: 2,
  certificate: 11,
  serverKeyExchange: 12,
  serverHelloDone: 14,
} as const;

export function record(type: number, body: Uint8Array, version = 0x0303): Buffer {
  return Buffer.concat([u8(type), u16(version), vector16(body)]);
}

/** The same octets in records of at most `size`. */
export function records(type: number, body: Uint8Array, size: number, version = 0x0303): Buffer {
  const parts: Buffer[] = [];
  for (let from = 0; from < body.length; from += size)
    parts.push(record(type, body.subarray(from, from + size), version));
  return Buffer.concat(parts);
}

export function handshake(type: number, body: Uint8Array): Buffer {
  return Buffer.concat([u8(type), vector24(body)]);
}

function extension(type: number, body: Uint8Array): Buffer {
  return Buffer.concat([u16(type), vector16(body)]);
}

/** RFC 6066 §3. */
function serverName(name: string): Buffer {
  return extension(0, vector16(Buffer.concat([u8(0), vector16(Buffer.from(name, 'latin1'))])));
}

/** A TLS 1.2 ClientHello in one record; without a name where none is given. */
export function clientHello(name?: string): Buffer {
  const extensions = [
    ...(name === undefined ? [] : [serverName(name)]),
    extension(10, vector16(Buffer.concat([u16(29), u16(23)]))),
    extension(11, vector8(u8(0))),
    extension(13, vector16(Buffer.concat([u16(0x0403), u16(0x0804), u16(0x0401)]))),
  ];
  const body = Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32, 0xc1),
    vector8(Buffer.alloc(0)),
    vector16(Buffer.concat([u16(0xc02b), u16(0xc02f), u16(0x009c)])),
    vector8(u8(0)),
    vector16(Buffer.concat(extensions)),
  ]);
  return record(CONTENT.handshake, handshake(HANDSHAKE.clientHello, body), 0x0301);
}

/** With static RSA as the suite unless told: nothing but the certificate is then to be seen. */
export function serverHello(cipherSuite = 0x009c): Buffer {
  const body = Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32, 0x5e),
    vector8(Buffer.alloc(32, 7)),
    u16(cipherSuite),
    u8(0),
  ]);
  return handshake(HANDSHAKE.serverHello, body);
}

/** From PEM files, in this order. */
export function certificateMessage(...files: readonly string[]): Buffer {
  const list = files.map((file) => vector24(new X509Certificate(readFileSync(file)).raw));
  return handshake(HANDSHAKE.certificate, vector24(Buffer.concat(list)));
}

export const serverHelloDone = handshake(HANDSHAKE.serverHelloDone, Buffer.alloc(0));
export const helloRequest = handshake(HANDSHAKE.helloRequest, Buffer.alloc(0));

/** ServerHello, Certificate, ServerHelloDone, in one record. */
export function serverFlight(...files: readonly string[]): Buffer {
  return record(CONTENT.handshake, Buffer.concat([serverHello(), certificateMessage(...files), serverHelloDone]));
}

/** RFC 5246 §7.2. */
export function alert(level: 'warning' | 'fatal', description: number): Buffer {
  return record(CONTENT.alert, Buffer.from([level === 'warning' ? 1 : 2, description]));
}

/** What a client would see in received octets: the handshake stream, whatever its records, and the alerts. */
export function readFlight(received: Uint8Array): {
  handshake: Buffer;
  alerts: { level: number; description: number }[];
} {
  const bytes = Buffer.from(received);
  const parts: Buffer[] = [];
  const alerts: { level: number; description: number }[] = [];
  for (let at = 0; at + 5 <= bytes.length;) {
    const body = bytes.subarray(at + 5, at + 5 + bytes.readUInt16BE(at + 3));
    if (bytes[at] === CONTENT.handshake) parts.push(body);
    if (bytes[at] === CONTENT.alert && body.length >= 2) alerts.push({ level: body[0]!, description: body[1]! });
    at += 5 + bytes.readUInt16BE(at + 3);
  }
  return { handshake: Buffer.concat(parts), alerts };
}

/** The DER of a PEM file's first certificate. */
export function der(file: string): Buffer {
  return new X509Certificate(readFileSync(file)).raw;
}
