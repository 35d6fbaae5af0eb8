/**
 * Finds what fits a flow among many matches (pinsets or rules): hash maps by exact host, by the parent of a wildcard
 * and by network, so that the cost of a look-up does not grow with the number of entries. Knows how specific a match
 * is; what is done with the result is for the snapshot.
 *
 *   a.b.example.com   exact   {a.b.example.com}
 *                     `*.`    {b.example.com}
 *                     `**.`   {a.b.example.com}, {b.example.com}, {example.com}, {com}: the longest first
 */
import { inRange, networkKey, plainAddress, plainRange } from '../address.ts';
import type { AddressRange, CompiledMatch } from '../policy.ts';
import { HostPatterns, parentOf } from './host-patterns.ts';

export interface Endpoint {
  /** 4 or 16 octets. */
  readonly address: Uint8Array;
  readonly port: number;
}

export interface FlowSubject {
  readonly server: Endpoint;
  readonly client: Endpoint;
}

export interface Matched {
  /** Position in the file. */
  readonly index: number;
  readonly match: CompiledMatch;
}

export class MatchIndex<T extends Matched> {
  readonly #exact = new Map<string, Entry<T>[]>();
  /** By what follows `*.`. */
  readonly #oneLabel = new Map<string, Entry<T>[]>();
  /** By what follows `**.`. */
  readonly #anyLabels = new Map<string, Entry<T>[]>();
  readonly #ipv4 = new PrefixTable<T>();
  readonly #ipv6 = new PrefixTable<T>();
  /** Entries that name neither hosts nor addresses. */
  readonly #anywhere: Entry<T>[] = [];
  /** One entry for each distinct pair of ports and clients among those that name hosts, or nothing. */
  readonly #hostConditions = new Map<string, Entry<T>>();

  readonly #isEmpty: boolean;

  constructor(items: readonly T[]) {
    this.#isEmpty = items.length === 0;
    for (const item of items) this.#add(item);
  }

