/**
 * Concrete public keys as text: `rsa:<hex>`, `ec:<hex>`, `dsa:<hex>` as xt_sslpin 1.0 takes them, `ec(P-256):<hex>`,
 * `ed25519:<hex>`, and each of them with a whole SubjectPublicKeyInfo for its hex. Checked when it is read, so that a
 * slip of the pen is an error and not a pin that never matches.
 */
import { fromBase64 } from '../../bytes/base64.ts';
import { fromHex, toHex } from '../../bytes/hex.ts';
import { curveOf, curveOfPoint, liesOn } from '../../x509/curves.ts';
import { DerReader, TAG } from '../../x509/der.ts';
import { KEY_ALGORITHM, keyKind, readSpki } from '../../x509/spki.ts';

export type ParsedKey =
  | { readonly key: string; readonly weakness: string | null }
  /** A whole SubjectPublicKeyInfo must be compared: the concrete key alone would not tell. */
  | { readonly spki: Uint8Array }
  | { readonly error: string };

/** `rest` is what follows the algorithm: an optional `(curve)`, a colon, hex. */
export function parseKey(algorithm: string, rest: string): ParsedKey {
  const [, curveName, hex] = /^(?:\(([^)]*)\))?:(.*)$/s.exec(rest) ?? [];
  const bytes = fromHex(hex ?? '');
  if (bytes === undefined) return notHex(algorithm, curveName, hex ?? '');
  if (curveName !== undefined && algorithm !== 'ec') return { error: `${algorithm} keys have no curve` };
  const spki = readSpki(bytes);
  if (spki !== null) return keyOfWhole(algorithm, curveName, bytes);
  switch (algorithm) {
    case 'rsa':
    case 'rsa-pss':
      return isRsaPublicKey(bytes)
        ? { key: `${algorithm}:${toHex(bytes)}`, weakness: null }
        : {
            error: `${algorithm}: needs the DER of RSAPublicKey (modulus and exponent: 30…0203010001) or of the whole key`,
          };
    case 'dsa':
      return isInteger(bytes)
        ? { key: `dsa:${toHex(bytes)}`, weakness: DSA_WEAKNESS }
        : { error: 'dsa: needs the DER INTEGER of the key (02…) or the DER of the whole SubjectPublicKeyInfo' };
    case 'ec':
      return ecKey(curveName, bytes);
    default:
      return edwardsKey(algorithm, bytes);
  }
}

function notHex(algorithm: string, curveName: string | undefined, text: string): { readonly error: string } {
  const base64 = fromBase64(text);
  if (base64 === undefined) return { error: `${algorithm}: needs the key in hex` };
  const prefix = curveName === undefined ? algorithm : `${algorithm}(${curveName})`;
  return { error: `${algorithm}: is written in hex, and this is base64: write "${prefix}:${toHex(base64)}"` };
}

function keyOfWhole(algorithm: string, curveName: string | undefined, bytes: Uint8Array): ParsedKey {
  const publicKey = readSpki(bytes)!;
  if (publicKey.algorithm === KEY_ALGORITHM.dsa && algorithm === 'dsa') return { spki: bytes };
  const kind = keyKind(publicKey);
  const wanted = curveName === undefined ? algorithm : `ec(${curveOf(curveName)?.name ?? curveName})`;
  if (kind === null && algorithm === 'ec') {
    return { error: 'this key spells its curve out by its parameters, which no certificate may do (RFC 5480)' };
  }
  if (kind === null || (kind !== wanted && !(wanted === 'ec' && kind.startsWith('ec(')))) {
    return { error: `this is the DER of another kind of key: ${kind ?? publicKey.algorithm}` };
  }
  return { key: `${kind}:${toHex(publicKey.key)}`, weakness: null };
}

function ecKey(curveName: string | undefined, point: Uint8Array): ParsedKey {
  if (curveName === undefined) {
    if (point[0] !== 0x04)
      return { error: 'an ec key without its curve must be an uncompressed point (04…): write ec(P-256):' };
    const curve = curveOfPoint(point);
    if (curve === undefined)
      return { error: 'this point lies on no curve that is known here: write ec(<curve or OID>):' };
    return { key: `ec(${curve.name}):${toHex(point)}`, weakness: null };
  }
  const curve = curveOf(curveName);
  if (curve === undefined) {
    if (!/^[0-2](\.\d+)+$/.test(curveName)) {
      return { error: `no curve "${curveName}" is known here: write its name (P-256, P-384, P-521, …) or its OID` };
    }
    return { key: `ec(${curveName}):${toHex(point)}`, weakness: null };
  }
  const compressed = (point[0] === 0x02 || point[0] === 0x03) && point.length === 1 + curve.size;
  if (!compressed && !liesOn(curve, point)) return { error: `this is not a point of ${curve.name}` };
  return { key: `ec(${curve.name}):${toHex(point)}`, weakness: null };
}

function edwardsKey(algorithm: string, key: Uint8Array): ParsedKey {
  const size = algorithm === 'ed25519' ? 32 : 57;
  if (key.length !== size) return { error: `${algorithm}: needs a key of ${size} octets` };
  return { key: `${algorithm}:${toHex(key)}`, weakness: null };
}

/** RFC 8017 §A.1.1. */
function isRsaPublicKey(bytes: Uint8Array): boolean {
  const top = new DerReader(bytes);
  const key = top.enter(TAG.sequence);
  key.expect(TAG.integer);
  key.expect(TAG.integer);
  key.finish();
  top.finish();
  return top.ok;
}

function isInteger(bytes: Uint8Array): boolean {
  const top = new DerReader(bytes);
  top.expect(TAG.integer);
  return top.atEnd();
}

/** With g = y, the private key of any y is 1. */
const DSA_WEAKNESS =
  'a DSA key without its parameters can be forged with parameters of the attacker: pin the whole SubjectPublicKeyInfo';
