/**
 * Which certificates stand on a verified path from a leaf (RFC 5280 §6.1, as far as it bears on who may have issued
 * whom): whatever their order, with duplicates, gaps and strangers among them. Knows no pins and trusts nobody.
 *
 * Every certificate is reached once, by the path with the fewest intermediates below it: pathLen is the only condition
 * that depends on the path, and fewer is never worse. So the search is at most quadratic, and signatures are counted.
 */
import type { CertificateFacts } from './facts.ts';
import { isValidAt } from './facts.ts';
import { permitsNames } from './name-constraints.ts';
import { isSignedBy } from './signature.ts';

export interface PathResult {
  /** The certificates that are on a verified path, the leaf not among them. */
  readonly issuers: ReadonlySet<CertificateFacts>;
  /** More signatures would have had to be checked than the bound allows: what was found holds, more was not looked for. */
  readonly exhausted: boolean;
}

export function issuersOf(leaf: CertificateFacts, others: readonly CertificateFacts[], atMs: number): PathResult {
  const below = new Map<CertificateFacts, number>();
  const candidates = new Map<string, CertificateFacts>();
  for (const other of others) if (other.sha256 !== leaf.sha256) candidates.set(other.sha256, other);
  let checks = 0;
  // Certificates by how many intermediates are below them: those of one number are done before those of the next.
  const waiting: { facts: CertificateFacts; count: number }[] = [{ facts: leaf, count: 0 }];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { facts: certificate } = next;
    const isIntermediate = certificate !== leaf && certificate.subject !== certificate.issuer;
    const count = next.count + (isIntermediate ? 1 : 0);
    for (const [key, issuer] of candidates) {
      if (issuer.subject !== certificate.issuer || issuer.pathLen < count) continue;
      if (!mayIssue(issuer, atMs) || !permitsNames(issuer, leaf)) continue;
      if (++checks > MAX_SIGNATURES) return { issuers: new Set(below.keys()), exhausted: true };
      if (!isSignedBy(certificate, issuer)) continue;
      candidates.delete(key);
      below.set(issuer, count);
      // A self-issued certificate adds nothing to the count of what is above it, so it goes before the others.
      const place = waiting.findIndex((other) => weight(other) > weight({ facts: issuer, count }));
      waiting.splice(place < 0 ? waiting.length : place, 0, { facts: issuer, count });
    }
  }
  return { issuers: new Set(below.keys()), exhausted: false };
}

function weight({ facts, count }: { facts: CertificateFacts; count: number }): number {
  return count + (facts.subject === facts.issuer ? 0 : 1);
}

/** RFC 5280 §6.1.4 (k) to (n), and the dates of §6.1.3 (a). */
function mayIssue(issuer: CertificateFacts, atMs: number): boolean {
  return (
    issuer.isCa &&
    issuer.maySignCertificates &&
    issuer.mayServe &&
    !issuer.hasUnknownCritical &&
    isValidAt(issuer, atMs)
  );
}

/** An honest chain needs one for each link, and one more for each cross-signature. */
const MAX_SIGNATURES = 48;
