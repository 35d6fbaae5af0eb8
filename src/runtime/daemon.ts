/**
 * The control plane: the policy in force and what is made of it, for the packet threads, the prober and the key log; and
 * their events on their way to the log. Fails closed: when a thread ends that was not told to, everything ends, and the
 * kernel drops what is queued until somebody starts it again. Knows no packets, no files and no signals.
 *
 *   start -> running -> stop           every queue bound, then ready; every held packet answered, then unbound
 *               |  reload              a configuration that cannot be had changes nothing; done when every queue has it
 *               +-> failed
 */
import type { AnomalyEvent, FlowEvent } from '../judge/events.ts';
import type { NamedConnection } from '../tcp/flow-names.ts';
import type { FlowPage, FlowQuestion } from '../connection/listing.ts';
import type { ProbeRequest } from '../judge/ports.ts';
import type { KeptSession } from '../judge/sessions.ts';
import type { AcceptRequest } from '../learn/accept.ts';
import type { ForgetRequest, ForgottenHost } from '../learn/forget.ts';
import { type PackedPolicy, packPolicy } from '../pins/match/pack.ts';
import type { KeylogPolicy, Policy } from '../pins/policy.ts';
import { Examiner, type ExaminerThread } from './examining/examiner.ts';
import { KeyLogIntake } from './key-log-intake.ts';
import type { KeptAnswers } from '../probe/cache.ts';
import type { ProbeCounts } from '../probe/counts.ts';
import type { OriginState, ProbeWays } from '../probe/origin.ts';
import { inconsistencyText } from './probing/inconsistency.ts';
import { type CreateProber, Probing } from './probing/probing.ts';
import { Queues, type QueueStatus, type ReleasedQueue } from './queue/queues.ts';
import { ThreadWatch } from './queue/thread-watch.ts';
import type { SpawnQueueThread } from './queue/thread.ts';
import { refusalOf } from './restart.ts';
import type { ServiceManager } from './service-manager.ts';

/** Takes events; never blocks. What it cannot keep it drops and counts itself. */
export interface EventLog {
  write(events: readonly FlowEvent[], queueNum?: number): void;
  close(): Promise<void>;
}

/** Makes more of a policy by what flows have shown. */
export interface PolicyLearner {
  refine(policy: Policy): Policy;
  observe(events: readonly FlowEvent[]): { readonly anomalies: readonly AnomalyEvent[]; readonly hasChanged: boolean };
  /** Resolves when what was learned is safe. */
  save(): Promise<void>;
  /** Another process wrote it until now. The policy is to be refined anew. */
  reread(): void;
  /** Has never seen some hosts; rejects with a sentence, nothing changed. The policy is to be refined anew. */
  forget(request: ForgetRequest): Promise<readonly ForgottenHost[]>;
  /** Holds hosts to a key that they were refused for, too; rejects likewise. The policy is to be refined anew. */
  accept(request: AcceptRequest): Promise<readonly string[]>;
}

export interface DaemonOptions {
  readonly policy: Policy;
  /** First and last queue number; otherwise the policy's. */
  readonly queues?: readonly [number, number] | undefined;
  readonly log: EventLog;
  readonly spawnExaminer: () => ExaminerThread;
  readonly createProber: CreateProber;
  /** Undefined where nothing is learned. */
  readonly learner?: PolicyLearner | undefined;
  /** Told of each policy that comes into force, with what was learned in it, ahead of its first verdict. */
  readonly onPolicy?: ((policy: Policy) => void) | undefined;
  /** Told when what was learned has come into force. */
  readonly onLearned?: ((generation: number) => void) | undefined;
  /** Whether handshake messages are to be told as they go by. */
  readonly watch?: boolean | undefined;
  readonly spawn: SpawnQueueThread;
  readonly manager: ServiceManager;
  /** One line to the operator. */
  readonly say: (line: string) => void;
}

