/**
 * Everything that operators reach of a running daemon, put together: the configuration in force and the ways to change
 * it, the log, the decisions of late, the control socket. Signals and flags are the command line's.
 */
import { hostname } from 'node:os';

import type { Learner } from '../../learn/learner.ts';
import type { AddedEntries } from '../../pins/load.ts';
import type { Policy } from '../../pins/policy.ts';
import type { NativeBinding } from '../../source/binding.ts';
import { Daemon, type DaemonOptions, type ReloadOutcome } from '../daemon.ts';
import type { EveLog } from '../events/log.ts';
import { EachSecond } from '../protection/each-second.ts';
import { Expiries } from '../protection/expiries.ts';
import type { NamedConnection } from '../../tcp/flow-names.ts';
import { GivenMarks, givenMarksNews } from '../protection/given-marks.ts';
import { Losses } from '../protection/losses.ts';
import { Rules } from '../protection/rules.ts';
import { Pinsets } from '../protection/pinsets.ts';
import { Protection } from '../protection/protection.ts';
import { ProbeTimes } from '../probing/probe-times.ts';
import { MetricsEndpoint } from '../metrics/endpoint.ts';
import { timedProbers } from '../metrics/timed-prober.ts';
import { RulesKeeper } from '../rules/applying/keeper.ts';
import { type DevicesBinding, openDevices } from '../rules/beside/devices.ts';
import { rulesNews } from '../rules/news.ts';
import { SignedPins } from '../signed-pins/signed-pins.ts';
import { answerCommands } from './commands.ts';
import { newRules, recordFields } from './change-record.ts';
import { type ConfigurationChange, LiveConfiguration } from './configuration.ts';
import type { LoadedConfiguration } from './configuration/reading.ts';
import { FileWatch } from './file-watch.ts';
import { InboxAnswers } from './inbox.ts';
import type { Membership } from '../fleet/membership.ts';
import { type LearnControl, Learning } from './learning.ts';
import { ListAges } from './list-ages.ts';
import { OneArm } from './one-arm.ts';
import { RecentVerdicts } from './recent-verdicts.ts';
import { ControlServer } from './server.ts';
import { again } from '../takeover/again.ts';
import { type Forerunner, type Remembered, type Terms, termsOf } from '../takeover/handed.ts';
import { leaveBehind } from '../takeover/left-behind.ts';
import { Successor } from '../takeover/successor.ts';
import { type Overview, statsOf, sum } from './status.ts';
import { Subscriptions } from './subscriptions.ts';
import { TimeOfDay } from './time-of-day.ts';

export interface OperatorOptions {
  readonly version: string;
  readonly file: string;
  readonly loaded: LoadedConfiguration;
  readonly log: EveLog;
  /** What the daemon is made of besides. */
  readonly daemon: Omit<DaemonOptions, 'policy' | 'log' | 'learner' | 'onPolicy' | 'onLearned'>;
  /** Undefined where nothing is learned. */
  readonly learner?: Learner | undefined;
  readonly binding: Pick<NativeBinding, 'peerCredentials'> & DevicesBinding;
  /** Instead of the configuration's. */
  readonly socket: string | undefined;
  /** Whether the files of the configuration are read again when they change. */
  readonly watchesFiles: boolean;
  readonly shutdown: (by: string) => void;
  /** The one file that only one process may write. */
  readonly stateLock: { take(): Promise<void>; release(): Promise<void> };
  readonly fleet?: Membership | undefined;
  /** Of lists without a file, what was added to them in the process whose place this one takes. */
  readonly added?: AddedEntries | undefined;
}

export class Operator {
  readonly daemon: Daemon;
  readonly #options: OperatorOptions;
  readonly #configuration: LiveConfiguration;
  readonly #verdicts: RecentVerdicts;
  #server: ControlServer | undefined;
  #watch: FileWatch | undefined;
  #stats: NodeJS.Timeout | undefined;
  readonly protection: Protection;
  readonly #ages: ListAges;
  #endedBy = 'a failure to start';
  readonly #successor: Successor;
  /** Of the configuration that is coming into force. */
  #destinations: ReturnType<EveLog['prepare']> | undefined;
  readonly #pinsets: Pinsets;
  readonly #eachSecond: EachSecond;
  readonly #rules: Rules;
  readonly #metrics: MetricsEndpoint;
  readonly #subscriptions: Subscriptions;
  readonly #answers = new InboxAnswers();
  readonly #probeTimes = new ProbeTimes();

