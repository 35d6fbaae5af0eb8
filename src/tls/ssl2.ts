/**
 * SSLv2 (draft-hickman-netscape-ssl-00), read only far enough to know what was asked for and which certificate was
 * shown: its CLIENT-HELLO, in which old clients also offer SSLv3 and TLS (RFC 5246 appendix E.2), and its SERVER-HELLO,
 * which carries the server's one certificate in clear. Knows no policy.
 */
import { copyOf } from '../bytes/copy.ts';
import { type Fault, malformed } from '../bytes/fault.ts';
import { ByteReader } from '../bytes/reader.ts';
import type { ClientHello } from './client-hello.ts';
import { VERSION } from './constants.ts';

/** True when these first four octets begin an SSLv2 record that holds a message of `type`. */
export function beginsSsl2(first: Uint8Array, type: number): boolean {
  return (
    (first[0]! & 0x80) !== 0 &&
    first[2] === type &&
    (first[3] === 0 || first[3] === 2 || first[3] === 3 || type === SSL2.serverHello)
  );
}

/**
 * True when the octets from `at` on, of which `SSL2_TELLING` tell, are a header whose lengths fit each other: where
 * nothing else says that this is SSLv2, a few octets of many another protocol begin like it.
 */
export function isSsl2Hello(bytes: Uint8Array, at: number, type: number): boolean {
  const u16 = (offset: number): number => (bytes[at + offset]! << 8) | bytes[at + offset + 1]!;
  const length = u16(0) & 0x7fff;
  if ((bytes[at]! & 0x80) === 0 || bytes[at + 2] !== type) return false;
  if (type === SSL2.serverHello) {
    const isKnown = bytes[at + 3]! <= 1 && bytes[at + 4]! <= 1 && u16(5) === VERSION.ssl2;
    return isKnown && length === SSL2_TELLING + u16(7) + u16(9) + u16(11) - 2;
  }
  const [version, ciphers, sessionId, challenge] = [u16(3), u16(5), u16(7), u16(9)];
  const isKnown = OF_SSL2.has(version) || (version >= VERSION.ssl3 && version <= VERSION.tls12);
  return isKnown && ciphers > 0 && ciphers % 3 === 0 && challenge > 0 && length === 9 + ciphers + sessionId + challenge;
}

/** Gathers one SSLv2 record with a two-octet header, however it is cut; the buffer grows with what arrives. */
export class Ssl2RecordReader {
  #bytes: number[] = [];

  /** Octets taken of bytes[start, end); the record once it is complete is in `record`. */
  feed(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && this.record === undefined) {
      this.#bytes.push(bytes[at++]!);
      if (this.#bytes.length >= 2 && this.#bytes.length - 2 === this.#length()) {
        this.record = Uint8Array.from(this.#bytes.slice(2));
        this.#bytes = [];
      }
    }
    return at - start;
  }

  record: Uint8Array | undefined;

  #length(): number {
    return ((this.#bytes[0]! & 0x7f) << 8) | this.#bytes[1]!;
  }
}

/** CLIENT-HELLO; `record` begins with the message type. It can carry no extension, so no name. */
export function parseSsl2ClientHello(record: Uint8Array): ClientHello | Fault {
  const reader = new ByteReader(copyOf(record));
  reader.skip(1);
  const legacyVersion = reader.u16();
  const cipherLength = reader.u16();
  const sessionIdLength = reader.u16();
  const challengeLength = reader.u16();
  const ciphers = reader.sub(cipherLength);
  const sessionId = reader.span(sessionIdLength);
  const challenge = reader.span(challengeLength);
  if (!reader.atEnd() || cipherLength % 3 !== 0 || challengeLength > 32)
    return malformed('tls.ssl2-client-hello.syntax', reader.at);
  const cipherSuites: number[] = [];
  while (ciphers.more()) cipherSuites.push(ciphers.u24());
  // RFC 5246 appendix E.2: the challenge, padded on the left, is the client's random.
  const random = new Uint8Array(32);
  random.set(challenge, 32 - challenge.length);
  return {
    body: reader.bytes,
    legacyVersion,
    random,
    sessionId,
    cipherSuites,
    extensionTypes: [],
    serverName: null,
    name: null,
    isServerNameValid: true,
    alpns: [],
    supportedVersions: [],
    sessionTicket: null,
    offersPsk: false,
    offersEarlyData: false,
    offersEch: false,
    offersRawPublicKey: false,
    isSsl2: true,
    pattern: undefined,
  };
}

export interface Ssl2ServerHello {
  readonly sessionIdHit: boolean;
  /** DER as sent; empty on a session-id hit. */
  readonly certificate: Uint8Array;
}

/** SERVER-HELLO; `record` begins with the message type. */
export function parseSsl2ServerHello(record: Uint8Array): Ssl2ServerHello | Fault {
  const reader = new ByteReader(record);
  const type = reader.u8();
  const sessionIdHit = reader.u8() !== 0;
  const certificateType = reader.u8();
  const version = reader.u16();
  const certificateLength = reader.u16();
  const cipherLength = reader.u16();
  const connectionIdLength = reader.u16();
  const certificate = reader.span(certificateLength);
  reader.skip(cipherLength + connectionIdLength);
  const fits = type === SSL2.serverHello && version === VERSION.ssl2 && certificateType <= 1 && reader.ok;
  return fits ? { sessionIdHit, certificate } : malformed('tls.ssl2-server-hello.syntax', reader.at);
}

/** The second is what clients made of it that had the octets' order wrong. */
const OF_SSL2: ReadonlySet<number> = new Set([VERSION.ssl2, 0x0200]);

/** Octets of either hello's record, from its first, that are of fixed places. */
export const SSL2_TELLING = 13;

/** Message types. */
export const SSL2 = { clientHello: 1, serverHello: 4 } as const;
