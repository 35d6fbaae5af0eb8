/**
 * What a certificate says that its key is for (RFC 5280 §4.2.1.3, §4.2.1.9, §4.2.1.12). In the one encoding that DER has:
 * whatever is not well formed allows nothing.
 */
import { DerReader, oidText, TAG } from './der.ts';

/** Whether basicConstraints says CA, and of how many intermediates below; Infinity where it does not say. */
export function readBasicConstraints(value: Uint8Array): { readonly isCa: boolean; readonly pathLen: number } {
  const top = DerReader.strict(value);
  const basic = top.enter(TAG.sequence);
  const ca = basic.optional(TAG.boolean);
  const limit = basic.optional(TAG.integer);
  basic.finish();
  // FALSE is the default, which DER leaves out.
  const isTrue = ca !== undefined && ca.end - ca.content === 1 && value[ca.content] === 0xff;
  const pathLen = limit === undefined ? Infinity : readInteger(top.content(limit));
  return top.atEnd() && isTrue && !Number.isNaN(pathLen) ? { isCa: true, pathLen } : NO_CA;
}

/** Whether keyUsage has keyCertSign, which is bit 5. */
export function readKeyCertSign(value: Uint8Array): boolean {
  const top = DerReader.strict(value);
  const bits = top.content(top.expect(TAG.bitString));
  return top.atEnd() && bits.length >= 2 && bits[0]! < 8 && (bits[1]! & 0x04) !== 0;
}

/** extKeyUsage: identifiers of what it allows. */
export function readPurposes(value: Uint8Array): readonly string[] {
  const purposes: string[] = [];
  const top = DerReader.strict(value);
  const list = top.enter(TAG.sequence);
  while (list.more()) {
    const purpose = oidText(list.content(list.expect(TAG.oid)));
    if (purpose === undefined) list.fail();
    else purposes.push(purpose);
  }
  return top.atEnd() ? purposes : [];
}

/** Infinity for what is larger than any path; -1 for what is negative; NaN for what is no INTEGER of DER. */
function readInteger(octets: Uint8Array): number {
  const [first, second = 0] = octets;
  const isPadded = octets.length > 1 && (first === 0 ? second < 0x80 : first === 0xff && second >= 0x80);
  if (first === undefined || isPadded) return NaN;
  if (first >= 0x80) return -1;
  return octets.length > 4 ? Infinity : octets.reduce((number, octet) => number * 256 + octet, 0);
}

const NO_CA = { isCa: false, pathLen: Infinity };
