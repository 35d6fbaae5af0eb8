/**
 * Pinsets that somebody may read, correct and take over: one for each host whose keys have settled, with its leaf keys,
 * the issuers that could be a backup, and everything that speaks against them. Decides nothing and writes nothing.
 */
import { printable } from '../bytes/invisible.ts';
import { LearnBook, type BookLimits } from './book.ts';
import type { LearnedHost, LearnedIssuer, LearnedKey, LearnState } from './state.ts';

export interface ProposedPin {
  readonly pin: string;
  readonly at: 'leaf' | 'ca';
  readonly role?: 'backup';
  readonly comment: string;
}

export interface ProposedPinset {
  readonly name: string;
  readonly match: {
    readonly hosts?: readonly string[];
    readonly addresses?: readonly string[];
    readonly ports: readonly number[];
  };
  readonly pins: readonly ProposedPin[];
}

export interface Proposal {
  /** Of the learning pinset. */
  readonly pinset: string;
  readonly host: string;
  readonly learned: LearnedHost;
  readonly standing: 'learning' | 'settled' | 'rotating' | 'promoted' | 'withheld';
  /** Undefined where there is nothing to propose yet. */
  readonly proposed: ProposedPinset | undefined;
  /** Sentences. */
  readonly warnings: readonly string[];
}

/** In the order of the state; `pinset`: that one only. */
export function proposalsOf(state: LearnState, limits: BookLimits, pinset?: string): Proposal[] {
  const book = new LearnBook(state, limits);
  return Object.entries(state.pinsets).flatMap(([name, hosts]) =>
    pinset !== undefined && name !== pinset
      ? []
      : Object.entries(hosts).map(([host, learned]) => propose(book, name, host, learned)),
  );
}

function propose(book: LearnBook, pinset: string, host: string, learned: LearnedHost): Proposal {
  const { observations: wanted } = book.limits;
  const readiness = book.readinessOf(learned);
  const shared = learned.keys.flatMap((key) => {
    const by = book.sharedBy(key);
    return by === undefined ? [] : [{ key, ...by }];
  });
  const flagged = new Set(shared.map(({ key }) => key.spki));
  const stable = learned.keys.filter((key) => key.count >= wanted && !flagged.has(key.spki));
  const warnings = [
    ...shared.map(({ key, shared: by, sites }) => sharedWarning(key, by, sites)),
    ...rotationWarnings(learned, wanted),
    ...learned.refused.map(
      ({ spki, count, lastSeen }) => `${pinOf(spki)} was denied ${times(count)}, the last time on ${day(lastSeen)}`,
    ),
  ];
  if (stable.length === 0 && shared.length === 0) {
    warnings.push(`no key was seen ${times(wanted)} yet: ${times(learned.observations)} the host was`);
  }
  const issuers = stable.length === 0 ? [] : backupsFor(book, learned, stable);
  if (stable.length > 0 && issuers.length === 0) {
    warnings.push('there is no issuer to propose as a backup: add a pin of a key that is kept elsewhere');
  }
  return {
    pinset,
    host,
    learned,
    standing: standingOf(book, learned, readiness.kind),
    proposed: stable.length === 0 ? undefined : pinsetFor(host, stable, issuers),
    warnings,
  };
}

function standingOf(book: LearnBook, learned: LearnedHost, readiness: string): Proposal['standing'] {
  if (learned.promoted !== null && book.stands(learned)) return 'promoted';
  if (readiness === 'shared') return 'withheld';
  if (readiness === 'ready') return 'settled';
  return learned.keys.length > 1 ? 'rotating' : 'learning';
}

/** An issuer signs for all its customers, so it takes the name to count; one that is flagged is for hands only. */
function backupsFor(book: LearnBook, learned: LearnedHost, stable: readonly LearnedKey[]): LearnedIssuer[] {
  const nearest = new Set(stable.flatMap((key) => (key.carriesName ? key.issuers.slice(0, 1) : [])));
  return learned.issuers.filter(({ spki }) => nearest.has(spki) && book.sitesOf(spki).length === 0);
}

function pinsetFor(host: string, keys: readonly LearnedKey[], issuers: readonly LearnedIssuer[]): ProposedPinset {
  const [, name = host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(host) ?? [];
  const isAddress = host.startsWith('[') || /^[\d.]+$/.test(name);
  return {
    name: (port === '443' ? name : host).slice(0, 64),
    match: { ...(isAddress ? { addresses: [name] } : { hosts: [name] }), ports: [Number(port)] },
    pins: [
      ...keys.map((key): ProposedPin => ({ pin: pinOf(key.spki), at: 'leaf', comment: sightings(key) })),
      ...issuers.map((key): ProposedPin => ({
        pin: pinOf(key.spki),
        at: 'ca',
        role: 'backup',
        comment: `candidate: any certificate that this issuer gives out for the host. ${sightings(key)}`,
      })),
    ],
  };
}

function sharedWarning(key: LearnedKey, by: string, sites: readonly string[]): string {
  const which = by === key.spki ? pinOf(by) : `${pinOf(key.spki)} is signed by ${issuerName(by)}, which`;
  return `${which} signs for ${sites.join(' and ')}: it looks like an interception proxy and is not proposed; if it is meant, write it by hand, with a comment`;
}

function rotationWarnings(learned: LearnedHost, wanted: number): string[] {
  const warnings: string[] = [];
  const since = learned.observations - wanted;
  const fleeting = learned.keys.filter(({ count }) => count < wanted);
  if (learned.keys.length > 1) {
    const recent = learned.keys.filter(({ lastAt }) => lastAt > since).length;
    warnings.push(
      `the host rotates: it has shown ${learned.keys.length} keys, ${recent} of them in its last ${times(wanted)}`,
    );
    for (const { spki, count, lastSeen } of fleeting) {
      warnings.push(
        `${pinOf(spki)} was seen ${times(count)} only, the last time on ${day(lastSeen)}: it is not proposed`,
      );
    }
  }
  if (learned.unlistedAt > Math.max(0, since))
    warnings.push('lately it has shown keys that there was no room to record');
  return warnings;
}

function sightings({
  subject,
  count,
  firstSeen,
  lastSeen,
}: Pick<LearnedKey, 'subject' | 'count' | 'firstSeen' | 'lastSeen'>) {
  const span = day(firstSeen) === day(lastSeen) ? `on ${day(firstSeen)}` : `from ${day(firstSeen)} to ${day(lastSeen)}`;
  return `${printable(subject ?? 'a certificate that cannot be read')}; seen ${times(count)} ${span}`;
}

const pinOf = (spki: string): string => `spki-sha256:${spki}`;
const issuerName = (id: string): string => (id.startsWith('name:') ? 'an issuer that was not shown' : pinOf(id));
const day = (date: string): string => date.slice(0, 10);
const times = (count: number): string => `${count} time${count === 1 ? '' : 's'}`;
