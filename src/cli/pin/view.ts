/**
 * What `tlspin pin` found, for people (everything, in every spelling) and as pinsets that are ready to be used. Connects
 * nowhere and reads no files.
 */
import { isIP } from 'node:net';
import { basename } from 'node:path';

import { Commented } from '../../import/commented-json.ts';
import { tlsVersionName } from '../../report/eve.ts';
import { describeCertificate } from '../../x509/certificate.ts';
import { factsOf } from '../../x509/facts.ts';
import { outlineOf } from '../../x509/outline.ts';
import { type PresentedCertificate, presentRawPublicKey } from '../../x509/presented.ts';
import { type Output, printable } from '../output.ts';
import type { LiveChain } from './live.ts';
import type { Target } from './target.ts';

/** A key without a certificate. */
export interface BareKey {
  readonly kind: 'request' | 'public-key';
  readonly spki: Uint8Array;
  readonly subject: string | null;
  readonly names: readonly string[];
}

export interface Finding {
  /** As it was asked for. */
  readonly source: string;
  readonly target: Target | undefined;
  /** Undefined for files. */
  readonly live: LiveChain | undefined;
  /** As sent, or as in the file. */
  readonly chain: readonly PresentedCertificate[];
  readonly keys: readonly BareKey[];
}

export function showFinding({ source, live, chain, keys }: Finding, out: Output): void {
  out.line(out.paint('bold', printable(source)) + (live === undefined ? '' : ` ${circumstances(live)}`));
  for (const [index, certificate] of chain.entries()) {
    const { subject, issuer, notBefore, notAfter, subjectAltNames } = describeCertificate(certificate.der);
    const title = live === undefined ? `certificate ${index + 1}` : index === 0 ? 'leaf' : `ca ${index}`;
    out.line(`  ${out.paint('bold', `${title}:`)} ${printable(subject ?? 'a certificate that cannot be read')}`);
    detail(out, 'issuer', issuer);
    detail(
      out,
      'valid',
      notBefore && notAfter && `from ${day(notBefore)} until ${day(notAfter)}${staleness(notBefore, notAfter)}`,
    );
    detail(out, 'names', subjectAltNames.length === 0 ? null : subjectAltNames.join(', '));
    for (const pin of spellings(certificate, isLeaf(certificate, index, live))) out.line(`    ${pin}`);
  }
  for (const { kind, spki, subject } of keys) {
    const title = kind === 'request' ? 'request:' : 'public key';
    out.line(`  ${out.paint('bold', title)}${subject === null ? '' : ` ${printable(subject)}`}`);
    for (const pin of keySpellings(presentRawPublicKey(spki), true)) out.line(`    ${pin}`);
  }
}

