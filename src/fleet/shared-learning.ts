/**
 * What the gateways of a fleet have learned, each told by whoever learned it, in parts of which each is put by nobody else,
 * and known to all. Cut off, a gateway goes on with what it has heard. What nobody has told again for a month is forgotten:
 * a gateway that is no more vouches for nothing.
 *
 *   learned -> told soon, many at once -> put where it differs from what is there
 *   heard   -> newer than what is known of that part -> in the place of it
 */
import { setImmediate as untilOthersHad } from 'node:timers/promises';

import { type HostWord, openPart, partOctets, partOf, PARTS, MOST_OCTETS } from './learned-words.ts';
import { type Broker, BrokerError, type Bucket, type Deleted, type Entry } from './port.ts';
import { SharedBucket } from './shared-bucket.ts';

export interface SharedLearningOptions {
  readonly broker: Broker;
  readonly fleet: string;
  readonly gateway: string;
  readonly network: string;
  /** Of the seals. */
  readonly key: Uint8Array;
  /** What was learned here; undefined: others are heard, and told nothing. */
  readonly hosts: (() => Iterable<HostWord>) | undefined;
  /** A sentence; null once all is well again. */
  readonly onTrouble: (why: string | null) => void;
}

/** Of one host, by one gateway. */
export interface GatewaySighting extends Pick<HostWord, 'observations' | 'keys'> {
  readonly gateway: string;
  readonly network: string;
}

export class SharedLearning {
  readonly #options: SharedLearningOptions;
  /** By host, then by gateway. */
  readonly #known = new Map<string, Map<string, GatewaySighting & { readonly at: number }>>();
  /** By gateway, then by part. */
  readonly #heard = new Map<string, Map<number, { readonly at: number; readonly hosts: readonly string[] }>>();
  /** What of this gateway's is there, as text, and since when. */
  readonly #carried = new Map<number, { readonly text: string; readonly at: number }>();
  readonly #unreadable = new Set<string>();
  /** Many hosts take a while to look through, in which nobody else has this thread. */
  #restMs = TOGETHER_MS;
  readonly #shared: SharedBucket;
  #telling: Promise<void> | undefined;
  #soon: NodeJS.Timeout | undefined;

