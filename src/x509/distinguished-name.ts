/**
 * Names of subjects and issuers (RFC 5280 §4.1.2.4) as one line of text: `C=XX, O=Bank, CN=www.bank.example`, in the
 * order of the certificate, as Suricata and openssl print them. Characters that would be ambiguous, and those that
 * nobody can see, are escaped as RFC 4514 §2.4 has it: a NUL is `\00`.
 */
import { BaseStringBlock } from 'asn1js';
import type { BaseBlock } from 'asn1js';
import type { RelativeDistinguishedNames } from 'pkijs';

import { INVISIBLE } from '../bytes/invisible.ts';

export function nameText({ typesAndValues }: RelativeDistinguishedNames): string {
  return typesAndValues
    .map(({ type, value }) => {
      const text = textOf(value);
      return `${ATTRIBUTES[type] ?? type}=${text === null ? hexOf(value) : escape(text)}`;
    })
    .join(', ');
}

/** The last common name, unescaped; null when there is none. */
export function commonNameOf({ typesAndValues }: RelativeDistinguishedNames): string | null {
  const last = typesAndValues.findLast(({ type }) => type === COMMON_NAME);
  return last === undefined ? null : textOf(last.value);
}

/** Null for what is no string. */
function textOf(value: BaseBlock): string | null {
  return value instanceof BaseStringBlock ? value.getValue() : null;
}

function hexOf(value: BaseBlock): string {
  return `#${Buffer.from(value.valueBeforeDecodeView).toString('hex')}`;
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
