/** DTLS (RFC 6347) octet by octet, made of the messages of TLS: records, fragments, the cookie of a ClientHello. */
import { vector16, vector8 } from './tls-bytes.ts';

export interface RecordFields {
  readonly version?: number;
  readonly epoch?: number;
}

/** A record; the sequence number is nothing that anybody here reads. */
export function dtlsRecord(type: number, fragment: Uint8Array, fields: RecordFields = {}): Buffer {
  const { version = 0xfefd, epoch = 0 } = fields;
  const head = Buffer.of(type, version >> 8, version & 0xff, epoch >> 8, epoch & 0xff, 0, 0, 0, 0, 0, 1);
  return Buffer.concat([head, vector16(fragment)]);
}

/** A message of TLS, header and all, as fragments of at most `size` octets with their headers. */
export function fragments(whole: Uint8Array, messageSeq: number, size = Infinity): Buffer[] {
  const [type, body] = [whole[0]!, whole.subarray(4)];
  const made: Buffer[] = [];
  for (let at = 0; at === 0 || at < body.length; at += size) made.push(fragment(type, messageSeq, body, at, at + size));
  return made;
}

/** The octets from `from` to `to` of a message's body, with the header of a fragment. */
export function fragment(type: number, messageSeq: number, body: Uint8Array, from: number, to: number): Buffer {
  const part = body.subarray(from, Math.min(to, body.length));
  const u24 = (value: number) => Buffer.of(value >> 16, (value >> 8) & 0xff, value & 0xff);
  return Buffer.concat([
    Buffer.of(type),
    u24(body.length),
    Buffer.of(messageSeq >> 8, messageSeq & 0xff),
    u24(from),
    u24(part.length),
    part,
  ]);
}

/** A ClientHello of TLS with a cookie, and the version that datagrams have. */
export function withCookie(hello: Uint8Array, cookie: Uint8Array = Buffer.alloc(0)): Buffer {
  const body = Buffer.from(hello.subarray(4));
  body.writeUInt16BE(0xfefd);
  const cookieAt = 2 + 32 + 1 + body[34]!;
  return message(1, Buffer.concat([body.subarray(0, cookieAt), vector8(cookie), body.subarray(cookieAt)]));
}

/** A ServerHello of TLS with the version that datagrams have. */
export function overDatagrams(hello: Uint8Array, version = 0xfefd): Buffer {
  const out = Buffer.from(hello);
  out.writeUInt16BE(version, 4);
  return out;
}

export function helloVerifyRequest(cookie: Uint8Array): Buffer {
  return message(3, Buffer.concat([Buffer.of(0xfe, 0xff), vector8(cookie)]));
}

/** Cuts the octets of several messages of TLS into the messages. */
export function messagesOf(octets: Uint8Array): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < octets.length;) {
    const end = at + 4 + Buffer.from(octets).readUIntBE(at + 1, 3);
    messages.push(Buffer.from(octets.subarray(at, end)));
    at = end;
  }
  return messages;
}

function message(type: number, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(type, body.length >> 16, (body.length >> 8) & 0xff, body.length & 0xff), body]);
}