function circumstances({ address, version, serverName, proven }: LiveChain): string {
  const name = serverName === null ? 'no server name' : `server name ${printable(serverName)}`;
  const proof = proven ? '' : '; the server did not show that it has the key';
  return `(${address}, ${tlsVersionName(version)}, ${name}${proof})`;
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

/** One pinset for each match; what holds keys alone adds them to all as backups, or makes one of its own. */
export function pinsetsOf(findings: readonly Finding[], nowMs: number = Date.now()): unknown[] {
  const withChain = findings.filter(({ chain }) => chain.length > 0);
  const keysAlone = findings.filter(({ chain }) => chain.length === 0);
  const backups = keysAlone.flatMap(({ keys }) => keys.map((key) => keyPin(key, 'backup')));
  if (withChain.length === 0) return findings.map((finding) => pinsetOfKeys(finding));
  const drafts = new Map<string, Draft>();
  for (const finding of withChain) {
    const draft = draftOf(finding, nowMs);
    const key = JSON.stringify(draft.match);
    const known = drafts.get(key);
    drafts.set(key, known === undefined ? draft : joined(known, draft));
  }
  const names = new Set<string>();
  return [...drafts.values()].map((draft) => {
    const name = unique(draft.name, names);
    const pins = distinct([...draft.pins, ...backups]);
    const hasBackup = pins.some(({ isOwnBackup }) => isOwnBackup === true);
    return new Commented(
      { name, match: draft.match, pins: hasBackup ? pins.map(withoutFlag) : withPlaceForBackup(pins) },
      draft.comments,
    );
  });
}

interface Pin {
  readonly pin: string;
  readonly at?: 'leaf' | 'ca' | undefined;
  readonly role?: 'backup' | undefined;
  readonly comment?: string | undefined;
  /** A key that was given as a backup, and not an issuer's. */
  readonly isOwnBackup?: boolean;
}

interface Draft {
  readonly name: string;
  readonly match: object;
  readonly pins: readonly Pin[];
  readonly comments: readonly string[];
}

/**
 * The leaf's key, with its issuer's as a backup: a pin above the leaf counts for the pinset's hosts only, and for any
 * certificate that this CA issues for them.
 */
function draftOf({ source, target, live, chain, keys }: Finding, nowMs: number): Draft {
  const leaves = chain.filter((certificate, index) => isLeaf(certificate, index, live));
  const seen = `as seen on ${new Date(nowMs).toISOString().slice(0, 10)}`;
  const issuers = leaves.flatMap((leaf) => issuerOf(leaf, chain) ?? []);
  const host = target === undefined ? undefined : (live?.serverName ?? target.host);
  const hosts = host === undefined ? hostsOf(leaves) : [host];
  const isAddress = hosts.length === 1 && isIP(hosts[0]!) !== 0;
  return {
    name:
      target === undefined ? (hosts[0] ?? basename(source)) : target.isDefaultPort ? host! : `${host}:${target.port}`,
    match: {
      ...(isAddress ? { addresses: hosts } : { hosts: hosts.length > 0 ? hosts : [PLACEHOLDER] }),
      ...(target === undefined || target.isDefaultPort ? {} : { ports: [target.port] }),
    },
    pins: [
      ...leaves.map((leaf): Pin => ({ pin: bestPin(leaf), at: 'leaf', comment: `${titleOf(leaf)}, ${seen}` })),
      // Nothing but authorities: whether one of them serves by itself, they do not say.
      ...(leaves.length > 0 ? [] : chain.map((ca): Pin => ({ pin: bestPin(ca), comment: `${titleOf(ca)}, ${seen}` }))),
      ...issuers.map((ca): Pin => ({ pin: bestPin(ca), at: 'ca', role: 'backup', comment: titleOf(ca) })),
      ...keys.map((key) => keyPin(key, 'backup')),
    ],
    comments: [
      live === undefined ? source : `${source} ${circumstances(live)}: compare it with what is known from elsewhere`,
      ...(hosts.length > 0 ? [] : ['no host is named: write for which it is']),
    ],
  };
}

function pinsetOfKeys({ source, keys }: Finding): unknown {
  const hosts = [...new Set(keys.flatMap(({ names }) => names))];
  return new Commented(
    {
      name: (hosts[0] ?? basename(source)).slice(0, MAX_NAME),
      match: { hosts: hosts.length > 0 ? hosts : [PLACEHOLDER] },
      pins: keys.map((key) => withoutFlag(keyPin(key))),
    },
    [source, ...(hosts.length > 0 ? [] : ['no host is named: write for which it is'])],
  );
}

function keyPin({ kind, spki, subject }: BareKey, role?: 'backup'): Pin {
  const comment = subject === null ? undefined : `${kind === 'request' ? 'request of ' : ''}${subject}`;
  return { pin: bestPin(presentRawPublicKey(spki)), role, comment, isOwnBackup: true };
}

function joined(one: Draft, other: Draft): Draft {
  return { ...one, pins: [...one.pins, ...other.pins], comments: [...one.comments, ...other.comments] };
}

/** The same key at the same place is one pin. */
function distinct(pins: readonly Pin[]): Pin[] {
  const byKey = new Map<string, Pin>();
  for (const pin of pins) if (!byKey.has(`${pin.pin} ${pin.at}`)) byKey.set(`${pin.pin} ${pin.at}`, pin);
  return [...byKey.values()];
}

/** Above the last one, so that taking the slashes away is all that there is to do. */
function withPlaceForBackup(pins: readonly Pin[]): unknown[] {
  const all = pins.map(withoutFlag);
  return [...all.slice(0, -1), new Commented(all.at(-1), PLACE_FOR_BACKUP)];
}

function withoutFlag({ pin, at, role, comment }: Pin): Pin {
  return { pin, at, role, comment };
}

function unique(wanted: string, taken: Set<string>): string {
  const base = wanted.slice(0, MAX_NAME);
  let name = base;
  for (let number = 2; taken.has(name); number++) name = `${base.slice(0, MAX_NAME - 5)} (${number})`;
  taken.add(name);
  return name;
}

/** A server's first certificate is its own, whatever it says; of a file, those that are no authority's. */
function isLeaf({ der }: PresentedCertificate, index: number, live: LiveChain | undefined): boolean {
  return live === undefined ? factsOf(der)?.isCa !== true : index === 0;
}

function issuerOf(
  leaf: PresentedCertificate,
  chain: readonly PresentedCertificate[],
): PresentedCertificate | undefined {
  const wanted = nameIn(leaf.der, 'issuer');
  return chain.find(
    (other) => other.sha256 !== leaf.sha256 && wanted !== undefined && nameIn(other.der, 'subject') === wanted,
  );
}

function nameIn(der: Uint8Array, which: 'issuer' | 'subject'): string | undefined {
  const outline = outlineOf(der);
  return outline === null
    ? undefined
    : Buffer.from(der.subarray(outline[which].start, outline[which].end)).toString('latin1');
}

function hostsOf(leaves: readonly PresentedCertificate[]): string[] {
  const names = leaves.flatMap(({ der }) => describeCertificate(der).subjectAltNames);
  return [...new Set(names.map((name) => name.toLowerCase()))].filter((name) => isIP(name) === 0 && HOST.test(name));
}

function titleOf({ der }: PresentedCertificate): string {
  return describeCertificate(der).subject ?? 'unreadable';
}

function bestPin({ spkiSha256, sha256 }: PresentedCertificate): string {
  return spkiSha256 === null ? `cert-sha256:${sha256}` : `spki-sha256:${base64(spkiSha256)}`;
}

function base64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64');
}

const PLACEHOLDER = 'host.example';
const PLACE_FOR_BACKUP = [
  'the place for a backup of your own: a key that is kept elsewhere, shown by `tlspin pin backup.csr`',
  '{ "pin": "sha256//…", "role": "backup" },',
];
/** As pinset names may be at most. */
const MAX_NAME = 64;
const HOST = /^(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;