export type ReloadOutcome =
  /** `silent`: queues that have not acknowledged it in time; they do when they come to it, or they end. */
  | { readonly isInForce: true; readonly generation: number; readonly silent: readonly number[] }
  /** Nothing has changed. */
  | { readonly isInForce: false; readonly reason: string };

/** What another process needs to go on. */
export interface Released {
  readonly queues: ReadonlyMap<number, ReleasedQueue>;
  readonly probes: KeptAnswers | null;
}

export interface DaemonStatus {
  readonly config: string;
  readonly generation: number;
  readonly probes: ProbeCounts | null;
  readonly probeOrigins: OriginState | null;
  readonly queues: readonly QueueStatus[];
}

export class Daemon {
  readonly #options: DaemonOptions;
  readonly #queues: Queues;
  readonly #probing: Probing;
  readonly #examiner: Examiner;
  #keylog: KeyLogIntake;
  /** As it was loaded, and with what was learned in it. */
  #loaded: Policy;
  #policy: Policy;
  /** As packet threads have it: what they are told is what differs from it. */
  #packed: PackedPolicy | undefined;
  #generation = 1;
  /** One after the other: opening a key log takes a while. */
  #reloading: Promise<unknown> = Promise.resolve();
  #isRelearnDue = false;
  /** Another process has, or is to have, what only one may have. */
  #isReleased = false;
  readonly #watch: ThreadWatch;
  #stopping: Promise<void> | undefined;
  #fail!: (error: Error) => void;
  /** Rejects when a packet thread ends that was not told to; never resolves. */
  readonly failure: Promise<never> = new Promise((_, reject) => (this.#fail = reject));

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#loaded = options.policy;
    this.#policy = options.learner?.refine(options.policy) ?? options.policy;
    options.onPolicy?.(this.#policy);
    this.#probing = new Probing({
      policy: options.policy,
      create: options.createProber,
      onInconsistent: ({ client, server }, ...found) =>
        this.#onInconsistent({ client, server }, inconsistencyText(...found)),
    });
    this.#examiner = new Examiner(
      options.spawnExaminer(),
      () => performance.now(),
      (error) => this.#fail(error),
    );
    this.#queues = new Queues({
      spawn: options.spawn,
      watch: options.watch ?? false,
      examiner: this.#examiner,
      prober: this.#probing,
      onEvents: (events, queueNum) => this.#onEvents(events, queueNum),
      onDeath: (error) => this.#fail(error),
      say: options.say,
    });
    this.#keylog = this.#intake(options.policy.keylog);
    this.#watch = new ThreadWatch({
      threads: () => [...this.#queues.threads, this.#examiner],
      manager: options.manager,
      onHung: (name, seconds) => {
        const why = `hangs: it has done nothing for ${seconds} s`;
        if (!this.#queues.giveUp(name, why)) this.#fail(new Error(`the ${name}'s thread ${why}`));
      },
    });
    this.failure.catch(() => {}); // whoever wants to know asks
  }

  get policy(): Policy {
    return this.#policy;
  }

  /** First and last queue number. */
  get queues(): readonly [number, number] {
    return this.#options.queues ?? this.#policy.queues;
  }

  /** Resolves when every queue is bound and the key log open; rejects, with nothing left of it, when one cannot be. */
  async start(): Promise<void> {
    await this.#orNothing([this.#keylog.start(), this.#startThreads(false)]);
    this.#begun();
  }

  /** Resolves when everything is there but the queues, which another process has still; rejects as `start` does. */
  async prepare(): Promise<void> {
    await this.#orNothing([this.#startThreads(true)]);
  }

  /** Goes on with what another process had; rejects as `start` does. Comes behind `prepare`. */
  async begin({ queues, probes }: Released): Promise<void> {
    // What it has learned since this one has read it.
    const { learner } = this.#options;
    learner?.reread();
    if (learner !== undefined) await this.#putIntoForce(learner.refine(this.#loaded));
    this.#probing.restore(probes);
    await this.#orNothing([this.#keylog.start(), this.#queues.begin(queues)]);
    this.#begun();
  }

  /** Lets go of everything that another process is to have; rejects where that cannot be. `resume` goes on. */
  async release(): Promise<Released> {
    await this.#reloading;
    this.#isReleased = true;
    const queues = await this.#queues.release();
    await this.#options.learner?.save();
    await this.#keylog.stop();
    return { queues, probes: this.#probing.keep() };
  }

  async resume(): Promise<void> {
    this.#isReleased = false;
    this.#queues.resume();
    this.#keylog = this.#intake(this.#loaded.keylog);
    await this.#keylog.start();
  }

  async #startThreads(isHanded: boolean): Promise<void> {
    const [first, last] = this.queues;
    const numbers = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    const { packed, change } = packPolicy(this.#policy);
    this.#packed = packed;
    await this.#queues.start(numbers, change, isHanded);
  }

  async #orNothing(parts: readonly Promise<void>[]): Promise<void> {
    try {
      await Promise.all(parts);
    } catch (error) {
      await Promise.allSettled(parts);
      await this.stop();
      throw error;
    }
  }

  #begun(): void {
    const [first, last] = this.queues;
    const routes = this.#queues.routes.join(', ');
    const queues = first === last ? `queue ${first}` : `queues ${first} to ${last}`;
    this.#options.say(`${queues} bound, connmark route: ${routes}, configuration ${this.#policy.hash}`);
    this.#ready();
    this.#watch.start();
  }

  /** Puts a policy into force, in every queue; where that cannot be, nothing has changed. */
  reload(policy: Policy): Promise<ReloadOutcome> {
    const reloaded = this.#reloading.then(() => this.#reload(policy));
    this.#reloading = reloaded;
    return reloaded;
  }

  async #reload(loaded: Policy): Promise<ReloadOutcome> {
    if (this.#stopping !== undefined) return { isInForce: false, reason: 'tlspin is ending' };
    if (this.#isReleased) return { isInForce: false, reason: 'another tlspin is taking over' };
    const reason = refusalOf(this.#policy, loaded) ?? (await this.#reopenKeyLog(loaded.keylog));
    if (reason !== undefined) return { isInForce: false, reason };
    this.#options.manager.reloading();
    this.#loaded = loaded;
    const policy = this.#options.learner?.refine(loaded) ?? loaded;
    const silent = await this.#putIntoForce(policy);
    this.#options.say(`reloaded: configuration ${policy.hash}`);
    if (silent.length > 0) this.#options.say(`queues that have not acknowledged it yet: ${silent.join(', ')}`);
    this.#ready();
    return { isInForce: true, generation: this.#generation, silent };
  }

  /** Has the learner forget hosts, and every queue know it. Rejects with a sentence, nothing changed. */
  forget(
    request: ForgetRequest,
  ): Promise<{ readonly forgotten: readonly ForgottenHost[]; readonly generation: number }> {
    return this.#relearning(async (learner) => {
      const hosts = await learner.forget(request);
      if (hosts.some(({ held }) => held !== null)) await this.#reload(this.#loaded);
      return { forgotten: hosts, generation: this.#generation };
    });
  }

  /** Has the learner hold hosts to another key as well, and every queue know it. Rejects with a sentence likewise. */
  acceptLearned(request: AcceptRequest): Promise<{ readonly hosts: readonly string[]; readonly generation: number }> {
    return this.#relearning(async (learner) => {
      const hosts = await learner.accept(request);
      await this.#reload(this.#loaded);
      return { hosts, generation: this.#generation };
    });
  }

  #relearning<T>(change: (learner: PolicyLearner) => Promise<T>): Promise<T> {
    const changed = this.#reloading.then(() => {
      const { learner } = this.#options;
      if (learner === undefined) throw new Error('nothing is learned: there is no section "learn"');
      if (this.#stopping !== undefined) throw new Error('tlspin is ending');
      return change(learner);
    });
    this.#reloading = changed.catch(() => {}); // whoever asked hears of it
    return changed;
  }

  /** The queues that have not acknowledged it in time. */
  #putIntoForce(policy: Policy): Promise<number[]> {
    this.#policy = policy;
    this.#options.onPolicy?.(policy);
    this.#probing.adopt(policy);
    const { packed, change } = packPolicy(policy, this.#packed);
    this.#packed = packed;
    return this.#queues.adopt(change, ++this.#generation);
  }

  /** What each queue answers about its flows, by queue; one that does not answer in time is missing. */
  list(question: FlowQuestion): Promise<ReadonlyMap<number, FlowPage>> {
    return this.#queues.list(question);
  }

  /** Of those the ones that a queue has accepted, by their places. */
  acceptedOf(named: readonly NamedConnection[]): Promise<ReadonlySet<number>> {
    return this.#queues.acceptedOf(named);
  }

  /** That were given out since the last time that it was asked. */
  newSessions(): Promise<readonly KeptSession[]> {
    return this.#queues.newSessions();
  }

  /** What the other gateway of a pair remembers: sessions, where they stand for the same pinsets, and probes. */
  remember(sessions: readonly KeptSession[], probes: KeptAnswers): void {
    this.#queues.addSessions(sessions);
    this.#probing.restore(probes);
  }

  /** What servers showed lately; null where nothing is remembered. */
  get probed(): KeptAnswers | null {
    return this.#probing.keep();
  }

  #onEvents(events: readonly FlowEvent[], queueNum: number): void {
    const { log, learner } = this.#options;
    log.write(events, queueNum);
    const lesson = learner?.observe(events);
    if (lesson === undefined) return;
    if (lesson.anomalies.length > 0) log.write(lesson.anomalies, queueNum);
    if (!lesson.hasChanged || this.#isRelearnDue) return;
    this.#isRelearnDue = true;
    this.#reloading = this.#reloading.then(() => this.#relearn());
  }

  /** What was promoted is in the file before anybody is held to it. */
  async #relearn(): Promise<void> {
    await this.#options.learner!.save();
    this.#isRelearnDue = false;
    const outcome = await this.#reload(this.#loaded);
    if (outcome.isInForce) this.#options.onLearned?.(outcome.generation);
  }

  onProbeWays(ways: ProbeWays): void {
    this.#probing.onWays(ways);
  }

  status(): DaemonStatus {
    return {
      config: this.#policy.hash,
      generation: this.#generation,
      probes: this.#probing.counts,
      probeOrigins: this.#probing.origins,
      queues: this.#queues.status(),
    };
  }

  /** Resolves when every held packet is answered, every queue unbound and the log written out. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#options.manager.stopping();
    this.#watch.stop();
    await this.#reloading;
    await this.#queues.stop();
    this.#probing.close();
    await this.#examiner.close();
    await this.#keylog.stop();
    await this.#options.learner?.save();
    await this.#options.log.close();
  }

  #intake(keylog: KeylogPolicy): KeyLogIntake {
    const { say } = this.#options;
    return new KeyLogIntake(keylog, { onSecrets: (secrets) => this.#queues.tellSecrets(secrets), say });
  }

  /** The reason where the new one cannot be had: the one that is open stays. */
  async #reopenKeyLog(keylog: KeylogPolicy): Promise<string | undefined> {
    if (JSON.stringify(keylog) === JSON.stringify(this.#policy.keylog)) return undefined;
    const next = this.#intake(keylog);
    try {
      await next.start();
    } catch (error) {
      return (error as Error).message;
    }
    const before = this.#keylog;
    this.#keylog = next;
    await before.stop();
    return undefined;
  }

  #onInconsistent({ client, server }: Pick<ProbeRequest, 'client' | 'server'>, detail: string): void {
    const time = Date.now() * 1000;
    this.#options.log.write([{ kind: 'anomaly', time, flowId: 0, client, server, code: 'probe.inconsistent', detail }]);
  }

  #ready(): void {
    this.#options.manager.ready(`${this.#queues.count} queues, ${this.#policy.pinsets.length} pinsets`);
  }
}
