/**
 * Which certificates have changed, and what was answered: one entry for each pinset, host and key that a client was
 * refused for. Made of records of the log and of answers, in whatever order these come. Bounded in entries, of one host
 * and of all: whoever makes a key for each connection fills the inbox of one host. Knows no sockets and no configuration.
 *
 *   open ──accept──▶ accepted     until it is refused again all the same
 *     │ ───deny────▶ denied       for good
 *     └───snooze───▶ snoozed      until its time has come
 */
import { createHash } from 'node:crypto';

import { hostPort } from '../../report/endpoint.ts';
import { millisOf } from '../../report/eve.ts';
import { adviceFor, meaningOf } from '../../report/reasons.ts';
import type { AnswerRecord, VerdictRecord } from '../../report/schema.ts';
import { isDenied, type LeafOfRecord, Tally } from './causes.ts';
import { type Accepted, AcceptedKeys } from './accepted-keys.ts';
import { type CertificateDifference, differencesOf } from './certificate-differences.ts';
import { isOfKeys, pinOf } from './remedy.ts';

/** Times are as Date.toISOString has them, but for those of certificates: UTC without a Z, as in the log. */
export interface InboxEntry {
  readonly id: string;
  readonly pinset: string;
  readonly mode: string;
  /** A server name, or ADDRESS:PORT where the client asked for none. */
  readonly host: string;
  readonly state: 'open' | 'accepted' | 'denied' | 'snoozed';
  /** The latest. */
  readonly answer: InboxAnswer | null;
  /** Of the new leaf, as a pin. */
  readonly key: string;
  /** As it was presented last, the leaf first. Only its holder has the leaf's key; what stands above it is not verified. */
  readonly chain: readonly LeafOfRecord[];
  /** The leaf that was let pass last at this host; null where none is known. */
  readonly before: Accepted | null;
  readonly differences: readonly CertificateDifference[];
  /** Of the last decision. */
  readonly action: string;
  /** In report-only and learn: what enforce had done. */
  readonly would: string | null;
  readonly reason: string;
  readonly meaning: string;
  readonly advice: string;
  readonly flow_id: number;
  readonly config: string;
  /** Decisions; `refused`: those that were not let pass. */
  readonly count: number;
  readonly refused: number;
  readonly first: string;
  readonly last: string;
  /** The most frequent first, `more`: there are others. */
  readonly clients: Counted;
  readonly servers: Counted;
}

export interface Counted {
  readonly known: readonly { readonly value: string; readonly count: number }[];
  readonly more: boolean;
}

export type AnswerKind = 'accept' | 'deny' | 'snooze' | 'reopen';

export interface InboxAnswer {
  /** The entry's id. */
  readonly entry: string;
  readonly answer: AnswerKind;
  readonly at: string;
  /** Of `snooze`. */
  readonly until: string | null;
  /** Who. */
  readonly by: string;
  readonly comment: string | null;
}

export interface InboxBounds {
  readonly entries: number;
  readonly entriesOfHost: number;
}

export class Inbox {
  readonly #bounds: InboxBounds;
  readonly #entries = new Map<string, Entry>();
  readonly #accepted = new AcceptedKeys();
  readonly #answers = new Map<string, InboxAnswer>();
  /** Entries that there was no room for any more. */
  displaced = 0;

  constructor(bounds: InboxBounds = BOUNDS) {
    this.#bounds = bounds;
  }

  /** The id of the entry that it changes, if it does. */
  add(record: VerdictRecord): string | undefined {
    const { verdict, tls } = record;
    const leaf = tls?.certificates[0];
    const key = leaf === undefined ? null : pinOf(leaf);
    if (leaf === undefined || key === null || verdict.pinset === null) return undefined;
    const [pinset, host] = [verdict.pinset, hostOf(record)];
    if (!isDenied({ action: verdict.action, would: verdict.would ?? null })) {
      this.#accepted.add({ pinset, host, key }, leaf, isoOf(record));
      return this.#entries.has(idOf(pinset, host, key)) ? idOf(pinset, host, key) : undefined;
    }
    return isOfKeys(verdict.reason) ? this.#refuse(record, { pinset, host, key }) : undefined;
  }

