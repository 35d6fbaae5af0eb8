/**
 * SubjectPublicKeyInfo (RFC 5280 §4.1.2.7, RFC 3279, RFC 5480, RFC 8410): where it is in a certificate, and the
 * concrete key in it, spelled as key pins are: `rsa:<hex>`, `ec(P-256):<hex>`, `dsa:<hex>`, `ed25519:<hex>`. The hex is
 * what the BIT STRING holds after its count of unused bits, which is what xt_sslpin 1.0 compared; the curve, which it
 * did not compare, is part of the spelling.
 */
import { toHex } from '../bytes/hex.ts';
import { curveOf } from './curves.ts';
import { DerReader, oidText, TAG } from './der.ts';
import { outlineOf } from './outline.ts';

export interface SubjectPublicKey {
  /** Object identifier of the algorithm. */
  readonly algorithm: string;
  /** The AlgorithmIdentifier's parameters, header included; empty when there are none. */
  readonly parameters: Uint8Array;
  /** What the BIT STRING holds. */
  readonly key: Uint8Array;
}

/** The SubjectPublicKeyInfo element of a certificate, a view; null where a strict walk finds none. */
export function spkiOf(certificate: Uint8Array): Uint8Array | null {
  const outline = outlineOf(certificate);
  return outline === null ? null : certificate.subarray(outline.spki.start, outline.spki.end);
}

/** Null when the bytes are not exactly one SubjectPublicKeyInfo. */
export function readSpki(spki: Uint8Array): SubjectPublicKey | null {
  const top = new DerReader(spki);
  const info = top.enter(TAG.sequence);
  const algorithmIdentifier = info.enter(TAG.sequence);
  const algorithm = oidText(algorithmIdentifier.content(algorithmIdentifier.expect(TAG.oid)));
  const parameters = algorithmIdentifier.more() ? algorithmIdentifier.whole(algorithmIdentifier.next()) : NONE;
  algorithmIdentifier.finish();
  const bits = info.content(info.expect(TAG.bitString));
  info.finish();
  top.finish();
  if (!top.ok || algorithm === undefined || bits.length < 2 || bits[0] !== 0) return null;
  return { algorithm, parameters, key: bits.subarray(1) };
}

/** The concrete key as pins spell it; null when the algorithm is unknown or its curve is not named. */
export function keyOf(spki: Uint8Array): string | null {
  const publicKey = readSpki(spki);
  if (publicKey === null) return null;
  const kind = keyKind(publicKey);
  return kind === null ? null : `${kind}:${toHex(publicKey.key)}`;
}

/** Algorithms whose keys have a spelling of their own. */
export const KEY_ALGORITHM = {
  rsa: '1.2.840.113549.1.1.1',
  rsaPss: '1.2.840.113549.1.1.10',
  dsa: '1.2.840.10040.4.1',
  ec: '1.2.840.10045.2.1',
  ed25519: '1.3.101.112',
  ed448: '1.3.101.113',
} as const;

/** What stands before the colon: the algorithm, for `ec` with its curve. */
export function keyKind(publicKey: SubjectPublicKey): string | null {
  switch (publicKey.algorithm) {
    case KEY_ALGORITHM.rsa:
      return 'rsa';
    case KEY_ALGORITHM.rsaPss:
      return 'rsa-pss';
    case KEY_ALGORITHM.dsa:
      return 'dsa';
    case KEY_ALGORITHM.ed25519:
      return 'ed25519';
    case KEY_ALGORITHM.ed448:
      return 'ed448';
    case KEY_ALGORITHM.ec:
      return ecKind(publicKey.parameters);
    default:
      return null;
  }
}

/**
 * RFC 5480 §2.1.1: only namedCurve may be used. A curve spelled out by its parameters can be made to fit any point
 * (CVE-2020-0601), so such a key has no spelling and no key pin matches it.
 */
function ecKind(parameters: Uint8Array): string | null {
  const reader = new DerReader(parameters);
  const oid = oidText(reader.content(reader.expect(TAG.oid)));
  reader.finish();
  if (!reader.ok || oid === undefined) return null;
  return `ec(${curveOf(oid)?.name ?? oid})`;
}

const NONE = new Uint8Array(0);
