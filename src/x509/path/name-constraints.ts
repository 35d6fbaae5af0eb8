/**
 * Name constraints of an issuer (RFC 5280 §4.2.1.10) against the names of a leaf: dNSName, iPAddress and directoryName.
 * Constraints of another kind refuse a leaf that has such a name, since they cannot be shown to hold.
 */
import type { Budget } from './budget.ts';
import { DerReader, TAG } from '../der.ts';
import { EXTENSION } from '../extensions.ts';
import type { CertificateFacts } from '../facts.ts';
import { GENERAL_NAME } from '../name-check.ts';

export interface GeneralName {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Of a dNSName: in lower case. Of a directoryName: its RDNs. Empty otherwise. */
  readonly text: string;
}

/** `names`: of the leaf; null where they cannot be read. */
export function permitsNames(
  issuer: Pick<CertificateFacts, 'extensions'>,
  names: readonly GeneralName[] | null,
  budget: Budget,
): boolean {
  const extension = issuer.extensions.get(EXTENSION.nameConstraints);
  if (extension === undefined) return true;
  const top = new DerReader(extension.value);
  const constraints = top.enter(TAG.sequence);
  top.finish();
  const permitted = readSubtrees(constraints, 0xa0);
  const excluded = readSubtrees(constraints, 0xa1);
  constraints.finish();
  if (!top.ok || names === null) return false;
  // Both lists are as long as their makers like.
  if (!budget.spend('comparisons', names.length * (permitted.length + excluded.length))) return false;
  return names.every((name) => {
    const ofKind = (subtree: GeneralName) => subtree.tag === name.tag;
    if (excluded.some((subtree) => ofKind(subtree) && within(name, subtree, true))) return false;
    const allowed = permitted.filter(ofKind);
    return allowed.length === 0 || allowed.some((subtree) => within(name, subtree, false));
  });
}

/** Every alternative name, and the subject as a directoryName. */
export function constrainedNamesOf(leaf: CertificateFacts): GeneralName[] | null {
  const names: GeneralName[] = [];
  const { subject } = leaf.outline;
  if (subject.end > subject.content) {
    const name = generalName(GENERAL_NAME.directory, leaf.der.subarray(subject.start, subject.end));
    if (name === undefined) return null;
    names.push(name);
  }
  const alternative = leaf.extensions.get(EXTENSION.subjectAltName);
  if (alternative === undefined) return names;
  const top = new DerReader(alternative.value);
  const list = top.enter(TAG.sequence);
  top.finish();
  while (list.more()) {
    const element = list.next();
    const name = generalName(element.tag, list.content(element));
    if (name === undefined) return null;
    names.push(name);
  }
  return top.ok ? names : null;
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
    const name = generalName(base.tag, subtree.content(base));
    if (name === undefined) subtree.fail();
    else subtrees.push(name);
  }
  return subtrees;
}

/** Undefined for a directoryName that holds no Name. */
function generalName(tag: number, content: Uint8Array): GeneralName | undefined {
  if (tag === GENERAL_NAME.dns) return { tag, content, text: latin1(content).toLowerCase() };
  if (tag !== GENERAL_NAME.directory) return { tag, content, text: '' };
  const reader = new DerReader(content);
  const rdns = reader.content(reader.expect(TAG.sequence));
  return reader.atEnd() ? { tag, content, text: latin1(rdns) } : undefined;
}

function within(name: GeneralName, subtree: GeneralName, excluding: boolean): boolean {
  switch (name.tag) {
    case GENERAL_NAME.dns:
      return isBelow(name.text, subtree.text, excluding);
    case GENERAL_NAME.ip:
      return isInNetwork(name.content, subtree.content);
    case GENERAL_NAME.directory:
      return name.text.startsWith(subtree.text);
    default:
      // Not understood: outside of what is permitted, inside of what is excluded.
      return excluding;
  }
}

/** A wildcard is also "in" what is excluded if it could stand for it. */
function isBelow(name: string, base: string, excluding: boolean): boolean {
  if (base === '') return true;
  if (name.endsWith(base)) {
    const isWhole = name.length === base.length || name[name.length - base.length - 1] === '.';
    if (base.startsWith('.') || isWhole) return true;
  }
  return excluding && !base.startsWith('.') && name.startsWith('*.') && base.endsWith(name.slice(1));
}

/** The subtree is an address and a mask of the same length. */
function isInNetwork(address: Uint8Array, subtree: Uint8Array): boolean {
  if (subtree.length !== 2 * address.length) return false;
  return address.every((octet, i) => ((octet ^ subtree[i]!) & subtree[address.length + i]!) === 0);
}

function latin1(octets: Uint8Array): string {
  return Buffer.from(octets).toString('latin1');
}
