/**
 * Which certificates stand on a verified path from a leaf (RFC 5280 §6.1, as far as it bears on who may have issued
 * whom): whatever their order, with duplicates, gaps and strangers among them. Knows no pins and trusts nobody.
 *
 * Every certificate is reached once, by the path with the fewest intermediates below it: pathLen is the only condition
 * that depends on the path, and fewer is never worse. Name constraints are looked at once for each certificate, and only
 * of one that has signed: what nobody signed costs nothing but the signature.
 */
import type { Budget } from './budget.ts';
import type { CertificateFacts } from '../facts.ts';
import { isValidAt } from '../facts.ts';
import { constrainedNamesOf, permitsNames } from './name-constraints.ts';
import { isSignedBy } from '../signature.ts';

/** The certificates that are on a verified path, the leaf not among them. Where the budget ends, those found so far. */
export function issuersOf(
  leaf: CertificateFacts,
  others: readonly CertificateFacts[],
  atMs: number,
  budget: Budget,
): ReadonlySet<CertificateFacts> {
  const issuers = new Set<CertificateFacts>();
  const candidates = bySubject(leaf, others, atMs);
  const names = constrainedNamesOf(leaf);
  // Certificates by how many intermediates are below them: those of one number are done before those of the next.
  const waiting: { facts: CertificateFacts; count: number }[] = [{ facts: leaf, count: 0 }];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { facts: certificate } = next;
    const isIntermediate = certificate !== leaf && certificate.subject !== certificate.issuer;
    const count = next.count + (isIntermediate ? 1 : 0);
    const ofName = candidates.get(certificate.issuer) ?? [];
    for (const issuer of [...ofName]) {
      if (issuer.pathLen < count) continue;
      if (!budget.spend('signatures', 1)) return issuers;
      if (!isSignedBy(certificate, issuer)) continue;
      ofName.splice(ofName.indexOf(issuer), 1);
      if (!permitsNames(issuer, names, budget)) continue;
      issuers.add(issuer);
      // A self-issued certificate adds nothing to the count of what is above it, so it goes before the others.
      const place = waiting.findIndex((other) => weight(other) > weight({ facts: issuer, count }));
      waiting.splice(place < 0 ? waiting.length : place, 0, { facts: issuer, count });
    }
  }
  return issuers;
}

/** Those that may issue at all, each once. */
function bySubject(
  leaf: CertificateFacts,
  others: readonly CertificateFacts[],
  atMs: number,
): Map<string, CertificateFacts[]> {
  const candidates = new Map<string, CertificateFacts[]>();
  const seen = new Set([leaf.sha256]);
  for (const other of others) {
    if (seen.has(other.sha256) || !mayIssue(other, atMs)) continue;
    seen.add(other.sha256);
    const ofName = candidates.get(other.subject);
    if (ofName === undefined) candidates.set(other.subject, [other]);
    else ofName.push(other);
  }
  return candidates;
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
