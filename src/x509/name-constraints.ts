/**
 * Name constraints of an issuer (RFC 5280 §4.2.1.10) against the names of a leaf: dNSName, iPAddress and directoryName.
 * Constraints of another kind refuse a leaf that has such a name, since they cannot be shown to hold.
 */
import { DerReader, TAG } from './der.ts';
import { EXTENSION } from './extensions.ts';
import type { CertificateFacts } from './facts.ts';
import { GENERAL_NAME } from './name-check.ts';

export function permitsNames(issuer: CertificateFacts, leaf: CertificateFacts): boolean {
  const extension = issuer.extensions.get(EXTENSION.nameConstraints);
  if (extension === undefined) return true;
  const top = new DerReader(extension.value);
  const constraints = top.enter(TAG.sequence);
  top.finish();
  const permitted = readSubtrees(constraints, 0xa0);
  const excluded = readSubtrees(constraints, 0xa1);
  constraints.finish();
  if (!top.ok) return false;
  const names = namesOf(leaf);
  if (names === null || names.length * (permitted.length + excluded.length) > MAX_COMPARISONS) return false;
  return names.every((name) => {
    const ofKind = (subtree: GeneralName) => subtree.tag === name.tag;
    if (excluded.some((subtree) => ofKind(subtree) && within(name, subtree, true))) return false;
    const allowed = permitted.filter(ofKind);
    return allowed.length === 0 || allowed.some((subtree) => within(name, subtree, false));
  });
}

/** Both lists are as long as their makers like. */
const MAX_COMPARISONS = 100_000;

interface GeneralName {
  readonly tag: number;
  readonly content: Uint8Array;
}

function readSubtrees(constraints: DerReader, tag: number): GeneralName[] {
  const tagged = constraints.optional(tag);
  if (tagged === undefined) return [];
  const list = constraints.inside(tagged);
  const subtrees: GeneralName[] = [];
  while (list.more()) {
    const subtree = list.enter(TAG.sequence);
    const base = subtree.next();
    // minimum must be 0, which DER leaves out, and maximum must be absent.
    subtree.finish();
    subtrees.push({ tag: base.tag, content: subtree.content(base) });
  }
  return subtrees;
}

/** Every alternative name, and the subject as a directoryName. */
function namesOf(leaf: CertificateFacts): GeneralName[] | null {
  const names: GeneralName[] = [];
  const { subject } = leaf.outline;
  if (subject.end > subject.content) {
    names.push({ tag: GENERAL_NAME.directory, content: leaf.der.subarray(subject.start, subject.end) });
  }
  const alternative = leaf.extensions.get(EXTENSION.subjectAltName);
  if (alternative === undefined) return names;
  const top = new DerReader(alternative.value);
  const list = top.enter(TAG.sequence);
  top.finish();
  while (list.more()) {
    const name = list.next();
    names.push({ tag: name.tag, content: list.content(name) });
  }
  return top.ok ? names : null;
}

function within(name: GeneralName, subtree: GeneralName, excluding: boolean): boolean {
  switch (name.tag) {
    case GENERAL_NAME.dns:
      return isBelow(latin1(name.content), latin1(subtree.content), excluding);
    case GENERAL_NAME.ip:
      return isInNetwork(name.content, subtree.content);
    case GENERAL_NAME.directory:
      return isPrefix(nameContent(subtree.content), nameContent(name.content));
    default:
      // Not understood: outside of what is permitted, inside of what is excluded.
      return excluding;
  }
}

/** A wildcard is also "in" what is excluded if it could stand for it. */
function isBelow(name: string, base: string, excluding: boolean): boolean {
  const constraint = base.toLowerCase();
  const lower = name.toLowerCase();
  if (constraint === '') return true;
  if (constraint.startsWith('.')) return lower.endsWith(constraint);
  if (lower === constraint || lower.endsWith(`.${constraint}`)) return true;
  return excluding && lower.startsWith('*.') && constraint.endsWith(lower.slice(1));
}

/** The subtree is an address and a mask of the same length. */
function isInNetwork(address: Uint8Array, subtree: Uint8Array): boolean {
  if (subtree.length !== 2 * address.length) return false;
  return address.every((octet, i) => ((octet ^ subtree[i]!) & subtree[address.length + i]!) === 0);
}

/** The RDNs of a Name. */
function nameContent(name: Uint8Array): Uint8Array {
  const reader = new DerReader(name);
  return reader.content(reader.expect(TAG.sequence));
}

function isPrefix(prefix: Uint8Array, whole: Uint8Array): boolean {
  return prefix.length <= whole.length && prefix.every((octet, i) => octet === whole[i]);
}

function latin1(octets: Uint8Array): string {
  return Buffer.from(octets).toString('latin1');
}