  answer(answer: InboxAnswer): void {
    const before = this.#answers.get(answer.entry);
    if (before !== undefined && before.at > answer.at) return;
    this.#answers.delete(answer.entry);
    this.#answers.set(answer.entry, answer);
    if (this.#answers.size > ANSWERS) this.#answers.delete(this.#answers.keys().next().value!);
  }

  /** Those that wait for an answer first, and of these the latest. */
  entries(nowMs: number): readonly InboxEntry[] {
    return [...this.#entries.values()]
      .map((entry) => this.#shown(entry, nowMs))
      .sort((a, b) => RANK[a.state] - RANK[b.state] || (a.last < b.last ? 1 : a.last > b.last ? -1 : 0));
  }

  entry(id: string, nowMs: number): InboxEntry | undefined {
    const entry = this.#entries.get(id);
    return entry === undefined ? undefined : this.#shown(entry, nowMs);
  }

  #refuse(record: VerdictRecord, of: Subject): string {
    const id = idOf(of.pinset, of.host, of.key);
    const at = isoOf(record);
    let entry = this.#entries.get(id);
    if (entry === undefined) {
      const tallies = { clients: new Tally(), servers: new Tally() };
      entry = { id, ...of, latest: record, count: 0, refused: 0, first: at, last: at, ...tallies };
      this.#entries.set(id, entry);
      this.#makeRoom(entry);
    }
    const count = record.verdict.packets ?? 1;
    entry.count += count;
    if (record.verdict.action !== 'accept') entry.refused += count;
    entry.clients.add(record.src_ip, count);
    entry.servers.add(hostPort(record.dest_ip, record.dest_port), count);
    if (at < entry.first) entry.first = at;
    if (at >= entry.last) {
      entry.last = at;
      entry.latest = record;
    }
    return id;
  }

  /** What was not seen for longest goes: of the host first. */
  #makeRoom(added: Entry): void {
    const ofHost = [...this.#entries.values()].filter(
      ({ pinset, host }) => pinset === added.pinset && host === added.host,
    );
    if (ofHost.length > this.#bounds.entriesOfHost) this.#displace(ofHost, added);
    if (this.#entries.size > this.#bounds.entries) this.#displace([...this.#entries.values()], added);
  }

  #displace(among: readonly Entry[], added: Entry): void {
    const others = among.filter((entry) => entry !== added);
    const oldest = others.reduce((a, b) => (b.last < a.last ? b : a));
    this.#entries.delete(oldest.id);
    this.displaced++;
  }

  #shown(entry: Entry, nowMs: number): InboxEntry {
    const { id, pinset, host, key, latest, count, refused, first, last } = entry;
    const { verdict, tls, flow_id: flow } = latest;
    const before = this.#accepted.before(entry);
    const answer = this.#answers.get(id) ?? null;
    const chain = tls!.certificates;
    return {
      ...{
        id,
        pinset,
        mode: verdict.mode,
        host,
        state: this.#stateOf(entry, answer, nowMs),
        answer,
        key,
        chain,
        before,
      },
      differences: differencesOf({ chain, first, last, before, others: this.#othersOf(entry) }),
      ...{ action: verdict.action, would: verdict.would ?? null, reason: verdict.reason },
      ...{
        meaning: meaningOf(verdict.reason),
        advice: adviceFor(verdict.reason),
        flow_id: flow,
        config: verdict.config,
      },
      ...{ count, refused, first, last, clients: countedOf(entry.clients), servers: countedOf(entry.servers) },
    };
  }

  #stateOf(entry: Entry, answer: InboxAnswer | null, nowMs: number): InboxEntry['state'] {
    if (answer?.answer === 'deny') return 'denied';
    if (answer?.answer === 'snooze' && Date.parse(answer.until ?? '') > nowMs) return 'snoozed';
    // A connection that was being judged while it was accepted says nothing against that.
    const isAccepted = answer?.answer === 'accept' && Date.parse(entry.last) < Date.parse(answer.at) + GRACE_MS;
    return isAccepted || this.#accepted.lastOf(entry) > entry.last ? 'accepted' : 'open';
  }

  /** Hosts besides it whose new certificates name the same issuer. */
  #othersOf({ host, latest }: Entry): number {
    const issuer = latest.tls!.certificates[0]!.issuer;
    const hosts = new Set<string>();
    for (const other of this.#entries.values()) {
      if (other.host !== host && other.latest.tls!.certificates[0]!.issuer === issuer) hosts.add(other.host);
    }
    return issuer === null ? 0 : hosts.size;
  }
}

interface Subject {
  readonly pinset: string;
  readonly host: string;
  readonly key: string;
}

interface Entry extends Subject {
  readonly id: string;
  latest: VerdictRecord;
  count: number;
  refused: number;
  first: string;
  last: string;
  readonly clients: Tally;
  readonly servers: Tally;
}

/** The same wherever it is worked out. */
export function idOf(pinset: string, host: string, key: string): string {
  return createHash('sha256')
    .update(JSON.stringify([pinset, host, key]))
    .digest('hex')
    .slice(0, 12);
}

/** As the log has recorded it. */
export function answerOf({ timestamp, answer }: AnswerRecord): InboxAnswer {
  const { entry, answer: kind, until = null, by, comment = null } = answer;
  return { entry, answer: kind, at: new Date(millisOf(timestamp)).toISOString(), until, by, comment };
}

/** As an entry names it. */
export function hostOf({ tls, dest_ip: address, dest_port: port }: VerdictRecord): string {
  return tls?.sni?.toLowerCase() ?? hostPort(address, port);
}

function isoOf({ timestamp }: VerdictRecord): string {
  return new Date(millisOf(timestamp)).toISOString();
}

function countedOf(tally: Tally): Counted {
  const { sorted } = tally;
  const known = sorted.slice(0, SHOWN).map(([value, count]) => ({ value, count }));
  return { known, more: tally.isFull || sorted.length > known.length };
}

const RANK: Readonly<Record<InboxEntry['state'], number>> = { open: 0, snoozed: 1, denied: 2, accepted: 3 };
const BOUNDS: InboxBounds = { entries: 500, entriesOfHost: 20 };
const ANSWERS = 1_000;
const GRACE_MS = 5_000;
const SHOWN = 50;
