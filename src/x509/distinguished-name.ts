/**
 * Names of subjects and issuers (RFC 5280 §4.1.2.4) as one line of text: `C=XX, O=Bank, CN=www.bank.example`, in the
 * order of the certificate, as Suricata and openssl print them. Characters that would be ambiguous, and those that
 * nobody can see, are escaped as RFC 4514 §2.4 has it: a NUL is `\00`.
 */
import { INVISIBLE } from '../bytes/invisible.ts';
import { DerReader, oidText, TAG } from './der.ts';

export interface DistinguishedName {
  readonly text: string;
  /** The last common name, unescaped; null when there is none. */
  readonly commonName: string | null;
}

/** Null for what is no Name, or a longer one than anybody has. */
export function readName(der: Uint8Array): DistinguishedName | null {
  if (der.length > MAX_OCTETS) return null;
  const parts: string[] = [];
  let commonName: string | null = null;
  const top = DerReader.strict(der);
  const rdns = top.enter(TAG.sequence);
  while (rdns.more()) {
    const set = rdns.enter(TAG.set);
    while (set.more()) {
      const attribute = set.enter(TAG.sequence);
      const type = oidText(attribute.content(attribute.expect(TAG.oid)));
      const element = attribute.next();
      attribute.finish();
      const value = attribute.content(element);
      const text = textOf(element.tag, value);
      if (type === undefined || text === undefined) return null;
      parts.push(`${ATTRIBUTES[type] ?? type}=${text === null ? hexOf(attribute.whole(element)) : escape(text)}`);
      if (type === COMMON_NAME) commonName = text;
    }
  }
  return top.atEnd() ? { text: parts.join(', '), commonName } : null;
}

/** Null for what is no string, undefined for a string that is damaged. */
function textOf(tag: number, value: Uint8Array): string | null | undefined {
  switch (tag) {
    case TAG.utf8String:
      return utf8(value);
    case TAG.bmpString:
      return value.length % 2 === 0 ? characters(value, 2) : undefined;
    case TAG.universalString:
      return value.length % 4 === 0 ? characters(value, 4) : undefined;
    default:
      return LATIN_STRINGS.has(tag) ? Buffer.from(value).toString('latin1') : null;
  }
}

/** What is none is read as Latin-1. */
function utf8(value: Uint8Array): string {
  try {
    return UTF_8.decode(value);
  } catch {
    return Buffer.from(value).toString('latin1');
  }
}

/** Big-endian code units, or code points, of so many octets each. */
function characters(value: Uint8Array, octets: 2 | 4): string {
  let text = '';
  for (let at = 0; at < value.length; at += octets) {
    let character = 0;
    for (let i = 0; i < octets; i++) character = character * 256 + value[at + i]!;
    text +=
      octets === 2 ? String.fromCharCode(character) : String.fromCodePoint(character > 0x10ffff ? 0xfffd : character);
  }
  return text;
}

function hexOf(element: Uint8Array): string {
  return `#${Buffer.from(element).toString('hex')}`;
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

const COMMON_NAME = '2.5.4.3';
/** Names take a few hundred. */
const MAX_OCTETS = 2_048;
const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** NumericString, PrintableString, TeletexString, IA5String, VisibleString, GeneralString. */
const LATIN_STRINGS: ReadonlySet<number> = new Set([
  0x12,
  TAG.printableString,
  TAG.teletexString,
  TAG.ia5String,
  0x1a,
  0x1b,
]);

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
