/**
 * Names of subjects and issuers (RFC 5280 §4.1.2.4) as one line of text: `C=XX, O=Bank, CN=www.bank.example`, in the
 * order of the certificate, as Suricata and openssl print them. Characters that would be ambiguous, and those that
 * nobody can see, are escaped as RFC 4514 §2.4 has it: a NUL is `\00`.
 */
import { DerReader, oidText, TAG } from './der.ts';
import type { DerElement } from './der.ts';

export interface DistinguishedName {
  readonly text: string;
  /** The last common name, unescaped; null when there is none. */
  readonly commonName: string | null;
}

/** Null when the element is not a Name. */
export function readName(der: Uint8Array, element: DerElement): DistinguishedName | null {
  const top = new DerReader(der, element.start, element.end);
  const sequence = top.enter(TAG.sequence);
  const parts: string[] = [];
  let commonName: string | null = null;
  while (sequence.more()) {
    const set = sequence.enter(TAG.set);
    const values: string[] = [];
    do {
      const attribute = set.enter(TAG.sequence);
      const type = oidText(attribute.content(attribute.expect(TAG.oid)));
      const value = attribute.next();
      const content = attribute.content(value);
      attribute.finish();
      if (type === undefined) return null;
      const text = stringOf(value.tag, content);
      if (type === COMMON_NAME && text !== null) commonName = text;
      const spelled = text === null ? `#${Buffer.from(attribute.whole(value)).toString('hex')}` : escape(text);
      values.push(`${ATTRIBUTES[type] ?? type}=${spelled}`);
    } while (set.more());
    parts.push(values.join(' + '));
  }
  return top.ok ? { text: parts.join(', '), commonName } : null;
}

/** The characters of a DirectoryString, or of one of the other string types that are met; null for anything else. */
function stringOf(tag: number, content: Uint8Array): string | null {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.length);
  switch (tag) {
    case TAG.utf8String:
      return new TextDecoder('utf-8', { ignoreBOM: true }).decode(content);
    case TAG.printableString:
    case TAG.ia5String:
    case TAG.teletexString:
    case NUMERIC_STRING:
    case VISIBLE_STRING:
      return bytes.toString('latin1');
    case TAG.bmpString:
      return bytes.length % 2 === 0 ? new TextDecoder('utf-16be').decode(content) : null;
    case TAG.universalString:
      return utf32(bytes);
    default:
      return null;
  }
}

function utf32(bytes: Buffer): string | null {
  if (bytes.length % 4 !== 0) return null;
  let text = '';
  for (let at = 0; at < bytes.length; at += 4) {
    const point = bytes.readUInt32BE(at);
    text += point > 0x10ffff || (point >= 0xd800 && point < 0xe000) ? '\uFFFD' : String.fromCodePoint(point);
  }
  return text;
}

function escape(text: string): string {
  return text
    .replace(/[\\,+"<>;]/g, '\\$&')
    .replace(/^[ #]|(?<=.) $/gs, '\\$&')
    .replace(INVISIBLE, (character) =>
      Buffer.from(character)
        .toString('hex')
        .replace(/../g, (octet) => `\\${octet.toUpperCase()}`),
    );
}

/** Controls, and marks that turn the direction of what follows. */
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
const NUMERIC_STRING = 0x12;
const VISIBLE_STRING = 0x1a;
const COMMON_NAME = '2.5.4.3';

/** Short names (RFC 4514 §3, RFC 4519, and what openssl prints for the rest). */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  [COMMON_NAME]: 'CN',
  '2.5.4.4': 'SN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'street',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.12': 'title',
  '2.5.4.13': 'description',
  '2.5.4.15': 'businessCategory',
  '2.5.4.17': 'postalCode',
  '2.5.4.41': 'name',
  '2.5.4.42': 'GN',
  '2.5.4.43': 'initials',
  '2.5.4.46': 'dnQualifier',
  '2.5.4.65': 'pseudonym',
  '2.5.4.97': 'organizationIdentifier',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
  '1.2.840.113549.1.9.1': 'emailAddress',
  '1.2.840.113549.1.9.2': 'unstructuredName',
  '1.3.6.1.4.1.311.60.2.1.1': 'jurisdictionL',
  '1.3.6.1.4.1.311.60.2.1.2': 'jurisdictionST',
  '1.3.6.1.4.1.311.60.2.1.3': 'jurisdictionC',
};
