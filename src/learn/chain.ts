/**
 * What a presented chain has to teach: the leaf's key, and the keys on the verified path above it. Whether that path
 * leads to an authority that everybody trusts tells a public CA from an interception proxy; it is no reason to trust.
 */
import { rootCertificates } from 'node:tls';

import { describeCertificate } from '../x509/certificate.ts';
import { examineChain } from '../x509/examine.ts';
import { sha256Hex } from '../x509/fingerprint.ts';
import { outlineOf } from '../x509/outline.ts';
import { readCertificates } from '../x509/pem.ts';
import { presentCertificate, type PresentedCertificate } from '../x509/presented.ts';

export interface ChainKey {
  /** Base64 of SHA-256 of the SubjectPublicKeyInfo. */
  readonly spki: string;
  readonly subject: string | null;
}

export interface LearnedChain {
  readonly leaf: ChainKey;
  /** On the verified path, the nearest first. */
  readonly issuers: readonly ChainKey[];
  /** `name:<hex>` of the leaf's issuer where its key was not shown: nobody has verified that. */
  readonly unseenIssuer: string | null;
  readonly isPublic: boolean;
  readonly carriesName: boolean;
}

/** DER of certificates, by the octets of their subject. */
export type Roots = ReadonlyMap<string, readonly Uint8Array[]>;

/** `name`: what the leaf should be called; null when no name is known. Null where the leaf's key cannot be read. */
export function readChain(
  certificates: readonly Uint8Array[],
  name: string | null,
  atMs: number,
  roots: Roots = publicRoots(),
): LearnedChain | null {
  const chain = certificates.map(presentCertificate);
  const leaf = chain[0] === undefined ? null : keyOf(chain[0]);
  if (leaf === null) return null;
  const issuerNames = certificates.flatMap((der) => nameOctets(der, 'issuer') ?? []);
  const facts = examineChain({
    chain: certificates,
    anchors: [],
    names: name === null ? [] : [name],
    atMs,
    trust: issuerNames.flatMap((issuer) => roots.get(issuer) ?? []),
  });
  const issuers = facts.onPath.flatMap((index) => (index === 0 ? [] : (keyOf(chain[index]!) ?? [])));
  // A certificate that signs itself has no other issuer.
  const isSelfIssued = issuerNames[0] === nameOctets(certificates[0]!, 'subject');
  return {
    leaf,
    issuers,
    unseenIssuer:
      issuers.length > 0 || isSelfIssued ? null : `name:${sha256Hex(Buffer.from(issuerNames[0] ?? '', 'latin1'))}`,
    isPublic: facts.trusted,
    carriesName: facts.nameMatches,
  };
}

export function rootsOf(certificates: readonly Uint8Array[]): Roots {
  const roots = new Map<string, Uint8Array[]>();
  for (const der of certificates) {
    const subject = nameOctets(der, 'subject');
    if (subject !== undefined) roots.set(subject, [...(roots.get(subject) ?? []), der]);
  }
  return roots;
}

let known: Roots | undefined;

/** The authorities that Node.js comes with, which are Mozilla's. */
function publicRoots(): Roots {
  known ??= rootsOf(rootCertificates.flatMap((pem) => readCertificates(Buffer.from(pem))));
  return known;
}

function keyOf({ der, spkiSha256 }: PresentedCertificate): ChainKey | null {
  if (spkiSha256 === null) return null;
  return { spki: Buffer.from(spkiSha256, 'hex').toString('base64'), subject: describeCertificate(der).subject };
}

function nameOctets(der: Uint8Array, which: 'issuer' | 'subject'): string | undefined {
  const outline = outlineOf(der);
  if (outline === null) return undefined;
  const { start, end } = outline[which];
  return Buffer.from(der.buffer, der.byteOffset + start, end - start).toString('latin1');
}
