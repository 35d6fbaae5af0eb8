/**
 * What netfilter's rules, as they are in the kernel, take away from protection: looks every two seconds, and tells of what
 * two looks in a row have found, since rules that are applied anew are gone for a moment. Where the configuration wants
 * them kept, it has them put in place again. Knows how rules are followed by way of runtime/rules/.
 */
import type { Policy } from '../../pins/policy.ts';
import { type KernelQueue, readKernelQueues } from '../../source/kernel-queue.ts';
import { type Feed, type Feeds, feedsOf, missingFeeds } from '../rules/feeds.ts';
import type { RulesKeeper } from '../rules/keeper.ts';
import { foreignMarks } from '../rules/foreign-marks.ts';
import { flowOffloadIn } from '../rules/offload.ts';
import { type RunProgram, runProgram } from '../rules/program.ts';
import { readRuleset, type Rule } from '../rules/ruleset.ts';
import type { ConditionCode } from './conditions.ts';
import { SPELL_MS } from './losses.ts';
import type { Protection } from './protection.ts';

export interface RulesOptions {
  readonly protection: Protection;
  readonly policy: () => Policy;
  /** First and last. */
  readonly queues: () => readonly [number, number];
  readonly keeper: Pick<RulesKeeper, 'restore'>;
  /** For tests. */
  readonly run?: RunProgram;
  readonly readQueues?: () => ReadonlyMap<number, KernelQueue> | undefined;
}

export class Rules {
  readonly #options: Required<RulesOptions>;
  /** Own chains that packets came by since the configuration is in force. */
  #own = new Set<string>();
  /** By code: what the last look has found. */
  #found: ReadonlyMap<ConditionCode, string> = new Map();
  #unseen: Unseen | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #looks = 0;
  #onLooked!: () => void;
  /** Resolves when what it has told is of the rules as they are. */
  readonly looked = new Promise<void>((resolve) => (this.#onLooked = resolve));

  constructor(options: RulesOptions) {
    this.#options = { run: runProgram, readQueues: readKernelQueues, ...options };
  }

  start(): void {
    void this.#next();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** Rules that are gone may be what the new configuration meant. */
  forget(): void {
    this.#own.clear();
  }

  async #next(): Promise<void> {
    await this.look();
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.#next(), INTERVAL_MS);
    this.#timer.unref();
  }

  async look(): Promise<void> {
    const { policy: policyOf, queues, run, readQueues } = this.#options;
    const policy = policyOf();
    const entered = readQueues();
    const ruleset = await readRuleset(run);
    if (this.#isStopped) return;
    const found = new Map<ConditionCode, string>();
    if (!ruleset.isKnown) found.set('rules.unreadable', 'neither iptables-save nor nft tells');
    else {
      const feeds = feedsOf(ruleset, queues());
      this.#lookAtFeeds(feeds, policy, found);
      for (const [code, detail] of foreignMarks(ruleset, policy)) found.set(code, detail);
      const offload = policy.allowOffload ? [] : flowOffloadIn(ruleset.texts);
      if (offload.length > 0) found.set('offload.found', offload.join(', '));
      if (policy.failOpen) this.#lookForUnseen(feeds.feeds, entered, readQueues());
    }
    this.#tell(found);
    if (++this.#looks === 2) this.#onLooked();
    if (found.has('rules.none') || found.has('rules.partial')) await this.#keep(policy);
  }

  #lookAtFeeds(feeds: Feeds, policy: Policy, found: Map<ConditionCode, string>): void {
    const [first, last] = this.#options.queues();
    const queues = first === last ? `queue ${first}` : `queues ${first} to ${last}`;
    const isFed = feeds.feeds.length > 0;
    const missing = missingFeeds(feeds, policy, this.#own);
    for (const name of feeds.own) this.#own.add(name);
    if (!isFed) found.set('rules.none', `no rule sends packets to ${queues}`);
    else if (missing.length > 0)
      found.set('rules.partial', `the rules that feed ${queues} leave out ${missing.join('; ')}`);
  }

  /** Begins what was found before as well. */
  #tell(found: ReadonlyMap<ConditionCode, string>): void {
    const { protection } = this.#options;
    for (const code of CODES) {
      const detail = found.get(code);
      if (detail === undefined) protection.end(code, '');
      else if (this.#found.has(code)) protection.begin(code, '', detail);
    }
    this.#found = found;
  }

  async #keep(policy: Policy): Promise<void> {
    const { protection, keeper } = this.#options;
    // What two looks have found.
    const isTold = protection.conditions.some(({ code }) => code === 'rules.none' || code === 'rules.partial');
    if (policy.keptRules === undefined || !isTold) return;
    const outcome = await keeper.restore(policy, policy.keptRules);
    if (outcome === 'restored') {
      this.#own.clear();
      return protection.notice('rules.restored', '', 'the rules were put in place again', SPELL_MS);
    }
    const why = outcome === 'given up' ? 'somebody takes them away again and again' : outcome.failed;
    protection.notice('rules.given-up', '', why, SPELL_MS);
  }

  /**
   * Packets that a rule has sent here and that the kernel neither put into the queue nor dropped have passed: the kernel
   * counts them nowhere. What is counted between two readings counts for them at first and against them from then on, so
   * that there are never fewer than are told of.
   */
  #lookForUnseen(
    feeds: readonly Feed[],
    before: ReadonlyMap<number, KernelQueue> | undefined,
    after: ReadonlyMap<number, KernelQueue> | undefined,
  ): void {
    if (before === undefined || after === undefined) return;
    const rules = [...new Set<Rule>(feeds.map(({ rule }) => rule))];
    const texts = rules.map(({ text }) => text).join('\n');
    const sent = rules.reduce((sum, { packets }) => sum + (packets ?? 0), 0);
    const last = this.#unseen;
    const isSame = last !== undefined && last.sent <= sent && last.texts === texts;
    const most = sent - took(before);
    const least = sent - took(after);
    this.#unseen = { sent, texts, most: isSame ? Math.max(last.most, least) : most };
    if (!isSame || least <= last.most) return;
    const detail = `at least ${least - last.most} packets passed unseen`;
    this.#options.protection.notice('queue.fail-open', '', detail, SPELL_MS);
  }
}

interface Unseen {
  readonly sent: number;
  readonly texts: string;
  /** As many more were sent than the queues took. */
  readonly most: number;
}

function took(queues: ReadonlyMap<number, KernelQueue>): number {
  return [...queues.values()].reduce((sum, { sequence, queueDropped }) => sum + sequence + queueDropped, 0);
}

const CODES = [
  'rules.none',
  'rules.partial',
  'rules.unreadable',
  'offload.found',
  'marks.accepting',
  'marks.overwritten',
] as const satisfies readonly ConditionCode[];
const INTERVAL_MS = 2_000;
