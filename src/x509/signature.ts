/**
 * Whether one certificate's signature was made with another's key: RSA (PKCS #1 v1.5 and PSS), ECDSA on P-256, P-384 and
 * P-521, Ed25519, with SHA-256, SHA-384 or SHA-512 (RFC 5280 §4.1.1.2, RFC 4055, RFC 5758, RFC 8410). Everything else,
 * MD5 and SHA-1 above all, is no link.
 */
import type { AsnType } from 'asn1js';
import { LRUCache } from 'lru-cache';
import { AlgorithmIdentifier, RSASSAPSSParams } from 'pkijs';
import { decodeAs } from './decode.ts';
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
  const identifier = decodeAs(octets, AlgorithmIdentifier);
  if (identifier === null) return false;
  return identifier.algorithmId === RSASSA_PSS
    ? arePssStrong(identifier.algorithmParams)
    : STRONG.includes(identifier.algorithmId);
}

/** RFC 4055 §3.1: what is left out is SHA-1. */
function arePssStrong(schema: AsnType | undefined): boolean {
  try {
    const { hashAlgorithm, maskGenAlgorithm } = new RSASSAPSSParams({ schema });
    const maskHash = new AlgorithmIdentifier({ schema: maskGenAlgorithm.algorithmParams });
    return (
      maskGenAlgorithm.algorithmId === MGF1 &&
      DIGESTS.includes(hashAlgorithm.algorithmId) &&
      DIGESTS.includes(maskHash.algorithmId)
    );
  } catch {
    return false;
  }
}

const answers = new LRUCache<string, boolean>({ max: 4096 });
const KEY_KINDS = ['rsa', 'rsa-pss', 'ec(P-256)', 'ec(P-384)', 'ec(P-521)', 'ed25519'];
const RSASSA_PSS = '1.2.840.113549.1.1.10';
const MGF1 = '1.2.840.113549.1.1.8';
/** sha256, sha384, sha512. */
const DIGESTS = ['2.16.840.1.101.3.4.2.1', '2.16.840.1.101.3.4.2.2', '2.16.840.1.101.3.4.2.3'];
/** shaNNNWithRSAEncryption, ecdsa-with-SHANNN, Ed25519. */
const STRONG = [
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.3.101.112',
];
