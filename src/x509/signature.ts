/**
 * Whether one certificate's signature was made with another's key, by an algorithm that is strong enough: RSA (PKCS #1
 * v1.5 and PSS), ECDSA on NIST's and the Brainpool curves, Ed25519 and Ed448. Everything else is no link.
 */
import { LRUCache } from 'lru-cache';
import { isStrongAlgorithm } from './algorithm.ts';
import type { CertificateFacts } from './facts.ts';
import { publicKeyOf } from './public-key.ts';
import { keyKind, readSpki } from './spki.ts';

/** Never throws. The answer for a pair of certificates is remembered. */
export function isSignedBy(certificate: CertificateFacts, issuer: CertificateFacts): boolean {
  const pair = `${certificate.sha256} ${issuer.sha256}`;
  let answer = answers.get(pair);
  if (answer === undefined) {
    answer = verify(certificate, issuer);
    answers.set(pair, answer);
  }
  return answer;
}

function verify(certificate: CertificateFacts, issuer: CertificateFacts): boolean {
  if (certificate.x509 === null || !isStrong(certificate)) return false;
  const spki = issuer.der.subarray(issuer.outline.spki.start, issuer.outline.spki.end);
  const publicKey = readSpki(spki);
  if (publicKey === null || !KEY_KINDS.includes(keyKind(publicKey) ?? '')) return false;
  const key = publicKeyOf(spki);
  if (key === null) return false;
  try {
    return certificate.x509.verify(key);
  } catch {
    return false;
  }
}

/** RFC 5280 §4.1.1.2: the algorithm inside what is signed must be the one outside. */
function isStrong({ der, outline }: CertificateFacts): boolean {
  const { signatureAlgorithm: outer, innerSignatureAlgorithm: inner } = outline;
  const octets = der.subarray(outer.start, outer.end);
  if (Buffer.compare(octets, der.subarray(inner.start, inner.end)) !== 0) return false;
  return isStrongAlgorithm(octets);
}

const answers = new LRUCache<string, boolean>({ max: 4096 });
const KEY_KINDS = [
  'rsa',
  'rsa-pss',
  ...['P-256', 'P-384', 'P-521', 'brainpoolP256r1', 'brainpoolP384r1', 'brainpoolP512r1'].map(
    (curve) => `ec(${curve})`,
  ),
  'ed25519',
  'ed448',
];
