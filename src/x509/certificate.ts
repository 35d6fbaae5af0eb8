/**
 * What the log says about a certificate. Never throws: what cannot be read is null, and a certificate of which nothing
 * can be read still has its digests elsewhere. Nothing here is evidence for a decision.
 */
import ipaddr from 'ipaddr.js';
import { DerReader } from './der.ts';
import { readName } from './distinguished-name.ts';
import { extensionsOf } from './extensions.ts';
import { subjectNamesOf } from './name-check.ts';
import { outlineOf } from './outline.ts';
import { readTime, timeText } from './time.ts';

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
  /** DNS names and addresses of subjectAltName. */
  readonly subjectAltNames: readonly string[];
}

export function describeCertificate(der: Uint8Array): CertificateDescription {
  const outline = outlineOf(der);
  if (outline === null) return UNREADABLE;
  const subject = readName(der, outline.subject);
  const validity = new DerReader(der, outline.validity.content, outline.validity.end);
  const [notBefore, notAfter] = [readTime(validity), readTime(validity)];
  const extensions = extensionsOf(der, outline);
  const names = extensions === null ? null : subjectNamesOf(extensions);
  return {
    subject: subject?.text ?? null,
    issuer: readName(der, outline.issuer)?.text ?? null,
    commonName: subject?.commonName ?? null,
    serial: serialText(der.subarray(outline.serial.content, outline.serial.end)),
    notBefore: notBefore === null ? null : timeText(notBefore),
    notAfter: notAfter === null ? null : timeText(notAfter),
    subjectAltNames:
      names === null ? [] : [...names.dns, ...names.ip.map((ip) => ipaddr.fromByteArray([...ip]).toString())],
  };
}

function serialText(octets: Uint8Array): string | null {
  if (octets.length === 0) return null;
  return Buffer.from(octets)
    .toString('hex')
    .toUpperCase()
    .replace(/..(?=.)/g, '$&:');
}

const UNREADABLE: CertificateDescription = {
  subject: null,
  issuer: null,
  commonName: null,
  serial: null,
  notBefore: null,
  notAfter: null,
  subjectAltNames: [],
};
