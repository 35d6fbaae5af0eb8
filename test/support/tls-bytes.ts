/** TLS up to 1.2 as bytes, made by hand: handshake messages, and records in whatever pieces a test wants. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

const u8 = (value: number): Buffer => Buffer.from([value]);
export const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
const u24 = (value: number): Buffer => Buffer.from([value >> 16, (value >> 8) & 0xff, value & 0xff]);
export const vector8 = (body: Uint8Array): Buffer => Buffer.concat([u8(body.length), body]);
export const vector16 = (body: Uint8Array): Buffer => Buffer.concat([u16(body.length), body]);
export const vector24 = (body: Uint8Array): Buffer => Buffer.concat([u24(body.length), body]);

/** RFC 8446 §5.1: record content types. */
export const CONTENT = { changeCipherSpec: 20, alert: 21, handshake: 22, applicationData: 23 } as const;

/** RFC 5246 §7.4: handshake types. */
export const HANDSHAKE = {
  helloRequest: 0,
  clientHello: 1,
  serverHello: 2,
  newSessionTicket: 4,
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

export function extension(type: number, body: Uint8Array): Buffer {
  return Buffer.concat([u16(type), vector16(body)]);
}

/** RFC 6066 §3. */
export function serverName(name: string): Buffer {
  return extension(0, vector16(Buffer.concat([u8(0), vector16(Buffer.from(name, 'latin1'))])));
}

/** What a hello may carry besides the ordinary. */
export interface HelloFields {
  readonly name?: string | undefined;
  readonly version?: number;
  readonly random?: Uint8Array;
  readonly sessionId?: Uint8Array;
  readonly suites?: readonly number[];
  /** Empty: support for tickets is announced. */
  readonly ticket?: Uint8Array;
  readonly alpns?: readonly string[];
  readonly supportedVersions?: readonly number[];
  readonly earlyData?: boolean;
  readonly psk?: boolean;
  readonly ech?: boolean;
  readonly rawPublicKey?: boolean;
  /** Any others, in front of those above. */
  readonly extensions?: readonly Buffer[];
}

export function clientHelloMessage(fields: HelloFields = {}): Buffer {
  const { name, ticket, alpns, supportedVersions: versions } = fields;
  const extensions = [
    ...(fields.extensions ?? []),
    ...(name === undefined ? [] : [serverName(name)]),
    extension(10, vector16(Buffer.concat([u16(29), u16(23)]))),
    extension(11, vector8(u8(0))),
    extension(13, vector16(Buffer.concat([u16(0x0403), u16(0x0804), u16(0x0401)]))),
    ...(ticket === undefined ? [] : [extension(35, ticket)]),
    ...(alpns === undefined ? [] : [extension(16, vector16(Buffer.concat(alpns.map((a) => vector8(Buffer.from(a))))))]),
    ...(versions === undefined ? [] : [extension(43, vector8(Buffer.concat(versions.map(u16))))]),
    ...(fields.earlyData ? [extension(42, Buffer.alloc(0))] : []),
    ...(fields.ech ? [extension(0xfe0d, Buffer.alloc(40, 0xec))] : []),
    ...(fields.rawPublicKey ? [extension(20, vector8(Buffer.from([2, 0])))] : []),
    ...(fields.psk ? [extension(41, Buffer.alloc(60, 0x9a))] : []),
  ];
  const body = Buffer.concat([
    u16(fields.version ?? 0x0303),
    fields.random ?? Buffer.alloc(32, 0xc1),
    vector8(fields.sessionId ?? Buffer.alloc(0)),
    vector16(Buffer.concat((fields.suites ?? [0xc02b, 0xc02f, 0x009c]).map(u16))),
    vector8(u8(0)),
    vector16(Buffer.concat(extensions)),
  ]);
  return handshake(HANDSHAKE.clientHello, body);
}

/** A TLS 1.2 ClientHello in one record; without a name where none is given. */
export function clientHello(fields?: string | HelloFields): Buffer {
  const message = clientHelloMessage(typeof fields === 'string' ? { name: fields } : fields);
  return record(CONTENT.handshake, message, 0x0301);
}

export interface ServerHelloFields {
  readonly suite?: number;
  readonly version?: number;
  readonly random?: Uint8Array;
  readonly sessionId?: Uint8Array;
  /** Answers the session_ticket extension. */
  readonly ticket?: boolean;
  readonly selectedVersion?: number;
  readonly rawPublicKey?: boolean;
  readonly extensions?: readonly Buffer[];
}

/** With static RSA as the suite unless told: nothing but the certificate is then to be seen. */
export function serverHello(fields: number | ServerHelloFields = {}): Buffer {
  const given = typeof fields === 'number' ? { suite: fields } : fields;
  const { selectedVersion } = given;
  const extensions = [
    ...(given.extensions ?? []),
    ...(given.ticket ? [extension(35, Buffer.alloc(0))] : []),
    ...(given.rawPublicKey ? [extension(20, u8(2))] : []),
    ...(selectedVersion === undefined ? [] : [extension(43, u16(selectedVersion))]),
  ];
  const body = Buffer.concat([
    u16(given.version ?? 0x0303),
    given.random ?? Buffer.alloc(32, 0x5e),
    vector8(given.sessionId ?? Buffer.alloc(0)),
    u16(given.suite ?? 0x009c),
    u8(0),
    ...(extensions.length === 0 ? [] : [vector16(Buffer.concat(extensions))]),
  ]);
  return handshake(HANDSHAKE.serverHello, body);
}

/** TLS 1.3: what follows is encrypted. */
export const serverHello13 = serverHello({ suite: 0x1301, selectedVersion: 0x0304, extensions: [keyShare()] });
/** RFC 8446 §4.1.4. */
export const helloRetryRequest = serverHello({
  suite: 0x1301,
  selectedVersion: 0x0304,
  random: Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex'),
  extensions: [extension(51, u16(23))],
});

function keyShare(): Buffer {
  return extension(51, Buffer.concat([u16(29), vector16(Buffer.alloc(32, 0x4b))]));
}

/** RFC 8422 §5.4, on X25519, with a signature that proves nothing. */
export function serverKeyExchange(fields: { scheme?: number | null; signature?: Uint8Array } = {}): Buffer {
  const { scheme = 0x0804, signature = Buffer.alloc(256, 0x51) } = fields;
  const params = Buffer.concat([u8(3), u16(29), vector8(Buffer.alloc(32, 0xb0))]);
  const body = Buffer.concat([params, ...(scheme === null ? [] : [u16(scheme)]), vector16(signature)]);
  return handshake(HANDSHAKE.serverKeyExchange, body);
}

/** RFC 5077 §3.3. */
export function newSessionTicket(ticket: Uint8Array, lifetime = 7200): Buffer {
  return handshake(HANDSHAKE.newSessionTicket, Buffer.concat([u16(0), u16(lifetime), vector16(ticket)]));
}

export const changeCipherSpec = record(CONTENT.changeCipherSpec, u8(1));
/** An encrypted Finished, as far as anybody else can tell. */
export const finished = record(CONTENT.handshake, Buffer.alloc(40, 0xf1));
export const applicationData = record(CONTENT.applicationData, Buffer.alloc(100, 0xad));
/** Of a client: ClientKeyExchange, ChangeCipherSpec, Finished. */
export const clientFinish = Buffer.concat([
  record(CONTENT.handshake, handshake(16, vector16(Buffer.alloc(65, 0x0c)))),
  changeCipherSpec,
  finished,
]);

/** draft-hickman-netscape-ssl-00: a CLIENT-HELLO that offers up to `version`. */
export function ssl2ClientHello(version = 0x0301): Buffer {
  const body = Buffer.concat([u8(1), u16(version), u16(6), u16(0), u16(16), u24(0x2f), u24(0x010080)]);
  return ssl2Record(Buffer.concat([body, Buffer.alloc(16, 0xc2)]));
}

export function ssl2ServerHello(certificate: Uint8Array): Buffer {
  const head = Buffer.concat([u8(4), u8(0), u8(1), u16(2), u16(certificate.length), u16(3), u16(16)]);
  return ssl2Record(Buffer.concat([head, certificate, u24(0x010080), Buffer.alloc(16, 0x1d)]));
}

function ssl2Record(body: Uint8Array): Buffer {
  return Buffer.concat([u16(0x8000 | body.length), body]);
}

/** From PEM files, in this order. */
export function certificateMessage(...files: readonly string[]): Buffer {
  return certificateMessageOf(...files.map((file) => new X509Certificate(readFileSync(file)).raw));
}

/** From DER, or from any octets. */
export function certificateMessageOf(...certificates: readonly Uint8Array[]): Buffer {
  return handshake(HANDSHAKE.certificate, vector24(Buffer.concat(certificates.map(vector24))));
}

export const serverHelloDone = handshake(HANDSHAKE.serverHelloDone, Buffer.alloc(0));
export const helloRequest = handshake(HANDSHAKE.helloRequest, Buffer.alloc(0));

/** ServerHello, Certificate, ServerKeyExchange, ServerHelloDone, in one record. */
export function signedFlight(hello: ServerHelloFields, ...files: readonly string[]): Buffer {
  const messages = [
    serverHello({ suite: 0xc02f, ...hello }),
    certificateMessage(...files),
    serverKeyExchange(),
    serverHelloDone,
  ];
  return record(CONTENT.handshake, Buffer.concat(messages));
}

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
