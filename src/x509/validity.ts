/** From when to when a certificate holds (RFC 5280 §4.1.2.5). */
import { Time } from 'pkijs';
import { decodeAs } from './decode.ts';
import { DerReader } from './der.ts';
import type { CertificateOutline } from './outline.ts';

export interface Validity {
  /** Milliseconds since the epoch, negative before 1970; NaN where it cannot be read, so that no comparison holds. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export function validityOf(der: Uint8Array, { validity }: CertificateOutline): Validity {
  const reader = new DerReader(der, validity.content, validity.end);
  const notBefore = readTime(reader);
  const notAfter = readTime(reader);
  return reader.atEnd() ? { notBefore, notAfter } : { notBefore: NaN, notAfter: NaN };
}

/** Zones and a 31 February do not come out again as they went in, so they are no times; nor are fractions (§4.1.2.5.2). */
function readTime(reader: DerReader): number {
  const time = decodeAs(reader.whole(reader.next()), Time)?.value.getTime() ?? NaN;
  return time % 1000 === 0 ? time : NaN;
}
