/**
 * What the log says about a certificate. Never throws: what cannot be read is null, part by part, and a certificate of
 * which nothing can be read still has its digests elsewhere. Nothing here is evidence for a decision.
 */
import ipaddr from 'ipaddr.js';
import { LRUCache } from 'lru-cache';
import { toHex } from '../bytes/hex.ts';
import type { DerElement } from './der.ts';
import { type DistinguishedName, readName } from './distinguished-name.ts';
import { extensionsOf } from './extensions.ts';
import { subjectNamesOf } from './name-check.ts';
import { outlineOf } from './outline.ts';
import type { CertificateOutline } from './outline.ts';
import { validityOf } from './validity.ts';

export interface CertificateDescription {
  /** `C=XX, O=Bank, CN=www.bank.example`. */
  readonly subject: string | null;
  readonly issuer: string | null;
  /** The subject's common name as it is, with whatever characters it has. */
  readonly commonName: string | null;
  /** Upper-case hex with colons, the octets as encoded. */
  readonly serial: string | null;
  /** `2026-11-21T19:31:36`, UTC. */
  readonly notBefore: string | null;
  readonly notAfter: string | null;
}

export function describeCertificate(der: Uint8Array): CertificateDescription {
  const outline = outlineOf(der);
  if (outline === null) return UNREADABLE;
  const octets = ({ start, end }: DerElement) => der.subarray(start, end);
  const subject = nameOf(octets(outline.subject));
  const { notBefore, notAfter } = validityOf(der, outline);
  return {
    subject: subject?.text ?? null,
    issuer: nameOf(octets(outline.issuer))?.text ?? null,
    commonName: subject?.commonName ?? null,
    serial: serialText(der.subarray(outline.serial.content, outline.serial.end)),
    notBefore: timeText(notBefore),
    notAfter: timeText(notAfter),
  };
}

/** DNS names and addresses of subjectAltName; empty where there are none, or it cannot be read. */
export function subjectAltNamesOf(der: Uint8Array): readonly string[] {
  const outline = outlineOf(der);
  return outline === null ? [] : namesOf(der, outline);
}

/** Reading a name takes as long as all the rest together, and the same authorities sign again and again. */
function nameOf(name: Uint8Array): DistinguishedName | null {
  const octets = Buffer.from(name).toString('latin1');
  let known = names.get(octets);
  if (known === undefined) {
    known = { name: readName(name) };
    if (name.length <= LONGEST_KEPT) names.set(octets, known);
  }
  return known.name;
}

const names = new LRUCache<string, { name: DistinguishedName | null }>({ max: 1024 });
/** Octets. */
const LONGEST_KEPT = 1024;

function serialText(octets: Uint8Array): string | null {
  return octets.length === 0
    ? null
    : toHex(octets)
        .toUpperCase()
        .replace(/..(?=.)/g, '$&:');
}

/** As Suricata writes the times of certificates. */
function timeText(ms: number): string | null {
  return Number.isNaN(ms) ? null : new Date(ms).toISOString().slice(0, -5);
}

function namesOf(der: Uint8Array, outline: CertificateOutline): string[] {
  const extensions = extensionsOf(der, outline);
  if (extensions === null) return [];
  const { dns, ip } = subjectNamesOf(extensions);
  return [...dns, ...ip.map((address) => ipaddr.fromByteArray([...address]).toString())];
}

const UNREADABLE: CertificateDescription = {
  subject: null,
  issuer: null,
  commonName: null,
  serial: null,
  notBefore: null,
  notAfter: null,
};
