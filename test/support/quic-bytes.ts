/** QUIC packets octet by octet: long headers, frames, and the protection of Initial packets, sealed rather than opened. */
import { createCipheriv } from 'node:crypto';

import type { InitialKeys } from '../../src/quic/initial-protection.ts';
import { initialKeys } from '../../src/quic/initial-protection.ts';
import { QUIC_V1, quicVersion } from '../../src/quic/version.ts';

export interface InitialFields {
  readonly version?: number;
  readonly dcid?: Uint8Array;
  readonly scid?: Uint8Array;
  readonly token?: Uint8Array;
  readonly packetNumber?: number;
  /** Whose keys; the connection ID that they follow from, where it is not `dcid`. */
  readonly from?: 'client' | 'server';
  readonly originalDcid?: Uint8Array;
  /** PADDING is added up to this many octets of frames. */
  readonly padTo?: number;
}

export const DCID = Buffer.from('8394c8f03e515708', 'hex');

/** RFC 9000 §16, in the shortest form. */
export function varint(value: number): Buffer {
  if (value < 0x40) return Buffer.of(value);
  if (value < 0x4000) return Buffer.of(0x40 | (value >> 8), value & 0xff);
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE((0x80000000 | value) >>> 0);
  return octets;
}

export function cryptoFrame(offset: number, data: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(6), varint(offset), varint(data.length), data]);
}

/** An Initial packet with a packet number of four octets. */
export function initialPacket(frames: Uint8Array, fields: InitialFields = {}): Buffer {
  const { version = QUIC_V1, dcid = DCID, scid = Buffer.alloc(0), token = Buffer.alloc(0), from = 'client' } = fields;
  const known = quicVersion(version)!;
  const padded = Buffer.concat([frames, Buffer.alloc(Math.max(4, fields.padTo ?? 0, frames.length) - frames.length)]);
  const header = Buffer.concat([
    Buffer.of(0xc3 | known.types.initial),
    u32(version),
    Buffer.of(dcid.length),
    dcid,
    Buffer.of(scid.length),
    scid,
    varint(token.length),
    token,
    Buffer.of(0x40 | ((padded.length + 20) >> 8), (padded.length + 20) & 0xff),
    u32(fields.packetNumber ?? 0),
  ]);
  return seal(header, 4, padded, initialKeys(known, fields.originalDcid ?? dcid, from));
}

/** Protects a packet whose header is given as RFC 9001 §5.3 authenticates it; the packet number ends the header. */
export function seal(header: Buffer, packetNumberLength: number, frames: Uint8Array, keys: InitialKeys): Buffer {
  const packetNumber = header.readUIntBE(header.length - packetNumberLength, packetNumberLength);
  const nonce = Buffer.from(keys.iv);
  nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ packetNumber) >>> 0, 8);
  const cipher = createCipheriv('aes-128-gcm', keys.key, nonce);
  cipher.setAAD(header);
  const payload = Buffer.concat([cipher.update(frames), cipher.final(), cipher.getAuthTag()]);
  const hp = createCipheriv('aes-128-ecb', keys.hp, null).setAutoPadding(false);
  const mask = hp.update(payload.subarray(4 - packetNumberLength, 20 - packetNumberLength));
  const masked = Buffer.from(header);
  masked[0]! ^= mask[0]! & 0x0f;
  for (let i = 0; i < packetNumberLength; i++) masked[header.length - packetNumberLength + i]! ^= mask[1 + i]!;
  return Buffer.concat([masked, payload]);
}

/** A long header without anything to read in it. */
export function longPacket(type: number, version: number, rest: Uint8Array, dcid: Uint8Array = DCID): Buffer {
  return Buffer.concat([Buffer.of(0xc0 | type), u32(version), Buffer.of(dcid.length), dcid, Buffer.of(0), rest]);
}

/** RFC 9000 §17.2.5: what a server sends that wants the client to begin again with `scid`. */
export function retryPacket(scid: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(0xf0), u32(QUIC_V1), Buffer.of(0, scid.length), scid, Buffer.alloc(20, 0x74)]);
}

function u32(value: number): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(value >>> 0);
  return octets;
}
