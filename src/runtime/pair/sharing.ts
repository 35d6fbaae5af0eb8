/**
 * What one gateway of a pair remembers is remembered by the other one too: told every other second, as far as it is news,
 * over the fleet, and all of it to one that has just begun. Where nobody listens it waits, and what does not matter any more
 * is not told. What comes of it here is what would have been remembered here anyway.
 */
import { createHash, createHmac } from 'node:crypto';
import { serialize } from 'node:v8';

import { LRUCache } from 'lru-cache';

import type { Broker, Subscription } from '../../fleet/port.ts';
import { SealedDialogue } from '../../fleet/sealed-dialogue.ts';
import type { KeptSession } from '../../judge/sessions.ts';
import type { Policy } from '../../pins/policy.ts';
import type { Daemon } from '../daemon.ts';
import { answersIn, type Batch, batches, batchOf, receipts, type ShownAnswers } from './batches.ts';

export interface PairSharingOptions {
  readonly broker: Broker;
  readonly fleet: string;
  readonly gateway: string;
  /** The other one. */
  readonly peer: string;
  readonly key: Uint8Array;
  readonly daemon: Pick<Daemon, 'policy' | 'newSessions' | 'remember' | 'probed'>;
  /** Milliseconds on a clock that nobody sets; for tests. */
  readonly now?: () => number;
}

export class PairSharing {
  readonly #options: PairSharingOptions;
  readonly #dialogue: SealedDialogue<Batch, { run: number }>;
  readonly #now: () => number;
  readonly #run = Date.now();
  #peerRun: number | undefined;
  /** Given out here, with when that was heard. */
  readonly #sessions = new LRUCache<string, { readonly session: KeptSession; readonly at: number; isTold: boolean }>({
    max: SESSIONS,
  });
  /** Of which pinsets they are. */
  #pinsets: { readonly of: Policy['pinsets']; readonly digest: string } | undefined;
  /** Answers that the other one has, by question: when they were shown. */
  readonly #told = new LRUCache<string, number>({ max: ANSWERS });
  #answering: Subscription | undefined;
  #timer: NodeJS.Timeout | undefined;
  #telling: Promise<void> | undefined;

  constructor(options: PairSharingOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    const { broker, fleet } = options;
    const key = createHmac('sha256', options.key).update(`tlspin pair 1 ${fleet}`).digest();
    this.#dialogue = new SealedDialogue({
      broker,
      key,
      questions: batches,
      answers: receipts,
      mostOctets: MOST_OCTETS,
    });
  }

  start(): void {
    const { fleet, gateway } = this.#options;
    this.#answering = this.#dialogue.answer(topicOf(fleet, gateway), async (batch) => this.#take(batch));
    this.#timer = setInterval(() => this.tell(), EVERY_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#answering?.stop();
  }

  /** What is news, unless that is under way. */
  tell(): Promise<void> {
    this.#telling ??= this.#tell()
      // It is told again soon; that nobody is there is what the pair is for.
      .catch(() => {})
      .finally(() => (this.#telling = undefined));
    return this.#telling;
  }

  async #tell(): Promise<void> {
    const { broker, fleet, peer, daemon } = this.#options;
    const digest = this.#digest();
    for (const session of await daemon.newSessions()) {
      this.#sessions.set(session.key, { session, at: this.#now(), isTold: false });
    }
    // They were given out for others meanwhile.
    if (digest !== this.#digest()) return this.#sessions.clear();
    while (broker.connection.isConnected) {
      const { batch, toldAt } = this.#news(digest);
      if (batch.sessions.length + batch.answers.length === 0 && this.#peerRun !== undefined && !this.#isDue()) return;
      const receipt = await this.#dialogue.ask(topicOf(fleet, peer), batch, PATIENCE_MS);
      if (receipt === undefined) return;
      this.#spokenAt = this.#now();
      if (receipt.run !== this.#peerRun) this.#tellAllAgain();
      this.#peerRun = receipt.run;
      for (const { key } of batch.sessions) {
        const known = this.#sessions.peek(key);
        if (known !== undefined) known.isTold = true;
      }
      for (const [question, at] of toldAt) this.#told.set(question, at);
      if (batch.sessions.length + batch.answers.length === 0) return;
    }
  }

  #spokenAt = -Infinity;

  /** Whether the other one may have begun anew meanwhile. */
  #isDue(): boolean {
    return this.#now() - this.#spokenAt > HELLO_MS;
  }

  #tellAllAgain(): void {
    for (const known of this.#sessions.values()) known.isTold = false;
    this.#told.clear();
  }

  /** As much as one message takes. */
  #news(pinsets: string): { readonly batch: Batch; readonly toldAt: ReadonlyMap<string, number> } {
    const now = this.#now();
    let room = BATCH_OCTETS;
    const sessions: KeptSession[] = [];
    for (const { session, at, isTold } of this.#sessions.values()) {
      const left = session.left - (now - at) * 1000;
      if (isTold || left <= 0 || room < SESSION_OCTETS) continue;
      room -= SESSION_OCTETS + session.pinsets.join().length;
      sessions.push({ ...session, left });
    }
    const answers: ShownAnswers[] = [];
    const toldAt = new Map<string, number>();
    for (const answer of this.#options.daemon.probed?.shown ?? []) {
      const [question, [latest]] = answer;
      if (latest === undefined || (this.#told.get(question) ?? -Infinity) >= now - latest.atMs - SAME_MS) continue;
      const octets = octetsOf(answer);
      if (octets > BATCH_OCTETS || octets > room) continue;
      room -= octets;
      answers.push(answer);
      toldAt.set(question, now - latest.atMs);
    }
    return { batch: batchOf({ run: this.#run, pinsets }, sessions, answers), toldAt };
  }

  #take(batch: Batch): { run: number } {
    const { daemon } = this.#options;
    const sessions = batch.pinsets === this.#digest() ? batch.sessions : [];
    const answers = answersIn(batch);
    daemon.remember(sessions, answers);
    // No news for whoever has told it.
    for (const [question, [latest]] of answers.shown) this.#told.set(question, this.#now() - latest!.atMs);
    if (this.#peerRun !== undefined && batch.run !== this.#peerRun) this.#tellAllAgain();
    this.#peerRun = batch.run;
    return { run: this.#run };
  }

  #digest(): string {
    const { pinsets } = this.#options.daemon.policy;
    if (this.#pinsets?.of !== pinsets) {
      this.#pinsets = { of: pinsets, digest: createHash('sha256').update(serialize(pinsets)).digest('hex') };
      this.#sessions.clear();
    }
    return this.#pinsets!.digest;
  }
}

function topicOf(fleet: string, gateway: string): string {
  return `pair.${fleet}.${gateway}`;
}

/** In a message. */
function octetsOf([question, all]: ShownAnswers): number {
  const chains = all.flatMap(({ finding }) => finding.chain.map((der) => (der.length * 4) / 3 + 4));
  return question.length + all.length * 200 + chains.reduce((sum, octets) => sum + octets, 0);
}

const EVERY_MS = 2_000;
const PATIENCE_MS = 2_000;
const HELLO_MS = 10_000;
/** Between two readings of the clocks. */
const SAME_MS = 1_000;
/** As many as packet threads remember. */
const SESSIONS = 10_000;
const ANSWERS = 10_000;
/** Servers of NATS take 1 MB at the most, unless told. */
const BATCH_OCTETS = 700_000;
const MOST_OCTETS = 1_000_000;
const SESSION_OCTETS = 160;
