/**
 * Protection of Initial packets (RFC 9001 §5, RFC 9369 §3.3): its keys follow from the version and from the connection
 * ID that the client chose first, so everybody on the path has them. Owns header protection, AES-128-GCM and packet
 * numbers of one direction; knows no frames.
 */
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';

import { copyOf } from '../bytes/copy.ts';
import type { LongHeader } from './packet.ts';
import type { QuicVersion } from './version.ts';

export class InitialProtection {
  readonly #keys: InitialKeys;
  /** RFC 9000 appendix A.3: packet numbers are told relative to it. */
  #largest = -1;

  constructor(keys: InitialKeys) {
    this.#keys = keys;
  }

  /** The packet's frames; undefined when it was not made with these keys, or was changed. */
  open(bytes: Uint8Array, header: LongHeader): Uint8Array | undefined {
    const { packetNumberAt, start, end } = header;
    const sampleAt = packetNumberAt + SAMPLE_OFFSET;
    if (sampleAt + SAMPLE_LENGTH > end) return undefined;
    const mask = this.#mask(bytes.subarray(sampleAt, sampleAt + SAMPLE_LENGTH));
    const first = bytes[start]! ^ (mask[0]! & 0x0f);
    const packetNumberLength = (first & 0x03) + 1;
    const payloadAt = packetNumberAt + packetNumberLength;
    // The associated data is the header as it was before its protection (RFC 9001 §5.3).
    const unprotected = copyOf(bytes, start, payloadAt);
    unprotected[0] = first;
    let truncated = 0;
    for (let i = 0; i < packetNumberLength; i++) {
      const at = packetNumberAt - start + i;
      unprotected[at]! ^= mask[1 + i]!;
      truncated = truncated * 256 + unprotected[at]!;
    }
    const packetNumber = expandPacketNumber(this.#largest, truncated, packetNumberLength);
    const payload = this.#open(packetNumber, unprotected, bytes.subarray(payloadAt, end));
    if (payload !== undefined) this.#largest = Math.max(this.#largest, packetNumber);
    return payload;
  }

  /** RFC 9001 §5.4.3. */
  #mask(sample: Uint8Array): Uint8Array {
    const cipher = createCipheriv('aes-128-ecb', this.#keys.hp, null);
    cipher.setAutoPadding(false);
    return cipher.update(sample);
  }

  #open(packetNumber: number, associatedData: Uint8Array, octets: Uint8Array): Uint8Array | undefined {
    const length = octets.length - TAG_LENGTH;
    const decipher = createDecipheriv('aes-128-gcm', this.#keys.key, nonceOf(this.#keys.iv, packetNumber), {
      authTagLength: TAG_LENGTH,
    });
    decipher.setAuthTag(octets.subarray(length));
    decipher.setAAD(associatedData, { plaintextLength: length });
    // The cipher has no other way to say that a packet is not authentic.
    try {
      const payload = decipher.update(octets.subarray(0, length));
      decipher.final();
      return payload;
    } catch {
      return undefined;
    }
  }
}

export interface InitialKeys {
  readonly key: Uint8Array;
  readonly iv: Uint8Array;
  readonly hp: Uint8Array;
}

/** RFC 9001 §5.2. `dcid`: the Destination Connection ID of the client's first Initial packet, or of the first after a Retry. */
export function initialKeys(version: QuicVersion, dcid: Uint8Array, from: 'client' | 'server'): InitialKeys {
  const initialSecret = hmac(version.initialSalt, dcid);
  const secret = expandLabel(initialSecret, `${from} in`, 32);
  return {
    key: expandLabel(secret, `${version.label} key`, 16),
    iv: expandLabel(secret, `${version.label} iv`, 12),
    hp: expandLabel(secret, `${version.label} hp`, 16),
  };
}

/** HKDF-Expand-Label (RFC 8446 §7.1) without a context, of at most one block. */
function expandLabel(secret: Uint8Array, label: string, length: number): Uint8Array {
  const name = Buffer.from(`tls13 ${label}`, 'latin1');
  return hmac(secret, Uint8Array.of(0, length, name.length, ...name, 0, 1)).subarray(0, length);
}

function hmac(key: Uint8Array, data: Uint8Array): Uint8Array {
  return createHmac('sha256', key).update(data).digest();
}

/** RFC 9000 appendix A.3: of all numbers that end in these octets the one next to the expected one. */
function expandPacketNumber(largest: number, truncated: number, octets: number): number {
  const expected = largest + 1;
  const window = 2 ** (8 * octets);
  const candidate = expected - (expected % window) + truncated;
  if (candidate <= expected - window / 2) return candidate + window;
  return candidate > expected + window / 2 && candidate >= window ? candidate - window : candidate;
}

/** RFC 9001 §5.3: the packet number, padded on the left, over the IV. */
function nonceOf(iv: Uint8Array, packetNumber: number): Uint8Array {
  const nonce = copyOf(iv);
  for (let at = nonce.length - 1, rest = packetNumber; rest > 0 && at > 3; at--) {
    nonce[at]! ^= rest % 256;
    rest = Math.floor(rest / 256);
  }
  return nonce;
}

/** RFC 9001 §5.4.2: the sample begins where a packet number of four octets would end. */
const SAMPLE_OFFSET = 4;
const SAMPLE_LENGTH = 16;
const TAG_LENGTH = 16;
