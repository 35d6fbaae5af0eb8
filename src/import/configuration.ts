/**
 * What was imported as one configuration file that `tlspin check` accepts: names made distinct, a host in one pinset
 * alone, hosts and pins that cannot be meant taken out and noted, and every note a comment.
 */
import { X509Certificate } from 'node:crypto';
import { join, resolve } from 'node:path';

import { parseHostPattern } from '../pins/compile/match.ts';
import { parsePin, spkiCanonical } from '../pins/document/pin-string.ts';
import { SYSTEM } from '../pins/document/system-store.ts';
import { presentCertificate } from '../x509/presented.ts';
import { Commented, commentedJson } from './commented-json.ts';
import type { Findings, ImportedList, ImportedPin, ImportedPinset, ImportNote } from './found.ts';
import { missingLists, unusedLists } from './xt-sslpin.ts';

export interface ImportOptions {
  /** For pinsets whose source names no host. */
  readonly hosts: readonly string[];
  /** Folder of the files that lists become, whose entries can then be changed for good at run time. */
  readonly listFolder?: string | undefined;
  /** DER of the roots that the system trusts: servers do not send them. */
  readonly roots?: readonly Uint8Array[] | undefined;
  /** What was imported, for the heading. */
  readonly sources: readonly string[];
  readonly nowMs: number;
}

