/**
 * A list that all gateways of a fleet change: words on its entries go to the carrier in parts, and what others have said
 * comes from there. Nobody overwrites what they have not heard: a part is put only in the place of the one that was
 * taken in. Cut off, a gateway goes on by itself; afterwards both sides have what either has said. Knows no files and
 * not what an entry means.
 *
 *   change -> said, part is due -> put -> carried
 *                          ^        | somebody else was faster
 *                          +- heard <
 */
import { isNewer, type Mark, type PresenceChange, SharedSet } from '../pins/lists/shared-set.ts';
import { MOST_OCTETS, parseWords, type Place, shardOf, SHARDS, wordsOctets } from './list-words.ts';
import { type Broker, BrokerError, type Bucket, type Deleted, type Entry } from './port.ts';
import { SharedBucket } from './shared-bucket.ts';

export interface SharedListOptions {
  readonly broker: Broker;
  readonly fleet: string;
  readonly list: string;
  readonly gateway: string;
  /** Of the seals. */
  readonly key: Uint8Array;
  /** What was on it before anybody was heard. */
  readonly entries: Iterable<string>;
  readonly onChange: (change: PresenceChange) => void;
  /** A sentence; null once all is well again. */
  readonly onTrouble: (why: string | null) => void;
}

export class SharedList {
  readonly #options: SharedListOptions;
  readonly #set = new SharedSet();
  readonly #parts = new Map<number, Part>();
  /** To be put. */
  readonly #due = new Set<number>();
  readonly #shared: SharedBucket;
  #putting: Promise<void> | undefined;

  constructor(options: SharedListOptions) {
    const { broker, fleet, list, onTrouble } = options;
    this.#options = options;
    this.#shared = new SharedBucket({
      ...{ broker, name: 'tlspin-lists', keys: `${fleet}.${list}.>`, onTrouble },
      onEntry: (entry) => this.#hear(entry),
      onRejoined: (bucket) => this.#lookForParts(bucket),
      onReady: () => this.#put(),
    });
    for (const entry of options.entries) this.#take(entry, { isPresent: true, at: 0, by: '' });
  }

  start(): void {
    this.#shared.start();
  }

  async stop(): Promise<void> {
    await this.#shared.stop();
    await this.#putting;
  }

  has(entry: string): boolean {
    return this.#set.has(entry);
  }

  /** Whether all that was said here has been carried. */
  get isCarried(): boolean {
    return this.#shared.isCurrent && this.#due.size === 0 && this.#putting === undefined;
  }

  /** What is there, those that are there no more left out. */
  *[Symbol.iterator](): Iterator<string> {
    for (const [entry, { isPresent }] of this.#set.marks) if (isPresent) yield entry;
  }

  /** This gateway's own word. */
  change({ added, removed }: PresenceChange, now = Date.now()): void {
    const { gateway } = this.#options;
    for (const entry of added) this.#note(entry, this.#set.say(entry, true, gateway, now));
    for (const entry of removed) this.#note(entry, this.#set.say(entry, false, gateway, now));
    this.#put();
  }

  #take(entry: string, mark: Mark): void {
    this.#set.merge([[entry, mark]]);
    this.#note(entry, mark);
  }

  #note(entry: string, mark: Mark): void {
    const shard = shardOf(entry);
    this.#part(shard).words.set(entry, mark);
    this.#due.add(shard);
  }

  #part(shard: number): Part {
    let part = this.#parts.get(shard);
    if (part === undefined) this.#parts.set(shard, (part = { revision: 0, words: new Map() }));
    return part;
  }

  /** Where servers have lost what they had, everything that is known here is put again. */
  async #lookForParts(bucket: Bucket): Promise<void> {
    const { fleet, list } = this.#options;
    const [known] = [...this.#parts].find(([, { revision }]) => revision > 0) ?? [];
    if (known === undefined || (await bucket.get(`${fleet}.${list}.${known}`)) !== undefined) return;
    for (const [shard, part] of this.#parts) {
      part.revision = 0;
      if (part.words.size > 0) this.#due.add(shard);
    }
  }

  #hear(entry: Entry | Deleted): void {
    const shard = Number(/\.(\d{1,4})$/.exec(entry.key)?.[1] ?? SHARDS);
    if (shard >= SHARDS) return;
    const part = this.#part(shard);
    if (entry.value === null) {
      part.revision = 0;
      if (part.words.size > 0) this.#due.add(shard);
      return this.#put();
    }
    const words = parseWords(entry.value, this.#place(shard), this.#options.key);
    if (words === undefined) {
      // Whoever put it there has another key: to overwrite it would be a fight without an end.
      const { list } = this.#options;
      return this.#options.onTrouble(`a part of the list "${list}" is not sealed with the key of this fleet's lists`);
    }
    part.revision = entry.revision;
    this.#due.delete(shard);
    const changed = this.#set.merge(words);
    for (const word of words.keys()) part.words.set(word, this.#set.marks.get(word)!);
    if (knowsMore(part.words, words)) this.#due.add(shard);
    if (changed.added.length + changed.removed.length > 0) this.#options.onChange(changed);
    this.#put();
  }

  /** What is due, a few parts at a time; one such round at a time. */
  #put(): void {
    if (!this.#shared.isCurrent || this.#due.size === 0 || this.#putting !== undefined || this.#shared.isStopped)
      return;
    this.#putting = this.#putAll()
      .then(() => this.#options.onTrouble(null))
      .catch((error: unknown) => this.#shared.againLater(error))
      .finally(() => {
        this.#putting = undefined;
      });
  }

  async #putAll(): Promise<void> {
    while (this.#due.size > 0 && !this.#shared.isStopped) {
      const shards = [...this.#due].slice(0, AT_ONCE);
      await Promise.all(shards.map((shard) => this.#putPart(shard)));
    }
  }

  async #putPart(shard: number): Promise<void> {
    const part = this.#part(shard);
    const { fleet, list, key } = this.#options;
    const octets = wordsOctets(part.words, this.#place(shard), key);
    if (octets.length > MOST_OCTETS) throw new BrokerError('too-large', `the list "${list}" is too long to be shared`);
    const tried = part.revision;
    this.#due.delete(shard);
    try {
      const name = `${fleet}.${list}.${shard}`;
      const revision = await this.#shared.bucket!.replace(name, octets, tried);
      part.revision = Math.max(part.revision, revision);
    } catch (error) {
      this.#due.add(shard);
      if (!(error instanceof BrokerError) || error.fault !== 'conflict') throw error;
      await this.#hearOf(shard, tried);
    }
  }

  /** Somebody else was faster, and what they said may not have come yet. */
  async #hearOf(shard: number, tried: number): Promise<void> {
    const { fleet, list } = this.#options;
    const part = this.#part(shard);
    if (part.revision !== tried) return;
    const entry = await this.#shared.bucket!.get(`${fleet}.${list}.${shard}`);
    if (entry === undefined) part.revision = 0;
    else this.#hear(entry);
    if (part.revision === tried) throw new BrokerError('conflict', `a part of the list "${list}" cannot be put`);
  }

  #place(shard: number): Place {
    const { fleet, list } = this.#options;
    return { fleet, list, shard };
  }
}

interface Part {
  /** Of what was taken in or put last; 0: there is nothing. */
  revision: number;
  readonly words: Map<string, Mark>;
}

function knowsMore(own: ReadonlyMap<string, Mark>, heard: ReadonlyMap<string, Mark>): boolean {
  for (const [entry, mark] of own) {
    const other = heard.get(entry);
    if (other === undefined || isNewer(mark, other)) return true;
  }
  return false;
}

const AT_ONCE = 16;
