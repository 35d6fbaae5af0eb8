/**
 * What a client's hellos have in common: all of their octets but those that a hello has of its own (RFC 8446 §4.1.2), its
 * random, its session id, what would resume a session, the octets of its key shares. Clients come again, and what was read
 * of one hello is known of the next that differs in nothing else. Bounded; what came once only is not kept.
 */
import { EXTENSION } from './constants.ts';
import { isGrease } from './grease.ts';

/** Hellos that are equal but for their own octets. */
export interface HelloPattern<T> {
  /** No other pattern of this thread ever has it. */
  readonly number: number;
  /** The first of them that was kept, and what was read of it. */
  readonly hello: Uint8Array;
  readonly read: T;
  readonly hash: number;
  /** JA4, once somebody has asked. */
  ja4: string | null | undefined;
}

/** Where a hello's own octets are. One reused object for whoever asks. */
export class OwnOctets {
  /** Where each run of them begins and ends, in order; of these so many count. */
  readonly edges = new Uint16Array(2 * RUNS);
  count = 0;

  /** Of the body of a ClientHello. False where it cannot be read, or is longer than any; `edges` then says nothing. */
  read(hello: Uint8Array): boolean {
    const { length } = hello;
    this.count = 0;
    if (length < SESSION_ID || length > LONGEST_READ) return false;
    const suites = SESSION_ID + hello[SESSION_ID - 1]!;
    this.#add(RANDOM, SESSION_ID - 1);
    this.#add(SESSION_ID, suites);
    const compression = suites + 2 + u16(hello, suites);
    if (compression >= length) return false;
    let at = compression + 1 + hello[compression]!;
    // RFC 5246 §7.4.1.2: a hello without extensions simply ends.
    if (at === length) return this.#isWhole();
    if (at + 2 + u16(hello, at) !== length) return false;
    for (at += 2; at < length;) {
      const type = u16(hello, at);
      const body = at + 4;
      at = body + u16(hello, at + 2);
      if (body > length || at > length) return false;
      if (type === EXTENSION.preSharedKey || type === EXTENSION.sessionTicket) this.#add(body, at);
      else if (type === EXTENSION.keyShare) this.#readShares(hello, body, at);
    }
    return this.#isWhole();
  }

  #isWhole(): boolean {
    return this.count <= 2 * RUNS;
  }

  /** What there is no room for is counted only. */
  #add(start: number, end: number): void {
    this.edges[this.count++] = start;
    this.edges[this.count++] = end;
  }

  /** As far as they can be read. What is GREASE is a choice of the client's. */
  #readShares(hello: Uint8Array, start: number, limit: number): void {
    const end = start + 2 + u16(hello, start);
    if (start + 2 > limit || end > limit) return;
    for (let at = start + 2; at + 4 <= end;) {
      const share = at + 4;
      const group = u16(hello, at);
      at = share + u16(hello, at + 2);
      if (at > end) return;
      if (!isGrease(group)) this.#add(share, at);
    }
  }
}

export class HelloPatterns<T> {
  readonly #own = new OwnOctets();
  #hash = 0;
  readonly #kept = new Array<HelloPattern<T> | undefined>(KEPT).fill(undefined);
  /** Hashes of those that came once. */
  readonly #seen = new Uint32Array(SEEN);
  #number = 0;

  find(hello: Uint8Array): HelloPattern<T> | undefined {
    this.#hash = 0;
    if (hello.length > LONGEST || !this.#own.read(hello)) return undefined;
    this.#hash = this.#hashOf(hello);
    const kept = this.#kept[this.#hash % KEPT];
    return kept?.hash === this.#hash && this.#isAlike(kept.hello, hello) ? kept : undefined;
  }

  /** Behind a `find` of the same hello that found nothing: what was read of it. */
  add(hello: Uint8Array, read: T): void {
    const hash = this.#hash;
    if (hash === 0) return;
    if (this.#seen[hash % SEEN] !== hash) this.#seen[hash % SEEN] = hash;
    else this.#kept[hash % KEPT] = { number: ++this.#number, hello, read, hash, ja4: undefined };
  }

  /** FNV-1a of what is not its own. */
  #hashOf(hello: Uint8Array): number {
    const { edges, count } = this.#own;
    let hash = 0x811c9dc5;
    let at = 0;
    for (let edge = 0; edge <= count; edge += 2) {
      const end = edge < count ? edges[edge]! : hello.length;
      for (; at < end; at++) hash = Math.imul(hash ^ hello[at]!, 0x01000193);
      if (edge < count) at = edges[edge + 1]!;
    }
    return hash >>> 0;
  }

  /** By where the second one's own octets are: what says where they are is none of them. */
  #isAlike(one: Uint8Array, other: Uint8Array): boolean {
    if (one.length !== other.length) return false;
    const { edges, count } = this.#own;
    let at = 0;
    for (let edge = 0; edge <= count; edge += 2) {
      const end = edge < count ? edges[edge]! : other.length;
      for (; at < end; at++) if (one[at] !== other[at]) return false;
      if (edge < count) at = edges[edge + 1]!;
    }
    return true;
  }
}

/** 0 behind the end. */
function u16(octets: Uint8Array, at: number): number {
  return at + 2 <= octets.length ? (octets[at]! << 8) | octets[at + 1]! : 0;
}

const RANDOM = 2;
/** Behind its length. */
const SESSION_ID = 35;
/** Runs of own octets, of which clients have three to seven. */
const RUNS = 32;
const LONGEST_READ = 0xffff;
/** Octets of a hello that is worth remembering. */
const LONGEST = 4_096;
const KEPT = 256;
const SEEN = 1_024;