  /** The entry bound to the server's address: longest prefix, then port, then client. */
  byAddress(subject: FlowSubject): T | undefined {
    if (this.#ipv4.isEmpty && this.#ipv6.isEmpty) return undefined;
    const at = plainSubject(subject);
    return this.#table(at).longest(at)?.item;
  }

  /** The entry bound to the name: exact, `*.`, longest `**.`; then port, then client. `name` is normal. */
  byHost(subject: FlowSubject, name: string): T | undefined {
    const at = plainSubject(subject);
    const exact = best(this.#exact.get(name), at, name) ?? best(this.#oneLabel.get(parentOf(name)), at, name);
    if (exact !== undefined) return exact.item;
    for (let suffix = name; suffix !== ''; suffix = parentOf(suffix)) {
      const found = best(this.#anyLabels.get(suffix), at, name);
      if (found !== undefined) return found.item;
    }
    return undefined;
  }

  /** Among the entries that name neither hosts nor addresses: port, then client. */
  anywhere(subject: FlowSubject): T | undefined {
    if (this.#anywhere.length === 0) return undefined;
    return best(this.#anywhere, plainSubject(subject))?.item;
  }

  /** Everything that fits, in the order of the file. */
  all(subject: FlowSubject, name: string | null): T[] {
    if (this.#isEmpty) return [];
    const at = plainSubject(subject);
    const found = new Set<T>();
    const take = (entries: readonly Entry<T>[] | undefined) => {
      for (const entry of entries ?? []) if (fits(entry, at) && !isExempt(entry, name)) found.add(entry.item);
    };
    take(this.#anywhere);
    for (const entries of this.#table(at).containing(at.server)) take(entries);
    if (name !== null) {
      take(this.#exact.get(name));
      take(this.#oneLabel.get(parentOf(name)));
      for (let suffix = name; suffix !== ''; suffix = parentOf(suffix)) take(this.#anyLabels.get(suffix));
    }
    return found.size < 2 ? [...found] : [...found].sort((a, b) => a.index - b.index);
  }

  /** Whether some entry could still be found by a name that is not known yet, or by none. */
  couldNameDecide(subject: FlowSubject): boolean {
    return this.whateverName(subject) !== undefined;
  }

  /** Some entry that could be found by a name. */
  whateverName(subject: FlowSubject): T | undefined {
    if (this.#hostConditions.size === 0) return undefined;
    const at = plainSubject(subject);
    for (const entry of this.#hostConditions.values()) if (fits(entry, at)) return entry.item;
    return undefined;
  }

  #add(item: T): void {
    const entry = entryOf(item);
    const { hosts, addresses } = item.match;
    for (const host of hosts) {
      if (host.startsWith('**.')) push(this.#anyLabels, host.slice(3), entry);
      else if (host.startsWith('*.')) push(this.#oneLabel, host.slice(2), entry);
      else push(this.#exact, host, entry);
    }
    for (const range of addresses) {
      const plain = plainRange(range);
      (plain.address.length === 4 ? this.#ipv4 : this.#ipv6).add(plain, entry);
    }
    if (hosts.length === 0 && addresses.length === 0) this.#anywhere.push(entry);
    if (addresses.length === 0) this.#hostConditions.set(conditionKey(entry), entry);
  }

  #table(at: PlainSubject): PrefixTable<T> {
    return at.server.length === 4 ? this.#ipv4 : this.#ipv6;
  }
}

/** A host name as matches hold it: lower case, without the dot of the root. */
export function normalName(name: string): string {
  const lower = name.toLowerCase();
  return lower.endsWith('.') ? lower.slice(0, -1) : lower;
}

interface Entry<T> {
  readonly item: T;
  readonly ports: readonly (readonly [number, number])[];
  /** Made plain. */
  readonly clients: readonly AddressRange[];
  readonly exempt: HostPatterns | undefined;
}

interface PlainSubject {
  readonly server: Uint8Array;
  readonly port: number;
  readonly client: Uint8Array;
}

interface PrefixLength<T> {
  readonly prefix: number;
  readonly networks: Map<string, Entry<T>[]>;
}

/** Networks of one address family: one hash map for each prefix length that occurs, longest first. */
class PrefixTable<T extends Matched> {
  readonly #lengths: PrefixLength<T>[] = [];

  get isEmpty(): boolean {
    return this.#lengths.length === 0;
  }

  add({ address, prefix }: AddressRange, entry: Entry<T>): void {
    let length = this.#lengths.find((each) => each.prefix === prefix);
    if (length === undefined) {
      length = { prefix, networks: new Map() };
      this.#lengths.push(length);
      this.#lengths.sort((a, b) => b.prefix - a.prefix);
    }
    push(length.networks, networkKey(address, prefix), entry);
  }

  /** Of each connection: no generator, which leaves compiled code for each of its steps. */
  longest(at: PlainSubject): Entry<T> | undefined {
    for (const { prefix, networks } of this.#lengths) {
      const found = best(networks.get(networkKey(at.server, prefix)), at);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  containing(address: Uint8Array): (readonly Entry<T>[])[] {
    const found: (readonly Entry<T>[])[] = [];
    for (const { prefix, networks } of this.#lengths) {
      const entries = networks.get(networkKey(address, prefix));
      if (entries !== undefined) found.push(entries);
    }
    return found;
  }
}

function entryOf<T extends Matched>(item: T): Entry<T> {
  const { ports, clients, exempt } = item.match;
  const patterns = exempt.length === 0 ? undefined : new HostPatterns(exempt);
  return { item, ports, clients: clients.map(plainRange), exempt: patterns };
}

function plainSubject(subject: FlowSubject): PlainSubject {
  return {
    server: plainAddress(subject.server.address),
    port: subject.server.port,
    client: plainAddress(subject.client.address),
  };
}

function fits<T>(entry: Entry<T>, at: PlainSubject): boolean {
  return portWidth(entry, at.port) !== undefined && clientPrefix(entry, at.client) !== undefined;
}

function isExempt<T>({ exempt }: Entry<T>, name: string | null): boolean {
  return exempt !== undefined && name !== null && exempt.cover(name);
}

/** The most specific of the entries that fit; the loader refuses equals, so the order of the file does not matter. */
function best<T extends Matched>(
  entries: readonly Entry<T>[] | undefined,
  at: PlainSubject,
  name: string | null = null,
): Entry<T> | undefined {
  let found: Entry<T> | undefined;
  let foundWidth = 0;
  let foundPrefix = 0;
  for (const entry of entries ?? []) {
    const width = portWidth(entry, at.port);
    const prefix = clientPrefix(entry, at.client);
    if (width === undefined || prefix === undefined || isExempt(entry, name)) continue;
    if (found === undefined || width < foundWidth || (width === foundWidth && prefix > foundPrefix)) {
      found = entry;
      foundWidth = width;
      foundPrefix = prefix;
    }
  }
  return found;
}

/** How many ports the narrowest fitting range holds: fewer is more specific. Undefined: none fits. */
function portWidth<T>(entry: Entry<T>, port: number): number | undefined {
  if (entry.ports.length === 0) return ANY_PORT;
  let width: number | undefined;
  for (const [first, last] of entry.ports) {
    if (port < first || port > last) continue;
    const size = last - first + 1;
    if (width === undefined || size < width) width = size;
  }
  return width;
}

/** Length of the longest fitting client prefix, -1 when any client fits. Undefined: none fits. */
function clientPrefix<T>(entry: Entry<T>, client: Uint8Array): number | undefined {
  if (entry.clients.length === 0) return -1;
  let prefix: number | undefined;
  for (const range of entry.clients) {
    if (inRange(client, range) && (prefix === undefined || range.prefix > prefix)) prefix = range.prefix;
  }
  return prefix;
}

function conditionKey<T>(entry: Entry<T>): string {
  const clients = entry.clients.map((c) => `${c.prefix}/${c.address.join('.')}`).sort();
  const ports = entry.ports.map((p) => p.join('-')).sort();
  return `${ports.join(',')};${clients.join(',')}`;
}

/** The entries of one item come one after another, so a repetition is always the last. */
function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else if (values.at(-1) !== value) values.push(value);
}

/** Wider than every range, so that a match without ports is the least specific. */
const ANY_PORT = 0x1_0001;
