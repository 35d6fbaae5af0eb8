/**
 * What asn1js and pkijs make of a structure, to hold our own readers against. They are lenient (they take BER and pass
 * over what follows the fields they know), so what they read counts only if writing it again gives the very octets.
 */
import { fromBER } from 'asn1js';
import type { AsnType } from 'asn1js';
import type { PkiObject } from 'pkijs';

/** Null when the bytes are not exactly one value. */
export function decode(der: Uint8Array): AsnType | null {
  if (der.length > MAX_OCTETS) return null;
  try {
    const { offset, result } = fromBER(der, LIMITS);
    return offset === der.length ? result : null;
  } catch {
    return null;
  }
}

/** Null when the bytes are not exactly one value of this type, in the one encoding that DER has for it. */
export function decodeAs<T extends PkiObject>(der: Uint8Array, Type: PkiType<T>): T | null {
  const schema = decode(der);
  if (schema === null) return null;
  try {
    const value = new Type({ schema });
    return Buffer.compare(new Uint8Array(value.toSchema().toBER()), der) === 0 ? value : null;
  } catch {
    return null;
  }
}

export type PkiType<T extends PkiObject> = new (parameters: { schema: AsnType }) => T;

/** Names take a few hundred octets, everything else less. */
const MAX_OCTETS = 2_048;
const LIMITS = { maxDepth: 32, maxNodes: 256, parseEmbedded: false };