  constructor(options: SharedLearningOptions) {
    const { broker, fleet } = options;
    this.#options = options;
    this.#shared = new SharedBucket({
      ...{ broker, name: 'tlspin-learned', keys: `${fleet}.>` },
      onEntry: (entry) => this.#hear(entry),
      onRejoined: (bucket) => this.#lookForOurs(bucket),
      onReady: () => this.#tell(),
      onTrouble: (why) => this.#tellTrouble(why),
    });
  }

  start(): void {
    this.#shared.start();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#soon);
    await this.#shared.stop();
    await this.#telling;
  }

  /** Something was learned here. */
  touch(): void {
    if (this.#options.hosts === undefined || this.#shared.isStopped) return;
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.#tell();
    }, this.#restMs).unref();
  }

  /** What other gateways have told of the host. */
  sightingsOf(pinset: string, host: string, now = Date.now()): readonly GatewaySighting[] {
    const of = this.#known.get(idOf({ pinset, host }))?.values() ?? [];
    return [...of].filter(({ at }) => now - at < COUNTS_FOR_MS);
  }

  /** Servers may have lost what they had. */
  async #lookForOurs(bucket: Bucket): Promise<void> {
    const [part] = this.#carried.keys();
    if (part === undefined || (await bucket.get(this.#nameOf(part))) !== undefined) return;
    this.#carried.clear();
  }

  #hear({ key, value }: Entry | Deleted): void {
    const [, gateway, text] = /\.([\w-]{1,64})\.(\d{1,2})$/.exec(key) ?? [];
    const part = Number(text);
    if (gateway === undefined || part >= PARTS) return;
    const told = value === null ? NOTHING : openPart(value, { ...this.#place, gateway, part }, this.#options.key);
    this.#note(key, gateway, told !== undefined);
    if (gateway === this.#options.gateway) {
      const text = told === undefined ? undefined : textOf(told.hosts);
      if (text !== undefined && text === this.#carried.get(part)?.text) return;
      if (value === null || told === undefined) this.#carried.delete(part);
      else this.#carried.set(part, { text: text!, at: told.at });
      this.touch();
    } else if (told !== undefined) this.#take(gateway, part, told);
  }

  #take(gateway: string, part: number, { at, network, hosts }: ReturnType<typeof openPart> & object): void {
    let parts = this.#heard.get(gateway);
    if (parts === undefined) {
      if (this.#heard.size >= MOST_GATEWAYS) return;
      this.#heard.set(gateway, (parts = new Map<number, { at: number; hosts: string[] }>()));
    }
    const before = parts.get(part);
    // An old one, played again; who takes one away may do so.
    if (before !== undefined && at < before.at && hosts.length > 0) return;
    for (const id of before?.hosts ?? []) this.#forget(id, gateway);
    for (const word of hosts) {
      const id = idOf(word);
      const of = this.#known.get(id) ?? new Map<string, GatewaySighting & { readonly at: number }>();
      this.#known.set(id, of.set(gateway, { ...word, gateway, network, at }));
    }
    parts.set(part, { at: Math.max(at, before?.at ?? 0), hosts: hosts.map(idOf) });
  }

  #forget(id: string, gateway: string): void {
    const of = this.#known.get(id);
    of?.delete(gateway);
    if (of?.size === 0) this.#known.delete(id);
  }

  /** One round at a time. */
  #tell(): void {
    if (!this.#shared.isCurrent || this.#telling !== undefined || this.#shared.isStopped) return;
    const began = performance.now();
    this.#telling = this.#tellAll()
      .then(() => this.#tellTrouble(null))
      .catch((error: unknown) => this.#shared.againLater(error))
      .finally(() => {
        this.#restMs = Math.min(Math.max(TOGETHER_MS, REST * (performance.now() - began)), LONGEST_REST_MS);
        this.#telling = undefined;
      });
  }

  async #tellAll(): Promise<void> {
    const { network, key, hosts } = this.#options;
    if (hosts === undefined) return;
    const now = Date.now();
    const parts = new Map<number, HostWord[]>([...this.#carried.keys()].map((part) => [part, []]));
    for (const word of hosts()) {
      const part = partOf(word);
      const words = parts.get(part);
      if (words === undefined) parts.set(part, [word]);
      else words.push(word);
    }
    for (const [part, words] of parts) {
      await untilOthersHad();
      const text = textOf(words);
      const carried = this.#carried.get(part);
      if (carried?.text === text && now - carried.at < TOLD_FOR_MS) continue;
      const octets = partOctets({ at: now, network, hosts: words }, { ...this.#place, part }, key);
      if (octets.length > MOST_OCTETS) throw new BrokerError('too-large', 'too much was learned to be shared');
      await this.#shared.bucket!.put(this.#nameOf(part), octets);
      this.#carried.set(part, { text, at: now });
    }
  }

  get #place() {
    const { fleet, gateway } = this.#options;
    return { fleet, gateway };
  }

  #nameOf(part: number): string {
    const { fleet, gateway } = this.#place;
    return `${fleet}.${gateway}.${part}`;
  }

  #note(key: string, gateway: string, isReadable: boolean): void {
    if (!isReadable && this.#unreadable.size < MOST_GATEWAYS) this.#unreadable.add(key);
    else if (!this.#unreadable.delete(key)) return;
    const what = `something that ${gateway} is said to have learned is not sealed with the key of this fleet`;
    this.#tellTrouble(this.#unreadable.size === 0 ? null : what);
  }

  #tellTrouble(why: string | null): void {
    if (why === null && this.#unreadable.size > 0) return;
    this.#options.onTrouble(why);
  }
}

function idOf({ pinset, host }: Pick<HostWord, 'pinset' | 'host'>): string {
  return `${pinset} ${host}`;
}

/** The same for the same words. */
function textOf(words: readonly HostWord[]): string {
  const ordered = words.map(({ pinset, host, observations, keys }) => ({ pinset, host, observations, keys }));
  return JSON.stringify(ordered.sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1)));
}

const NOTHING = { at: 0, network: '', hosts: [] };
const TOGETHER_MS = 1_000;
/** Times as long as a round took, until the next one. */
const REST = 5;
const LONGEST_REST_MS = 5_000;
const TOLD_FOR_MS = 7 * 86_400_000;
const COUNTS_FOR_MS = 30 * 86_400_000;
const MOST_GATEWAYS = 1_024;
