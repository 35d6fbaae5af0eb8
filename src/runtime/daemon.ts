/**
 * The control plane: one packet thread a queue, their events to the log, their questions to the examiner and the prober,
 * and to them the configuration and what clients log of their secrets. Fails closed: when a thread ends that was not told to, everything ends, and the kernel drops
 * what is queued until somebody starts it again. Knows no packets, no files and no signals.
 *
 *   start -> running -> stop           every queue bound, then ready; every held packet answered, then unbound
 *               |  reload              a configuration that cannot be had changes nothing; done when every queue has it
 *               +-> failed
 */
import type { AnomalyEvent, FlowEvent } from '../judge/events.ts';
import type { FlowNumbering } from '../connection/flow-numbers.ts';
import type { FlowPage, FlowQuestion } from '../connection/listing.ts';
import type { ProbeRequest } from '../judge/ports.ts';
import type { ForgetRequest, ForgottenHost } from '../learn/forget.ts';
import { type PackedPolicy, packPolicy, type PolicyChange } from '../pins/match/pack.ts';
import type { KeylogPolicy, Policy } from '../pins/policy.ts';
import { ownedConnmarkBits } from './connmark-mask.ts';
import type { QueueCounts } from './counters.ts';
import { Examiner, type ExaminerThread } from './examining/examiner.ts';
import { KeyLogIntake } from './key-log-intake.ts';
import type { FromQueue, ToQueue } from './messages.ts';
import type { ProbeCounts } from '../probe/prober.ts';
import { type CreateProber, Probing } from './probing.ts';
import { Queue, type SpawnQueueThread } from './queue-thread.ts';
import { Roundup } from './roundup.ts';
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
  /** Has never seen some hosts; rejects with a sentence, nothing changed. The policy is to be refined anew. */
  forget(request: ForgetRequest): Promise<readonly ForgottenHost[]>;
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

export interface DaemonStatus {
  readonly config: string;
  readonly generation: number;
  readonly probes: ProbeCounts | null;
  readonly queues: readonly { readonly queue: number; readonly route: string; readonly counts: QueueCounts }[];
}