export interface ImportedConfiguration {
  readonly text: string;
  readonly pinsets: number;
  readonly lists: number;
  readonly rules: number;
  readonly notes: readonly ImportNote[];
  /** To be written: what the configuration refers to. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
}

export function configurationOf(found: Findings, options: ImportOptions): ImportedConfiguration {
  const notes = [...found.notes];
  const withHosts = found.pinsets.flatMap((pinset) => giveHosts(pinset, options.hosts, notes));
  const pinsets = nameAll(oneForEachHost(withoutReportsOnEnforced(withHosts, notes)));
  const places = [...new Set(notes.map(({ file }) => file))];
  notes.sort((a, b) => places.indexOf(a.file) - places.indexOf(b.file) || a.line - b.line);
  const unused = new Set(unusedLists(found));
  const missing = () =>
    missingLists(found).map((id) => [
      id,
      new Commented(inFile(id, { writable: true }), [
        `list ${id} is in none of the files: import /sys/kernel/xt_sslpin/${id} too`,
      ]),
    ]);
  const roots = new Map((options.roots ?? []).flatMap(namesOfRoot));
  const files: { path: string; text: string }[] = [];
  const inFile = (id: string, source: ImportedList['source']): ImportedList['source'] => {
    if (options.listFolder === undefined || source.writable !== true || !/^[\w-]+$/.test(id)) return source;
    const { entries = [], ...rest } = source;
    const path = join(resolve(options.listFolder), `${id}.txt`);
    files.push({ path, text: entries.map((entry) => `${entry}\n`).join('') });
    return { ...rest, file: path };
  };
  const lists = Object.fromEntries([
    ...found.lists.map(({ id, source, comments }) => [
      id,
      new Commented(inFile(id, source), unused.has(id) ? [...comments, adviceOn(id)] : comments),
    ]),
    ...missing(),
  ]);
  const rules = found.rules.map(({ source, comments }) => new Commented(source, comments));
  const heading = [
    `imported on ${new Date(options.nowMs).toISOString().slice(0, 10)} from ${options.sources.join(', ')}`,
    ...(notes.length === 0 ? [] : ['not taken over, or not as it was:', ...notes.map((note) => `  ${noteText(note)}`)]),
  ];
  const document = {
    version: 1,
    unpinned: found.rules.length > 0 || pinsets.some(({ pins }) => pins.length === 0) ? PROBING : undefined,
    lists: Object.keys(lists).length === 0 ? undefined : lists,
    pinsets:
      pinsets.length === 0 && rules.length + Object.keys(lists).length > 0
        ? undefined
        : pinsets.map((pinset) => pinsetOf(pinset, roots)),
    rules: rules.length === 0 ? undefined : rules,
  };
  return {
    text: `${commentedJson(new Commented(document, heading))}\n`,
    pinsets: pinsets.length,
    lists: Object.keys(lists).length,
    rules: rules.length,
    notes,
    files,
  };
}

/** A list says nothing of what is to be done about it. */
function adviceOn(id: string): string {
  return `no rule uses it: { "fpl": "${id}", "verdict": "drop" } denies what is on it, { "fpl": "!${id}", … } everything else`;
}

export function noteText({ file, line, text }: ImportNote): string {
  return line === 0 ? `${file}: ${text}` : `${file}:${line}: ${text}`;
}

/** Canonical pins of a root, and its subject. */
function namesOfRoot(der: Uint8Array): [string, string][] {
  const { spkiSha256, sha256 } = presentCertificate(der);
  const subject = new X509Certificate(der).subject.replaceAll('\n', ', ');
  return [
    ...(spkiSha256 === null ? [] : [[spkiCanonical(spkiSha256), subject] as [string, string]]),
    [`cert-sha256:${sha256}`, subject],
  ];
}

function rootOf({ pin }: ImportedPin, roots: ReadonlyMap<string, string>): string[] {
  const parsed = parsePin(pin);
  const subject = 'pin' in parsed ? roots.get(parsed.pin.canonical) : undefined;
  return subject === undefined ? [] : [`${pin} is of a root, which servers do not send: ${subject}`];
}

function pinsetOf(
  { name, hosts, ports, pins, deny, mode, expires, comments }: ImportedPinset,
  roots: ReadonlyMap<string, string>,
): Commented {
  const ofRoots = pins.flatMap((pin) => rootOf(pin, roots));
  const match = {
    ...(hosts.length === 0 ? {} : { hosts }),
    ...(ports === undefined || ports.length === 0 ? {} : { ports }),
  };
  return new Commented(
    {
      name,
      match: Object.keys(match).length === 0 ? undefined : match,
      pins: pins.length === 0 ? undefined : pins.map(pinOf),
      deny: deny === undefined || deny.length === 0 ? undefined : deny.map(pinOf),
      mode,
      expires,
      checks: ofRoots.length === 0 ? undefined : { trust: SYSTEM },
    },
    [...comments, ...ofRoots],
  );
}

function pinOf({ pin, at, role, comment }: ImportedPin): unknown {
  return at === undefined && role === undefined && comment === undefined ? pin : { pin, at, role, comment };
}

/** None is left without hosts but what only denies: it would hold for everybody. */
function giveHosts(pinset: ImportedPinset, given: readonly string[], notes: ImportNote[]): ImportedPinset[] {
  const hosts: string[] = [];
  for (const host of pinset.hosts) {
    const parsed = parseHostPattern(host);
    if ('value' in parsed) hosts.push(parsed.value);
    else notes.push({ ...whereOf(pinset), text: parsed.error });
  }
  if (hosts.length > 0 || pinset.pins.length === 0) return [{ ...pinset, hosts }];
  if (pinset.hosts.length > 0) return [];
  if (given.length > 0) return [{ ...pinset, name: given[0]!, hosts: given }];
  const comments = [...pinset.comments, 'the source names no host: write for which it is (or give --host)'];
  return [{ ...pinset, hosts: [PLACEHOLDER], comments }];
}

/** What is only reported must not take a host away, by being more specific, from what is enforced for it. */
function withoutReportsOnEnforced(pinsets: readonly ImportedPinset[], notes: ImportNote[]): ImportedPinset[] {
  const enforced = pinsets.filter(({ mode, pins }) => mode === undefined && pins.length > 0);
  return pinsets.flatMap((pinset) => {
    if (pinset.mode === undefined) return [pinset];
    const hosts = pinset.hosts.filter(
      (host) => !enforced.some((other) => other.hosts.some((wide) => covers(wide, host))),
    );
    if (hosts.length < pinset.hosts.length) {
      const text = 'the host has pins that are enforced too: those that are only to be reported are left out';
      notes.push({ ...whereOf(pinset), text });
    }
    return hosts.length === 0 ? [] : [{ ...pinset, hosts }];
  });
}

/** Whether every host of the second pattern is one of the first. */
function covers(wide: string, host: string): boolean {
  if (wide === host) return true;
  const plain = host.replace(/^\*\*?\./, '');
  if (wide.startsWith('**.')) return `.${plain}`.endsWith(wide.slice(2));
  return wide.startsWith('*.') && plain === host && plain.slice(plain.indexOf('.')) === wide.slice(1);
}

/**
 * A host that several pinsets name, on the same ports, would be ambiguous: it gets one of its own, with the pins of all.
 */
function oneForEachHost(pinsets: readonly ImportedPinset[]): ImportedPinset[] {
  const holders = new Map<string, ImportedPinset[]>();
  for (const pinset of pinsets) {
    if (pinset.pins.length === 0) continue;
    for (const host of new Set(pinset.hosts)) {
      const key = `${host} ${(pinset.ports ?? []).join()}`;
      holders.set(key, [...(holders.get(key) ?? []), pinset]);
    }
  }
  const shared = new Map([...holders].filter(([, all]) => all.length > 1));
  const isShared = (pinset: ImportedPinset) => (host: string) => shared.has(`${host} ${(pinset.ports ?? []).join()}`);
  const rest = pinsets.flatMap((pinset) => {
    if (pinset.pins.length === 0) return [pinset];
    const hosts = [...new Set(pinset.hosts)].filter((host) => !isShared(pinset)(host));
    return hosts.length === 0 ? [] : [{ ...pinset, hosts }];
  });
  const merged = new Map<string, ImportedPinset>();
  for (const [key, all] of shared) {
    const one = joined(all, key.split(' ')[0]!);
    // Hosts that share the same pinsets stay together.
    const group = all.map((pinset) => pinsets.indexOf(pinset)).join();
    const known = merged.get(group);
    merged.set(group, known === undefined ? one : { ...known, hosts: [...known.hosts, ...one.hosts] });
  }
  return [...rest, ...merged.values()];
}

function joined(pinsets: readonly ImportedPinset[], host: string): ImportedPinset {
  const [first] = pinsets as [ImportedPinset];
  const dates = pinsets.map(({ expires }) => expires);
  const expires = dates.every((date) => date !== undefined) ? dates.sort().at(-1) : undefined;
  return {
    ...first,
    hosts: [host],
    pins: distinct(pinsets.flatMap(({ pins }) => pins)),
    deny: distinct(pinsets.flatMap(({ deny }) => deny ?? [])),
    expires,
    comments: [...new Set(pinsets.flatMap(({ comments }) => comments))],
  };
}

function distinct(pins: readonly ImportedPin[]): ImportedPin[] {
  return [...new Map(pins.map((pin) => [`${pin.pin} ${pin.at}`, pin])).values()];
}

function nameAll(pinsets: readonly ImportedPinset[]): ImportedPinset[] {
  const taken = new Set<string>();
  return pinsets.map((pinset) => {
    const base = pinset.name.slice(0, MAX_NAME) || 'imported';
    let name = base;
    for (let number = 2; taken.has(name); number++) name = `${base.slice(0, MAX_NAME - 6)} (${number})`;
    taken.add(name);
    return { ...pinset, name, pins: distinct(pinset.pins) };
  });
}

/** Where a pinset comes from is its first comment. */
function whereOf({ comments: [place = ''] }: ImportedPinset): { file: string; line: number } {
  const [, file = place, line] = /^(.*):(\d+)(?::|$)/.exec(place) ?? [];
  return { file, line: Number(line ?? 0) };
}

/** Rules and lists of what is denied look at flows that no pinset is for. */
const PROBING = new Commented({ tls13: 'probe' }, [
  'TLS 1.3 hides certificates: without this, rules and lists see nothing of it; each server is asked once for all',
]);
const PLACEHOLDER = 'host.example';
const MAX_NAME = 64;
