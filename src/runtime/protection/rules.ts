/**
 * What netfilter's rules, as they are in the kernel, take away from protection: looks when they may have changed, and every
 * two seconds while something is amiss, and tells of what two looks in a row have found, since rules that are applied anew are
 * gone for a moment. Where the configuration wants them kept, it has them put in place again. Knows how rules are followed by
 * way of runtime/rules/.
 */
import type { Policy } from '../../pins/policy.ts';
import type { ProbeWays } from '../../probe/origin.ts';
import { type KernelQueue, readKernelQueues } from '../../source/kernel-queue.ts';
import { isLiberal, LIBERAL } from '../rules/beside/conntrack.ts';
import type { Devices } from '../rules/beside/devices.ts';
import { findDiversions } from '../rules/beside/diversions.ts';
import { type ReadFile, readKernelFile } from '../rules/beside/kernel-file.ts';
import { bothWays, type Feed, type Feeds, feedsOf, missingFeeds } from '../rules/feeds.ts';
import type { RulesKeeper } from '../rules/applying/keeper.ts';
import { foreignMarks } from '../rules/foreign-marks.ts';
import { flowOffloadIn } from '../rules/offload.ts';
import { leavesAsClients } from '../rules/plan.ts';
import { few } from '../rules/ports.ts';
import { readWays } from '../rules/probe-way.ts';
import { type RunProgram, runProgram } from '../programs/program.ts';
import { quicText, unseenQuic } from '../rules/quic.ts';
import { readRuleset, type Rule, type Ruleset, unreadOf } from '../rules/ruleset.ts';
import { BridgedBefore } from './bridged.ts';
import type { ConditionCode } from './conditions.ts';
import { SPELL_MS } from './losses.ts';
import type { Protection } from './protection.ts';
import { LOOKS, type News, RulesPace, TICK_MS } from './rules-pace.ts';

export interface RulesOptions {
  readonly protection: Protection;
  readonly policy: () => Policy;
  /** First and last. */
  readonly queues: () => readonly [number, number];
  readonly keeper: Pick<RulesKeeper, 'restore'>;
  /** Undefined where the kernel tells us of no changes. */
  readonly news: News | undefined;
  /** Told at each look what the rules do for probes with their clients' addresses. */
  readonly onProbeWays?: (ways: ProbeWays) => void;
  /** Undefined where the kernel lets nobody ask. */
  readonly devices: Pick<Devices, 'read' | 'filtered'> | undefined;
  /** For tests. */
  readonly run?: RunProgram;
  readonly readQueues?: () => ReadonlyMap<number, KernelQueue> | undefined;
  readonly read?: ReadFile;
}

