/** Extensions of a certificate (RFC 5280 §4.1.2.9): their values by object identifier. What they mean is for others. */
import { DerReader, oidText, TAG } from './der.ts';
import type { CertificateOutline } from './outline.ts';

export interface Extension {
  readonly critical: boolean;
  /** What the OCTET STRING holds. */
  readonly value: Uint8Array;
}

/** Null when the list is not well formed, has more than anybody needs, or names an extension twice (RFC 5280 §4.2). */
export function extensionsOf(der: Uint8Array, outline: CertificateOutline): ReadonlyMap<string, Extension> | null {
  return outline.extensions === null ? new Map() : readExtensionList(der, outline.extensions);
}

/** A SEQUENCE OF Extension, as certificates and requests for them have it. */
export function readExtensionList(
  der: Uint8Array,
  { start, end } = { start: 0, end: der.length },
): ReadonlyMap<string, Extension> | null {
  const found = new Map<string, Extension>();
  const top = new DerReader(der, start, end);
  const list = top.enter(TAG.sequence);
  while (list.more()) {
    const extension = list.enter(TAG.sequence);
    const oid = oidText(extension.content(extension.expect(TAG.oid)));
    const criticality = extension.optional(TAG.boolean);
    const value = extension.content(extension.expect(TAG.octetString));
    extension.finish();
    if (oid === undefined || found.has(oid) || found.size === MAX_EXTENSIONS) return null;
    found.set(oid, { critical: criticality !== undefined && der[criticality.content] !== 0, value });
  }
  return top.ok ? found : null;
}

/** Certificates have a dozen at the most. */
const MAX_EXTENSIONS = 64;

export const EXTENSION = {
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  nameConstraints: '2.5.29.30',
  certificatePolicies: '2.5.29.32',
  policyMappings: '2.5.29.33',
  policyConstraints: '2.5.29.36',
  extKeyUsage: '2.5.29.37',
  inhibitAnyPolicy: '2.5.29.54',
} as const;
