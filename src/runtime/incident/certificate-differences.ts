/**
 * What is different about a certificate that a host shows now, beside the one that it showed before, and what in it is
 * suspicious by itself. Names and dates are the server's own words: nothing here verifies a signature, and the sentences
 * say no more than what was read.
 */
import type { Accepted } from './accepted-keys.ts';
import type { LeafOfRecord } from './causes.ts';

export interface CertificateDifference {
  readonly code: DifferenceCode;
  /** One sentence. */
  readonly text: string;
  /** `bad`: as an attack has it; `warn`: worth a question; `note`: as a renewal has it. */
  readonly level: 'bad' | 'warn' | 'note';
}

export type DifferenceCode =
  | 'nothing-before'
  | 'new-key'
  | 'same-key'
  | 'same-issuer'
  | 'other-issuer'
  | 'other-subject'
  | 'self-signed'
  | 'expired'
  | 'not-yet-valid'
  | 'old-key-too'
  | 'issuer-of-others';

export interface Comparison {
  /** As it was presented, the leaf first. */
  readonly chain: readonly LeafOfRecord[];
  /** When it was refused first and last, as ISO 8601. */
  readonly first: string;
  readonly last: string;
  readonly before: Accepted | null;
  /** Other hosts whose new certificates name the same issuer. */
  readonly others: number;
}

export function differencesOf(comparison: Comparison): CertificateDifference[] {
  const { before, chain } = comparison;
  const leaf = chain[0]!;
  return [
    ...(before === null ? [say('nothing-before', 'note')] : besideBefore(leaf, before, comparison)),
    ...byItself(leaf, comparison),
  ];
}

function besideBefore(leaf: LeafOfRecord, { leaf: old, last }: Accepted, { first }: Comparison) {
  const isSameKey = leaf.spki_sha256 !== null && leaf.spki_sha256 === old.spki_sha256;
  const isSameIssuer = leaf.issuer !== null && leaf.issuer === old.issuer;
  return [
    isSameKey ? say('same-key', 'note') : say('new-key', 'warn'),
    isSameIssuer ? say('same-issuer', 'note') : say('other-issuer', 'bad'),
    ...(leaf.subject === old.subject ? [] : [say('other-subject', 'warn')]),
    ...(!isSameKey && last > first ? [say('old-key-too', 'bad')] : []),
  ];
}

function byItself({ subject, issuer, not_before: from, not_after: until }: LeafOfRecord, { last, others }: Comparison) {
  const at = last.slice(0, 19);
  return [
    ...(subject !== null && subject === issuer ? [say('self-signed', 'bad')] : []),
    ...(until !== null && until < at ? [say('expired', 'bad')] : []),
    ...(from !== null && from > at ? [say('not-yet-valid', 'bad')] : []),
    ...(others > 0 ? [{ code: 'issuer-of-others', level: 'bad', text: issuerOfOthers(others) } as const] : []),
  ];
}

function issuerOfOthers(others: number): string {
  const hosts = others === 1 ? 'another host that has changed' : `${others} other hosts that have changed`;
  return `it names the same issuer as ${hosts}, as an interception proxy's certificates do`;
}

function say(code: Exclude<DifferenceCode, 'issuer-of-others'>, level: CertificateDifference['level']) {
  return { code, level, text: SENTENCES[code] };
}

const SENTENCES: Readonly<Record<Exclude<DifferenceCode, 'issuer-of-others'>, string>> = {
  'nothing-before': 'no certificate of this host that was let pass is remembered: there is nothing to compare it with',
  'new-key': 'the key is another one',
  'same-key': 'the key is the same: only the certificate around it is new',
  'same-issuer': 'it names the same issuer as before (a name, which anybody can write)',
  'other-issuer': 'it names another issuer than before',
  'other-subject': 'it names another subject than before',
  'self-signed': 'it is issued by itself',
  expired: 'it had expired when it was shown',
  'not-yet-valid': 'it was not valid yet when it was shown',
  'old-key-too': 'the key of before was shown to somebody since: not everybody sees the new one',
};