export class Rules {
  readonly #options: Required<RulesOptions>;
  /** Own chains that packets came by since the configuration is in force, and their rules. */
  readonly #own = new Map<string, string>();
  /** As the last look has found them. */
  #seen: ReadonlyMap<string, string> = new Map();
  /** By code: what the last look has found. */
  #found: ReadonlyMap<ConditionCode, string> = new Map();
  #unseen: Unseen | undefined;
  readonly #pace: RulesPace;
  readonly #bridged = new BridgedBefore();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #isKeeping = false;
  #looks = 0;
  #onLooked!: () => void;
  /** Resolves when what it has told is of the rules as they are. */
  readonly looked = new Promise<void>((resolve) => (this.#onLooked = resolve));

  constructor(options: RulesOptions) {
    this.#options = {
      onProbeWays: () => {},
      run: runProgram,
      readQueues: readKernelQueues,
      read: readKernelFile,
      ...options,
    };
    this.#pace = new RulesPace(options.news);
  }

  start(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
    this.#tick();
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  /** Rules that are gone may be what the new configuration meant. */
  forget(): void {
    this.#own.clear();
    this.#bridged.forget();
    this.#pace.again();
  }

  /** As `forget`, where no rule can be meant otherwise than before. */
  again(): void {
    this.#pace.again();
  }

  #tick(): void {
    const now = performance.now();
    if (this.#pace.isTime(now)) void this.#next(now);
    else if (this.#pace.isLate(now)) this.#options.protection.begin('rules.unreadable', '', LATE);
  }

  async #next(began: number): Promise<void> {
    this.#pace.begin(began);
    await this.look();
    // What passes with failOpen is found by counting on.
    this.#pace.end(performance.now(), this.#found.size > 0 || this.#options.policy().failOpen);
  }

  async look(): Promise<void> {
    const policy = this.#options.policy();
    const found = await this.#findings(policy).catch(notUnderstood);
    if (this.#isStopped) return;
    this.#tell(found);
    if (++this.#looks === LOOKS) {
      this.#options.protection.know();
      this.#onLooked();
    }
    if (found.has('rules.none') || found.has('rules.partial')) void this.#keep(policy);
  }

  async #findings(policy: Policy): Promise<Map<ConditionCode, string>> {
    const { queues, run, readQueues, read, devices } = this.#options;
    const entered = readQueues();
    const ruleset = await readRuleset(run);
    const feeds = feedsOf(ruleset, queues());
    const ground = { run, read, devices };
    const found = new Map<ConditionCode, string>(await findDiversions(ground, ruleset, feeds.feeds, policy.ports));
    if (isLiberal(read(LIBERAL))) found.set('conntrack.liberal', 'nf_conntrack_tcp_be_liberal is on');
    const bridged = this.#bridged.unseen(devices?.read() ?? [], feeds.feeds, read);
    if (bridged !== undefined) found.set('bridge.unseen', bridged);
    const unread = unreadOf(ruleset);
    if (unread !== undefined) found.set('rules.unreadable', unread);
    // Where nothing is seen to feed the queue, it may be done by what is not seen.
    if (ruleset.isKnown && (ruleset.isWhole || feeds.feeds.length > 0)) {
      this.#lookAtFeeds(ruleset, feeds, policy, found);
      this.#lookForChanges(feeds);
      await this.#lookForProbeWays(feeds, policy);
      const quic = unseenQuic(ruleset, feeds, policy);
      if (quic.length > 0) found.set('quic.unseen', quicText(quic));
      for (const [code, detail] of foreignMarks(ruleset, policy)) found.set(code, detail);
      const offload = policy.allowOffload ? [] : flowOffloadIn(ruleset.texts);
      if (offload.length > 0) found.set('offload.found', offload.join(', '));
      if (policy.failOpen)
        this.#lookForUnseen([...feeds.feeds, ...feeds.probes, ...feeds.bridges], entered, readQueues());
    }
    return found;
  }

  #lookAtFeeds(ruleset: Ruleset, feeds: Feeds, policy: Policy, found: Map<ConditionCode, string>): void {
    const range = this.#options.queues();
    const [first, last] = range;
    const queues = first === last ? `queue ${first}` : `queues ${first} to ${last}`;
    if (feeds.feeds.length === 0) return void found.set('rules.none', `no rule sends packets to ${queues}`);
    const { partial, bypassed } = missingFeeds(ruleset, feeds, policy, range, this.#own.keys());
    if (partial.length > 0) found.set('rules.partial', `the rules that feed ${queues} leave out ${partial.join('; ')}`);
    if (bypassed.length > 0) found.set('rules.bypassed', `${queues}: ${bypassed.join('; ')}`);
  }

  /** What comes before rules were seen comes by rules that this has not looked at yet. */
  async #lookForProbeWays({ feeds, own, probes, bridges }: Feeds, policy: Policy): Promise<void> {
    const { run, onProbeWays } = this.#options;
    const returning = leavesAsClients(policy) ? await readWays(run, own, policy.probe.mark) : NONE;
    onProbeWays({ returning, queued: bothWays(probes), bridged: feeds.length === 0 ? ANY : bothWays(bridges) });
  }

  /** What two looks in a row have found is how it is from then on: somebody may have meant it so. */
  #lookForChanges({ own }: Feeds): void {
    const changed = [...own].filter(([name, text]) => {
      const isSure = this.#seen.get(name) === text;
      const before = this.#own.get(name);
      if (before === undefined || isSure) this.#own.set(name, text);
      return isSure && before !== undefined && before !== text;
    });
    this.#seen = own;
    if (changed.length === 0) return;
    const names = few(changed.map(([name]) => name));
    this.#options.protection.notice('rules.changed', '', `the rules in ${names} were changed`, SPELL_MS);
  }

  /** Begins what was found before as well. */
  #tell(found: ReadonlyMap<ConditionCode, string>): void {
    const { protection } = this.#options;
    const isLate = this.#pace.isLate(performance.now());
    for (const code of CODES) {
      const detail = found.get(code);
      if (detail === undefined && isLate && code === 'rules.unreadable') continue;
      if (detail === undefined) protection.end(code, '');
      else if (this.#found.has(code)) protection.begin(code, '', detail);
    }
    this.#found = found;
  }

  /** Takes its time, in which there are other looks. */
  async #keep(policy: Policy): Promise<void> {
    const { protection, keeper } = this.#options;
    // What two looks have found.
    const isTold = protection.conditions.some(({ code }) => code === 'rules.none' || code === 'rules.partial');
    if (policy.keptRules === undefined || !isTold || this.#isKeeping) return;
    this.#isKeeping = true;
    const outcome = await keeper.restore(policy, policy.keptRules);
    this.#isKeeping = false;
    if (this.#isStopped) return;
    this.#pace.again();
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

/** Programs of other versions print what nobody knows here; that must not end the engine. */
function notUnderstood(error: unknown): Map<ConditionCode, string> {
  return new Map([['rules.unreadable', `what the programs print is not understood (${(error as Error).message})`]]);
}

function took(queues: ReadonlyMap<number, KernelQueue>): number {
  return [...queues.values()].reduce((sum, { sequence, queueDropped }) => sum + sequence + queueDropped, 0);
}

const CODES = [
  'rules.none',
  'rules.partial',
  'rules.bypassed',
  'rules.unreadable',
  'offload.found',
  'packets.diverted',
  'packets.programmed',
  'bridge.unseen',
  'quic.unseen',
  'conntrack.liberal',
  'marks.accepting',
  'marks.overwritten',
] as const satisfies readonly ConditionCode[];
const NONE: ProbeWays['returning'] = new Set();
const ANY: ProbeWays['bridged'] = new Set(['ipv4', 'ipv6']);
const LATE = 'the rules may be others by now, and to read them takes long';
