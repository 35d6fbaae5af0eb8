/**
 * From when to when a certificate holds (RFC 5280 §4.1.2.5). Read here and not by a library: two times took as long as
 * everything else about a certificate together.
 */
import { type DerElement, DerReader, TAG } from './der.ts';
import type { CertificateOutline } from './outline.ts';

export interface Validity {
  /** Milliseconds since the epoch, negative before 1970; NaN where it cannot be read, so that no comparison holds. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export function validityOf(der: Uint8Array, { validity }: CertificateOutline): Validity {
  const reader = new DerReader(der, validity.content, validity.end);
  const notBefore = readTime(der, reader.next());
  const notAfter = readTime(der, reader.next());
  return reader.atEnd() ? { notBefore, notAfter } : { notBefore: NaN, notAfter: NaN };
}

/** §4.1.2.5.1, §4.1.2.5.2: to the second, in Greenwich, in the one form that DER has for it. */
function readTime(der: Uint8Array, { tag, start, content, end }: DerElement): number {
  const digits = DIGITS[tag];
  if (digits === undefined || content - start !== 2 || end - content !== digits + 1 || der[end - 1] !== Z) return NaN;
  const text = String.fromCharCode(...der.subarray(content, end - 1));
  if (!/^\d+$/.test(text)) return NaN;
  const whole = tag === TAG.utcTime ? `${text < FIRST_OF_1900S ? '20' : '19'}${text}` : text;
  const part = (from: number, to: number) => Number(whole.slice(from, to));
  const time = Date.UTC(part(0, 4), part(4, 6) - 1, part(6, 8), part(8, 10), part(10, 12), part(12, 14));
  // A 31 February does not come out again as it went in.
  return new Date(time).toISOString().replace(/\D/g, '') === `${whole}000` ? time : NaN;
}

const DIGITS: Readonly<Record<number, number>> = { [TAG.utcTime]: 12, [TAG.generalizedTime]: 14 };
const FIRST_OF_1900S = '50';
const Z = 0x5a;