export class Daemon {
  readonly #options: DaemonOptions;
  readonly #queues: Queue[] = [];
  readonly #probing: Probing;
  readonly #examiner: Examiner;
  #keylog: KeyLogIntake;
  /** As it was loaded, and with what was learned in it. */
  #loaded: Policy;
  #policy: Policy;
  /** As packet threads have it: what they are told is what differs from it. */
  #packed: PackedPolicy | undefined;
  #generation = 1;
  readonly #adoptions = new Roundup<true>(ADOPTION_PATIENCE_MS);
  readonly #listings = new Roundup<FlowPage>(LISTING_PATIENCE_MS);
  #nextListing = 1;
  /** One after the other: opening a key log takes a while. */
  #reloading: Promise<unknown> = Promise.resolve();
  #isRelearnDue = false;
  #watchdog: NodeJS.Timeout | undefined;
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
      onInconsistent: (request) => this.#onInconsistent(request),
    });
    this.#examiner = new Examiner(
      options.spawnExaminer(),
      () => performance.now(),
      (error) => this.#fail(error),
    );
    this.#keylog = this.#intake(options.policy.keylog);
    this.failure.catch(() => {}); // whoever wants to know asks
  }

  get policy(): Policy {
    return this.#policy;
  }

  /** Resolves when every queue is bound and the key log open; rejects, with nothing left of it, when one cannot be. */
  async start(): Promise<void> {
    const [first, last] = this.#options.queues ?? this.#policy.queues;
    const numbers = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    const { packed, change } = packPolicy(this.#policy);
    this.#packed = packed;
    const parts = [
      this.#keylog.start(),
      ...numbers.map((queueNum, i) => this.#startQueue(queueNum, change, { first: i + 1, step: numbers.length })),
    ];
    try {
      await Promise.all(parts);
    } catch (error) {
      await Promise.allSettled(parts);
      await this.stop();
      throw error;
    }
    const routes = [...new Set(this.#queues.map(({ route }) => route))].join(', ');
    const queues = first === last ? `queue ${first}` : `queues ${first} to ${last}`;
    this.#options.say(`${queues} bound, connmark route: ${routes}, configuration ${this.#policy.hash}`);
    this.#ready();
    this.#watch();
  }

  /** Puts a policy into force, in every queue; where that cannot be, nothing has changed. */
  reload(policy: Policy): Promise<ReloadOutcome> {
    const reloaded = this.#reloading.then(() => this.#reload(policy));
    this.#reloading = reloaded;
    return reloaded;
  }

  async #reload(loaded: Policy): Promise<ReloadOutcome> {
    if (this.#stopping !== undefined) return { isInForce: false, reason: 'tlspin is ending' };
    const reason = refusalOf(this.#policy, loaded) ?? (await this.#reopenKeyLog(loaded.keylog));
    if (reason !== undefined) return { isInForce: false, reason };
    this.#options.manager.reloading();
    this.#loaded = loaded;
    const policy = this.#options.learner?.refine(loaded) ?? loaded;
    this.#policy = policy;
    this.#options.onPolicy?.(policy);
    this.#probing.adopt(policy);
    const silent = await this.#spread(policy);
    this.#options.say(`reloaded: configuration ${policy.hash}`);
    if (silent.length > 0) this.#options.say(`queues that have not acknowledged it yet: ${silent.join(', ')}`);
    this.#ready();
    return { isInForce: true, generation: this.#generation, silent };
  }

  /** Has the learner forget hosts, and every queue know it. Rejects with a sentence, nothing changed. */
  forget(
    request: ForgetRequest,
  ): Promise<{ readonly forgotten: readonly ForgottenHost[]; readonly generation: number }> {
    const forgotten = this.#reloading.then(async () => {
      const { learner } = this.#options;
      if (learner === undefined) throw new Error('nothing is learned: there is no section "learn"');
      if (this.#stopping !== undefined) throw new Error('tlspin is ending');
      const hosts = await learner.forget(request);
      if (hosts.some(({ held }) => held !== null)) await this.#reload(this.#loaded);
      return { forgotten: hosts, generation: this.#generation };
    });
    this.#reloading = forgotten.catch(() => {}); // whoever asked hears of it
    return forgotten;
  }

  /** The queues that have not acknowledged it in time. */
  async #spread(policy: Policy): Promise<number[]> {
    const generation = ++this.#generation;
    const running = this.#running();
    const adopted = this.#adoptions.ask(generation, running);
    const { packed, change } = packPolicy(policy, this.#packed);
    this.#packed = packed;
    this.#broadcast({ kind: 'policy', change, generation });
    const acknowledged = await adopted;
    return running.filter((queueNum) => !acknowledged.has(queueNum));
  }

  /** What each queue answers about its flows, by queue; one that does not answer in time is missing. */
  list(question: FlowQuestion): Promise<ReadonlyMap<number, FlowPage>> {
    const id = this.#nextListing++;
    const listed = this.#listings.ask(id, this.#running());
    this.#broadcast({ kind: 'list', id, question });
    return listed;
  }

  #running(): number[] {
    return this.#queues.filter(({ state }) => state === 'running').map(({ queueNum }) => queueNum);
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
    await this.#reload(this.#loaded);
  }

  status(): DaemonStatus {
    return {
      config: this.#policy.hash,
      generation: this.#generation,
      probes: this.#probing.counts,
      queues: this.#queues.map(({ queueNum, route, counters }) => ({
        queue: queueNum,
        route,
        counts: counters.read(),
      })),
    };
  }

  /** Resolves when every held packet is answered, every queue unbound and the log written out. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#options.manager.stopping();
    clearInterval(this.#watchdog);
    await this.#reloading;
    await Promise.all(this.#queues.map(stopQueue));
    this.#probing.close();
    await this.#examiner.close();
    await this.#keylog.stop();
    await this.#options.learner?.save();
    await this.#options.log.close();
  }

  #startQueue(queueNum: number, policy: PolicyChange, numbering: FlowNumbering): Promise<void> {
    const queue = new Queue(this.#options.spawn, {
      queueNum,
      policy,
      numbering,
      watch: this.#options.watch ?? false,
    });
    this.#queues.push(queue);
    return new Promise((resolve, reject) => {
      let reason: Error | undefined;
      queue.thread.on('message', (message) => {
        if (message.kind === 'started') resolve();
        if (message.kind === 'failed') reason = new Error(message.message);
        this.#onMessage(queue, message);
      });
      queue.thread.on('error', (error) => (reason = new Error(describeDeath(queueNum, error), { cause: error })));
      queue.thread.on('exit', () => {
        const wasExpected = queue.state === 'stopping';
        queue.state = 'gone';
        this.#adoptions.gone(queueNum);
        this.#listings.gone(queueNum);
        if (wasExpected) return;
        const error = reason ?? new Error(describeDeath(queueNum, undefined));
        reject(error);
        this.#fail(error);
      });
    });
  }

  #onMessage(queue: Queue, message: FromQueue): void {
    const { say } = this.#options;
    switch (message.kind) {
      case 'started':
        queue.route = message.route;
        queue.state = 'running';
        return;
      case 'events':
        this.#onEvents(
          message.events.map((event) => queue.events.unpack(event)),
          queue.queueNum,
        );
        return queue.thread.postMessage({ kind: 'taken', count: message.events.length });
      case 'examine':
        return this.#examiner.ask(examinationOf(queue, message.id), message, (facts) =>
          queue.thread.postMessage({ kind: 'facts', id: message.id, facts }),
        );
      case 'withdraw':
        return this.#examiner.withdraw(examinationOf(queue, message.id));
      case 'probe':
        return this.#probing.probe(
          message.request,
          (answer) => queue.thread.postMessage({ kind: 'probed', id: message.id, answer }),
          () => queue.thread.postMessage({ kind: 'probing', id: message.id }),
        );
      case 'adopted':
        return this.#adoptions.answer(message.generation, queue.queueNum, true);
      case 'listed':
        return this.#listings.answer(message.id, queue.queueNum, message.page);
      case 'trouble':
        return say(message.message);
      case 'stopped':
        queue.state = 'stopping';
        return;
      case 'failed':
        return; // the thread ends now, which is where the reason is used
      default:
        message satisfies never;
    }
  }

  #broadcast(message: ToQueue): void {
    for (const { thread } of this.#queues) thread.postMessage(message);
  }

  #intake(keylog: KeylogPolicy): KeyLogIntake {
    const { say } = this.#options;
    return new KeyLogIntake(keylog, { onSecrets: (secrets) => this.#broadcast({ kind: 'secrets', secrets }), say });
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

  #onInconsistent({ client, server }: ProbeRequest): void {
    const detail = 'a probe was shown another chain than one before it';
    const time = Date.now() * 1000;
    this.#options.log.write([{ kind: 'anomaly', time, flowId: 0, client, server, code: 'probe.inconsistent', detail }]);
  }

  #ready(): void {
    this.#options.manager.ready(`${this.#queues.length} queues, ${this.#policy.pinsets.length} pinsets`);
  }

  /** The service manager hears of us only while every packet thread's loop turns. */
  #watch(): void {
    const { manager } = this.#options;
    if (manager.watchdogMs === undefined) return;
    this.#watchdog = setInterval(
      () => {
        if (this.#queues.every((queue) => queue.isAlive())) manager.alive();
      },
      Math.max(manager.watchdogMs, LEAST_WATCHDOG_MS),
    );
    this.#watchdog.unref();
  }
}