  constructor(options: OperatorOptions) {
    this.#options = options;
    const { loaded, log, file, learner } = options;
    this.#verdicts = new RecentVerdicts(loaded.policy);
    this.#subscriptions = new Subscriptions({ verdicts: this.#verdicts, log });
    const protection = new Protection({ log, say: options.daemon.say });
    this.protection = protection;
    this.#pinsets = new Pinsets({ protection, policy: () => this.#configuration.policy });
    log.listen(({ name, isOver, detail }) => protection[isOver ? 'end' : 'begin']('log.lost', name, detail));
    const { say, createProber } = options.daemon;
    const listen = loaded.policy.metrics?.listen;
    this.#metrics = new MetricsEndpoint({ listen, overview: () => this.#overview, say });
    this.daemon = new Daemon({
      ...options.daemon,
      createProber: timedProbers(options.fleet?.witnessed(createProber) ?? createProber, (outcome, millis) => {
        this.#metrics.takeProbe(outcome, millis);
        this.#probeTimes.take(millis);
      }),
      policy: loaded.policy,
      learner,
      onPolicy: (policy) => this.#verdicts.adopt(policy),
      onLearned: (generation) => this.#onLearned(generation),
      log: {
        write: (events, queueNum = 0) => {
          this.#verdicts.take(events, queueNum);
          this.#pinsets.observe(events);
          this.#metrics.take(events);
          log.write(events);
        },
        close: () => this.#closeLog(),
      },
    });
    this.#configuration = new LiveConfiguration({
      file,
      loaded,
      added: options.added,
      apply: (policy) => this.#apply(policy),
      onChange: (change) => this.#onChange(change),
    });
    this.#successor = new Successor({
      binding: options.binding,
      terms: () => this.#terms,
      added: () => [...this.#configuration.added],
      release: () => this.#release(),
      resume: () => this.#resume(),
      onTaken: options.shutdown,
      say: options.daemon.say,
    });
    this.#ages = new ListAges({ configuration: this.#configuration, protection });
    const policy = () => this.#configuration.policy;
    this.#rules = new Rules({
      protection,
      policy,
      queues: () => options.daemon.queues ?? loaded.policy.queues,
      keeper: new RulesKeeper(),
      news: rulesNews(options.binding),
      onProbeWays: (returning) => this.daemon.onProbeWays(returning),
      devices: openDevices(options.binding),
    });
    const losses = new Losses({ protection, daemon: this.daemon });
    const oneArm = new OneArm({ count: () => sum(this.daemon.status().queues, 'oneArmed'), protection });
    const expiries = new Expiries({ policy, log, say });
    const signed = new SignedPins({ configuration: this.#configuration, protection });
    const acceptedOf = (named: readonly NamedConnection[]) => this.daemon.acceptedOf(named);
    const givenMarks = new GivenMarks({ protection, policy, acceptedOf, news: givenMarksNews(options.binding) });
    const ofTime = [new TimeOfDay(protection), this.#ages, this.#pinsets, expiries];
    this.#eachSecond = new EachSecond(...ofTime, losses, oneArm, signed, givenMarks, protection);
    const home = { configuration: this.#configuration, verdicts: this.#verdicts, daemon: this.daemon };
    options.fleet?.attach({ ...home, log, protection, learner });
  }

  /** Rejects, with nothing left of it, when a queue cannot be bound or the socket not be made. */
  async start(): Promise<void> {
    const { log } = this.#options;
    await this.#options.stateLock.take();
    await this.#listen();
    log.record('start', this.#startFields());
    await this.#orNothing(() => this.daemon.start());
    this.#begun();
  }

  /** In the place of another one; rejects as `start` does. */
  async takeOver(predecessor: Forerunner): Promise<void> {
    predecessor.agree(this.#terms);
    await this.#orNothing(async () => {
      await this.daemon.prepare();
      const handed = await predecessor.release();
      await this.#options.stateLock.take();
      await this.#listen();
      this.#options.log.record('start', this.#startFields());
      const { hash } = this.daemon.policy;
      await this.daemon.begin(handed);
      // The other one has learned more since this one has read it.
      if (this.daemon.policy.hash !== hash) this.#onLearned(this.daemon.status().generation);
      predecessor.running();
    });
    this.#begun();
    // What was changed since it was read here, the other one has answered for.
    if (this.#configuration.isBehind()) await this.reload('takeover');
  }

  async #orNothing(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      await this.#server?.stop();
      await this.daemon.stop();
      throw error;
    }
  }

  async #listen(): Promise<void> {
    await this.#metrics.start();
    const { loaded, socket, binding, shutdown } = this.#options;
    const { policy } = loaded;
    const path = socket ?? policy.control.socket;
    if (path === null) return;
    const host = { ...this.#overview, learning: this.#learning(), successor: this.#successor, rules: this.#rules };
    const answer = answerCommands({ ...host, shutdown, subscriptions: this.#subscriptions, answers: this.#answers });
    this.#subscriptions.reopen();
    const server = new ControlServer({ path, mode: policy.control.mode, answer, binding });
    await server.start();
    this.#server = server;
  }

  get #overview(): Overview {
    const { version, log, fleet } = this.#options;
    const { protection } = this;
    return {
      version,
      fleet,
      configuration: this.#configuration,
      daemon: this.daemon,
      log,
      verdicts: this.#verdicts,
      protection,
      probeTimes: this.#probeTimes,
    };
  }

  #begun(): void {
    const { log, loaded, watchesFiles } = this.#options;
    const { policy } = loaded;
    this.#eachSecond.start();
    this.#rules.start();
    this.#options.fleet?.start();
    if (watchesFiles) {
      const paths = () => this.#configuration.paths;
      this.#watch = new FileWatch({ paths, onChange: () => void this.reload('file change') });
    }
    if (policy.log.stats > 0) {
      this.#stats = setInterval(() => log.record('stats', statsOf(this.#overview)), policy.log.stats * 1000);
      this.#stats.unref();
    }
  }

  /** Reads the configuration again; what comes of it is said, and logged. */
  async reload(by: string): Promise<void> {
    await this.#configuration.reload(by);
  }

  /** Records go where it says from its own record on, or it does not come into force. */
  async #apply(policy: Policy): Promise<ReloadOutcome> {
    try {
      this.#destinations = this.#options.log.prepare(policy);
    } catch (error) {
      return { isInForce: false, reason: (error as Error).message };
    }
    return this.daemon.reload(policy);
  }

  /** Opens the log's file again; what cannot be is said. */
  reopenLog(): void {
    try {
      this.#options.log.reopen();
    } catch (error) {
      this.#options.daemon.say(`not reopened: ${(error as Error).message}; records go where they went`);
    }
  }

  /** Before `stop`: has the service manager keep what the one that it starts next can go on with. */
  async leave(): Promise<void> {
    const { manager, say } = this.#options.daemon;
    if (manager.room === 0 || this.#successor.isUnderWay) return;
    try {
      leaveBehind(manager, this.#terms, await this.#release());
    } catch (error) {
      say(`nothing is left for the tlspin that is started next: ${(error as Error).message}`);
    }
  }

  get #terms(): Terms {
    return termsOf(this.daemon.policy, this.daemon.queues);
  }

  /** `by`: who asked, or what failed. */
  async stop(by: string): Promise<void> {
    this.#endedBy = by;
    clearInterval(this.#stats);
    this.#eachSecond.stop();
    this.#rules.stop();
    this.#watch?.stop();
    this.#metrics.stop();
    this.#subscriptions.close();
    await this.#options.fleet?.stop();
    await this.#server?.stop();
    await this.daemon.stop();
  }

  #startFields() {
    const { version, file, loaded, daemon } = this.#options;
    const [first, last] = daemon.queues ?? loaded.policy.queues;
    return {
      ...{ version, node: process.version, host: hostname(), pid: process.pid, file, config: this.daemon.policy.hash },
      queues: Array.from({ length: last - first + 1 }, (_, i) => first + i),
    };
  }

  /** The last verdicts are in it by now. */
  async #closeLog(): Promise<void> {
    const { log, fleet } = this.#options;
    await fleet?.settle();
    const { written, dropped } = log;
    const uptime = Math.floor(process.uptime());
    log.record('stop', { by: this.#endedBy, uptime, config: this.daemon.policy.hash, written, dropped });
    await log.close();
  }

  /** Lets go of everything that only one process may have, with all records written. */
  async #release(): Promise<Remembered> {
    await this.#options.fleet?.stop();
    const { queues, probes } = await this.daemon.release();
    await this.#options.fleet?.settle();
    this.#metrics.stop();
    this.#subscriptions.close();
    this.#server?.leave();
    this.#server = undefined;
    await this.#options.stateLock.release();
    await this.#options.log.drain();
    return { queues: [...queues], probes, added: [...this.#configuration.added] };
  }

  async #resume(): Promise<void> {
    const { say } = this.#options.daemon;
    await this.daemon.resume().catch((error: unknown) => say((error as Error).message));
    this.#options.fleet?.start();
    // What the other one has made goes with it, a moment later.
    for (const take of [() => this.#options.stateLock.take(), () => this.#listen()]) {
      await again(take).catch((error: unknown) => say((error as Error).message));
    }
  }

  #learning(): LearnControl | undefined {
    const { learner, log, daemon, file } = this.#options;
    if (learner === undefined) return undefined;
    return new Learning({
      learner,
      forget: (request) => this.daemon.forget(request),
      onForgotten: (by, forgotten, generation) => {
        const names = forgotten.map(({ pinset, host }) => `${host} (${pinset})`).join(', ');
        daemon.say(`forgotten, as asked by ${by}: ${names}`);
        const config = this.daemon.policy.hash;
        log.record('config', {
          ...{ change: 'learn', by, file, result: 'in-force', config, generation },
          changes: { forgotten: forgotten.slice(0, HOSTS), forgotten_count: forgotten.length },
        });
      },
      onRefused: (by, error) => {
        daemon.say(`not forgotten: ${error}`);
        const { hash } = this.daemon.policy;
        const { generation } = this.daemon.status();
        log.record('config', { change: 'learn', by, file, result: 'refused', config: hash, generation, error });
      },
    });
  }

  /** `learn.promoted` has said what it is. */
  #onLearned(generation: number): void {
    const { policy } = this.daemon;
    const of = { change: 'learn', by: 'learning', file: policy.learn.file, result: 'in-force' };
    this.#options.log.record('config', { ...of, config: policy.hash, generation });
  }

  #onChange(change: ConfigurationChange): void {
    const { log, file, daemon } = this.#options;
    for (const message of change.messages) daemon.say(message);
    if (change.isInForce) {
      this.#options.fleet?.adopt(change.policy);
      this.#watch?.settle();
      for (const looker of [this.#ages, this.#pinsets]) looker.look();
      if (change.kind === 'list') this.#rules.again();
      else this.#rules.forget();
      if (change.kind === 'reload') this.protection.end('reload.refused', '', 'the configuration is loaded');
    } else {
      daemon.say(`not ${change.kind === 'reload' ? 'reloaded' : 'changed'}: ${change.error}; the one in force stays`);
      if (change.kind === 'reload') this.protection.begin('reload.refused', '', change.error!);
    }
    const rules = change.difference?.rules ?? [];
    if (rules.length > 0) daemon.say(newRules(rules, file));
    log.record('config', { ...recordFields(change, file), config: this.daemon.policy.hash });
    if (change.isInForce) this.#destinations?.commit();
    else this.#destinations?.cancel();
    this.#destinations = undefined;
  }
}

/** A record names as many. */
const HOSTS = 1_000;
