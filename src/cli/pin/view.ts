/** What `tlspin pin` found, for people: everything, in every spelling. */
import { printable } from '../../bytes/invisible.ts';
import { describeCertificate, subjectAltNamesOf } from '../../x509/certificate.ts';
import { type PresentedCertificate, presentRawPublicKey } from '../../x509/presented.ts';
import type { Output } from '../output.ts';
import { circumstances, type Finding, isLeaf } from './finding.ts';

export function showFinding({ source, live, chain, keys }: Finding, out: Output): void {
  out.line(out.paint('bold', printable(source)) + (live === undefined ? '' : ` ${circumstances(live)}`));
  for (const [index, certificate] of chain.entries()) {
    const { subject, issuer, notBefore, notAfter } = describeCertificate(certificate.der);
    const names = subjectAltNamesOf(certificate.der);
    const title = live === undefined ? `certificate ${index + 1}` : index === 0 ? 'leaf' : `ca ${index}`;
    out.line(`  ${out.paint('bold', `${title}:`)} ${printable(subject ?? 'a certificate that cannot be read')}`);
    detail(out, 'issuer', issuer);
    detail(
      out,
      'valid',
      notBefore && notAfter && `from ${day(notBefore)} until ${day(notAfter)}${staleness(notBefore, notAfter)}`,
    );
    detail(out, 'names', names.length === 0 ? null : names.join(', '));
    for (const pin of spellings(certificate, isLeaf(certificate, index, live))) out.line(`    ${pin}`);
  }
  for (const { kind, spki, subject } of keys) {
    const title = kind === 'request' ? 'request:' : 'public key';
    out.line(`  ${out.paint('bold', title)}${subject === null ? '' : ` ${printable(subject)}`}`);
    for (const pin of keySpellings(presentRawPublicKey(spki), true)) out.line(`    ${pin}`);
  }
}

function detail(out: Output, title: string, text: string | null): void {
  if (text !== null) out.line(`    ${out.paint('faint', `${title}:`)} ${printable(text)}`);
}

function staleness(notBefore: string, notAfter: string): string {
  const now = Date.now();
  if (Date.parse(`${notAfter}Z`) < now) return ', expired';
  return Date.parse(`${notBefore}Z`) > now ? ', not yet' : '';
}

const day = (time: string) => time.slice(0, 10);

/** Every way to write a certificate down that a configuration reads. */
export function spellings(certificate: PresentedCertificate, leaf: boolean): string[] {
  const { sha1, sha256 } = certificate;
  return [
    ...keySpellings(certificate, leaf),
    `cert-sha1:${sha1}`,
    `cert-sha256:${sha256}`,
    `sha256 Fingerprint=${sha256.toUpperCase().replace(/..(?=.)/g, '$&:')}`,
    `tlsa:${leaf ? 3 : 2} 0 1 ${sha256}`,
  ];
}

function keySpellings({ spkiSha256, key }: PresentedCertificate, leaf: boolean): string[] {
  if (spkiSha256 === null) return [];
  const digest = base64(spkiSha256);
  return [
    `spki-sha256:${digest}`,
    `sha256//${digest}`,
    `sha256/${digest}`,
    `pin-sha256="${digest}"`,
    `tlsa:${leaf ? 3 : 2} 1 1 ${spkiSha256}`,
    ...(key === null ? [] : [key]),
  ];
}

function base64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64');
}