/** Queues number their questions each for itself. */
function examinationOf({ queueNum }: Queue, id: number): string {
  return `${queueNum} ${id}`;
}

async function stopQueue(queue: Queue): Promise<void> {
  if (queue.state === 'gone') return;
  const gone = new Promise((resolve) => queue.thread.on('exit', resolve));
  const wasRunning = queue.state === 'running';
  queue.state = 'stopping';
  if (!wasRunning) return void (await queue.thread.terminate());
  queue.thread.postMessage({ kind: 'stop' });
  const patience = setTimeout(() => void queue.thread.terminate(), STOP_PATIENCE_MS);
  await gone;
  clearTimeout(patience);
}

function describeDeath(queueNum: number, error: Error | undefined): string {
  const why = error === undefined ? 'ended unasked' : `died: ${error.message}`;
  return `the thread of queue ${queueNum} ${why}; the kernel drops its packets until tlspin runs again`;
}

/** Why a running daemon cannot take this policy; undefined where it can. */
export function refusalOf(before: Policy, after: Policy): string | undefined {
  const changed = needsRestart(before, after);
  return changed.length === 0 ? undefined : `${changed.join(', ')} changed, which takes a restart (and new rules)`;
}

/** What rules outside and sockets inside were made for. */
function needsRestart(before: Policy, after: Policy): string[] {
  const same = (pick: (policy: Policy) => unknown): boolean =>
    JSON.stringify(pick(before)) === JSON.stringify(pick(after));
  return [
    ...(same((policy) => policy.queues) ? [] : ['queues']),
    ...(same((policy) => policy.failOpen) ? [] : ['failOpen']),
    ...(same((policy) => [policy.connmark, ownedConnmarkBits(policy)]) ? [] : ['connmark']),
    ...(same((policy) => policy.control) ? [] : ['control']),
    ...(same((policy) => policy.probe.mark) ? [] : ['probe.mark']),
    ...(same((policy) => policy.learn.file) ? [] : ['learn.file']),
  ];
}

const STOP_PATIENCE_MS = 5000;
/** A thread takes a policy between two batches; it builds indexes of whatever lists there are. */
const ADOPTION_PATIENCE_MS = 10_000;
const LISTING_PATIENCE_MS = 2000;
/** Two heartbeats of a packet thread. */
const LEAST_WATCHDOG_MS = 2000;
