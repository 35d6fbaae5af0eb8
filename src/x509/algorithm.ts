/**
 * AlgorithmIdentifiers of signatures (RFC 5280 §4.1.1.2): which of them may make a link of a path. RSA with PKCS #1 v1.5
 * and PSS, ECDSA, Ed25519 and Ed448, with SHA-256, SHA-384 or SHA-512 (RFC 4055, RFC 5758, RFC 8410). Knows no keys.
 */
import { DerReader, oidText, TAG } from './der.ts';

/** MD5 and SHA-1 above all are not. */
export function isStrongAlgorithm(identifier: Uint8Array): boolean {
  const algorithm = readAlgorithm(DerReader.strict(identifier));
  if (algorithm === undefined) return false;
  return algorithm.oid === RSASSA_PSS ? arePssStrong(algorithm.parameters) : STRONG.includes(algorithm.oid);
}

interface Algorithm {
  readonly oid: string;
  /** Header and all; empty where there are none. */
  readonly parameters: Uint8Array;
}

function readAlgorithm(top: DerReader): Algorithm | undefined {
  const sequence = top.enter(TAG.sequence);
  const oid = oidText(sequence.content(sequence.expect(TAG.oid)));
  const parameters = sequence.more() ? sequence.whole(sequence.next()) : NONE;
  sequence.finish();
  return top.atEnd() && oid !== undefined ? { oid, parameters } : undefined;
}

/** RFC 4055 §3.1: what is left out is SHA-1. */
function arePssStrong(parameters: Uint8Array): boolean {
  const top = DerReader.strict(parameters);
  const fields = top.enter(TAG.sequence);
  const hash = explicit(fields, 0xa0);
  const mask = explicit(fields, 0xa1);
  explicit(fields, 0xa2); // salt length
  explicit(fields, 0xa3); // trailer
  fields.finish();
  if (!top.atEnd() || mask?.oid !== MGF1) return false;
  const ofMask = readAlgorithm(DerReader.strict(mask.parameters));
  return isDigest(hash) && isDigest(ofMask);
}

function explicit(fields: DerReader, tag: number): Algorithm | undefined {
  const tagged = fields.optional(tag);
  if (tagged === undefined) return undefined;
  return tag > 0xa1 ? undefined : readAlgorithm(fields.inside(tagged));
}

const isDigest = (algorithm: Algorithm | undefined) => algorithm !== undefined && DIGESTS.includes(algorithm.oid);

const RSASSA_PSS = '1.2.840.113549.1.1.10';
const MGF1 = '1.2.840.113549.1.1.8';
/** sha256, sha384, sha512. */
const DIGESTS = ['2.16.840.1.101.3.4.2.1', '2.16.840.1.101.3.4.2.2', '2.16.840.1.101.3.4.2.3'];
/** shaNNNWithRSAEncryption, ecdsa-with-SHANNN, Ed25519, Ed448. */
const STRONG = [
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.3.101.112',
  '1.3.101.113',
];
const NONE = new Uint8Array(0);
