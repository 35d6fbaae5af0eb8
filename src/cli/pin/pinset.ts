/**
 * Pinsets that are ready to be used, out of what `tlspin pin` found: with comments, as configurations have them, or as
 * plain JSON. Connects nowhere and reads no files.
 */
import { isIP } from 'node:net';
import { basename } from 'node:path';

import { Commented } from '../../import/commented-json.ts';
import { describeCertificate, subjectAltNamesOf } from '../../x509/certificate.ts';
import { outlineOf } from '../../x509/outline.ts';
import { type PresentedCertificate, presentRawPublicKey } from '../../x509/presented.ts';
import { type BareKey, circumstances, type Finding, isLeaf } from './finding.ts';

/** As far as it goes: what has to be added to it is said beside it. */
export interface ReadyPinset {
  readonly name: string;
  readonly match: object;
  readonly pins: readonly Pin[];
  readonly comments: readonly string[];
  /** No key was given that is its owner's alone. */
  readonly lacksBackup: boolean;
}

/** One pinset for each match; what holds keys alone adds them to all as backups, or makes one of its own. */
export function pinsetsOf(findings: readonly Finding[], nowMs: number = Date.now()): ReadyPinset[] {
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
    const pins = distinct([...draft.pins, ...backups]);
    const lacksBackup = !pins.some(({ isOwnBackup }) => isOwnBackup === true);
    return { ...draft, name: unique(draft.name, names), pins, lacksBackup };
  });
}

/** For a configuration file, where taking the slashes away is all that there is to do for a backup. */
export function withComments({ name, match, pins, comments, lacksBackup }: ReadyPinset): Commented {
  const all: unknown[] = pins.map(withoutFlag);
  // Above the last one: what comes before ends with a comma.
  if (lacksBackup) all.push(new Commented(all.pop(), PLACE_FOR_BACKUP));
  return new Commented({ name, match, pins: all }, comments);
}

/** For programs, which a configuration reads as well. */
export function withoutComments({ name, match, pins, comments, lacksBackup }: ReadyPinset): object {
  const comment = [...comments, ...(lacksBackup ? [LACKS_BACKUP] : [])].join('; ');
  return { name, match, pins: pins.map(withoutFlag), comment };
}

interface Pin {
  readonly pin: string;
  readonly at?: 'leaf' | 'ca' | undefined;
  readonly role?: 'backup' | undefined;
  readonly comment?: string | undefined;
  /** A key that was given as a backup, and not an issuer's. */
  readonly isOwnBackup?: boolean;
}

type Draft = Omit<ReadyPinset, 'lacksBackup'>;

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
      ...(hosts.length > 0 ? [] : [NO_HOST]),
    ],
  };
}

function pinsetOfKeys({ source, keys }: Finding): ReadyPinset {
  const hosts = [...new Set(keys.flatMap(({ names }) => names))];
  return {
    name: (hosts[0] ?? basename(source)).slice(0, MAX_NAME),
    match: { hosts: hosts.length > 0 ? hosts : [PLACEHOLDER] },
    pins: keys.map((key) => keyPin(key)),
    comments: [source, ...(hosts.length > 0 ? [] : [NO_HOST])],
    lacksBackup: false,
  };
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
  const names = leaves.flatMap(({ der }) => subjectAltNamesOf(der));
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
const NO_HOST = 'no host is named: write for which it is';
const PLACE_FOR_BACKUP = [
  'the place for a backup of your own: a key that is kept elsewhere, shown by `tlspin pin backup.csr`',
  '{ "pin": "sha256//…", "role": "backup" },',
];
const LACKS_BACKUP =
  'add a backup of your own, of a key that is kept elsewhere: { "pin": "sha256//…", "role": "backup" }';
/** As pinset names may be at most. */
const MAX_NAME = 64;
const HOST = /^(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;
