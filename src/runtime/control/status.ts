/** How the daemon stands, for operators: the answers of `status` and `stats`. Reads only. */
import { LIMIT_DEFAULTS, type LimitName } from '../../pins/limits.ts';
import type { Policy } from '../../pins/policy.ts';
import { readKernelQueue } from '../../source/kernel-queue.ts';
import type { ProbeCounts } from '../../probe/counts.ts';
import type { ProbeTimes, ProbeTimesAnswer } from '../probing/probe-times.ts';
import type { QueueCounts } from '../queue/counters.ts';
import type { Daemon } from '../daemon.ts';
import type { EveLog } from '../events/log.ts';
import type { SharingCounts } from '../fleet/verdict-sharing.ts';
import type { Protection } from '../protection/protection.ts';
import { findQueueBypass } from '../rules/queue-bypass.ts';
import type { LiveConfiguration } from './configuration.ts';
import { healthOf } from './health.ts';
import { isStale } from './list-ages.ts';
import type { RecentVerdicts } from './recent-verdicts.ts';

export interface Overview {
  readonly version: string;
  readonly configuration: LiveConfiguration;
  readonly daemon: Daemon;
  readonly log: EveLog;
  readonly verdicts: RecentVerdicts;
  readonly protection: Protection;
  /** Undefined where there is none. */
  readonly fleet?: { readonly counts: SharingCounts | undefined } | undefined;
  readonly probeTimes: ProbeTimes;
}

type Fields = Readonly<Record<string, unknown>>;
type Counts = Readonly<Record<string, number>>;

export interface StatusAnswer {
  readonly version: string;
  readonly pid: number;
  readonly node: string;
  /** Seconds. */
  readonly uptime: number;
  readonly health: ReturnType<typeof healthOf>;
  readonly configuration: ConfigurationAnswer;
  readonly connmark: Readonly<Record<'route' | 'mask' | 'accept' | 'deny' | 'pending' | 'told', string>>;
  readonly fail_open: boolean;
  /** Null: no rules were found. Missing: nobody has looked. */
  readonly queue_bypass?: boolean | null;
  readonly queues: readonly {
    readonly queue: number;
    readonly route: string;
    /** Null where the kernel does not say. */
    readonly kernel: {
      readonly waiting: number;
      readonly queue_dropped: number;
      readonly user_dropped: number;
      readonly id_sequence: number;
    } | null;
    readonly flows: number;
    readonly held: number;
    readonly buffered: number;
    readonly limits: Counts;
  }[];
  readonly flows: number;
  readonly held: number;
  readonly buffered: number;
  readonly one_armed: number;
  readonly limits: Counts;
  /** Null where nothing is probed. */
  readonly probes: ProbeCounts | null;
  readonly probe_source: ReturnType<Daemon['status']>['probeOrigins'];
  readonly probe_times: ProbeTimesAnswer;
  readonly log: {
    readonly file: string | null;
    readonly written: number;
    readonly dropped: number;
    readonly destinations: EveLog['destinations'];
    readonly events_dropped: number;
  };
  /** Who follows the engine's events, and how many were let go for being too slow. */
  readonly subscribers?: { readonly now: number; readonly dropped: number };
}

export interface ConfigurationAnswer {
  readonly file: string;
  readonly hash: string;
  readonly generation: number;
  readonly since: string;
  /** Seconds. */
  readonly age: number;
  readonly pinsets: number;
  readonly modes: Counts;
  readonly pins: number;
  readonly rules: number;
  readonly lists: readonly {
    readonly list: string;
    readonly writable: boolean;
    readonly entries: number;
    readonly stale: boolean;
  }[];
}

/** `isBrief`: the rules are not asked, which takes as long as other programs take to print them. */
export async function statusOf(
  { version, configuration, daemon, log, protection, probeTimes }: Overview,
  isBrief = false,
): Promise<StatusAnswer> {
  const { queues, probes, probeOrigins } = daemon.status();
  const { policy } = configuration;
  return {
    version,
    pid: process.pid,
    node: process.version,
    uptime: Math.floor(process.uptime()),
    health: healthOf(protection),
    configuration: describeConfiguration(configuration),
    connmark: {
      route: [...new Set(queues.map(({ route }) => route))].join(', '),
      mask: hex(policy.connmark.mask),
      accept: hex(policy.connmark.accept),
      deny: hex(policy.connmark.deny),
      pending: hex(policy.connmark.pending),
      told: hex(policy.connmark.told),
    },
    fail_open: policy.failOpen,
    // What happens while no engine listens is in the rules; null where no such rules are found.
    ...(isBrief ? {} : { queue_bypass: await findQueueBypass(queueRange(queues, policy.queues)) }),
    queues: queues.map(({ queue, route, counts }) => ({
      queue,
      route,
      ...kernelFields(queue),
      flows: counts.flows,
      held: counts.heldNow,
      buffered: counts.bufferedBytes,
      limits: limitsHit(counts),
    })),
    flows: sum(queues, 'flows'),
    held: sum(queues, 'heldNow'),
    buffered: sum(queues, 'bufferedBytes'),
    one_armed: sum(queues, 'oneArmed'),
    limits: limitsHit(...queues.map(({ counts }) => counts)),
    probes,
    probe_source: probeOrigins,
    probe_times: probeTimes.answer,
    log: {
      file: log.file,
      written: log.written,
      dropped: log.dropped,
      destinations: log.destinations,
      events_dropped: sum(queues, 'eventsDropped'),
    },
  };
}

/** Everything that is counted; all from the start of the process. */
export function statsOf({ daemon, log, verdicts, configuration, fleet }: Overview): Fields {
  const { queues, probes } = daemon.status();
  const names = Object.keys(queues[0]?.counts ?? {}).filter((name) => name !== 'limits' && name !== 'heartbeats');
  return {
    uptime: Math.floor(process.uptime()),
    config: configuration.policy.hash,
    generation: configuration.generation,
    packets: Object.fromEntries(
      names.map((name) => [snake(name), sum(queues, name as Exclude<keyof QueueCounts, 'limits'>)]),
    ),
    limits: limitsHit(...queues.map(({ counts }) => counts)),
    verdicts: verdicts.counts,
    anomalies: verdicts.anomalies,
    probes,
    log: { written: log.written, dropped: log.dropped },
    ...(fleet?.counts === undefined ? {} : { fleet: fleet.counts }),
    memory: process.memoryUsage().rss,
    queues: queues.map(({ queue, counts: { limits, ...counts } }) => ({
      queue,
      ...Object.fromEntries(Object.entries(counts).map(([name, count]) => [snake(name), count])),
      limits: limitsHit({ limits }),
    })),
  };
}

export function describeConfiguration(configuration: LiveConfiguration): ConfigurationAnswer {
  const { policy, file, generation } = configuration;
  const { since, age } = configuration.inForce;
  const pins = policy.pinsets.reduce((total, pinset) => total + pinset.pins.length + pinset.deny.length, 0);
  return {
    file,
    hash: policy.hash,
    generation,
    since: since.toISOString(),
    age: Math.floor(age / 1000),
    pinsets: policy.pinsets.length,
    modes: modesOf(policy),
    pins,
    rules: policy.rules.length,
    lists: policy.lists.map((list) => ({
      list: list.id,
      writable: list.writable,
      entries: list.entries.length,
      stale: isStale(list, configuration),
    })),
  };
}

/** How many pinsets are in which mode. */
function modesOf({ pinsets }: Policy): Counts {
  const counts: Partial<Record<Policy['pinsets'][number]['mode'], number>> = {};
  for (const { mode } of pinsets) counts[mode] = (counts[mode] ?? 0) + 1;
  return counts;
}

function kernelFields(queueNum: number): Pick<StatusAnswer['queues'][number], 'kernel'> {
  const kernel = readKernelQueue(queueNum);
  if (kernel === undefined) return { kernel: null };
  const { waiting, queueDropped, userDropped, sequence } = kernel;
  return { kernel: { waiting, queue_dropped: queueDropped, user_dropped: userDropped, id_sequence: sequence } };
}

function queueRange(queues: readonly { readonly queue: number }[], configured: readonly [number, number]) {
  const numbers = queues.map(({ queue }) => queue);
  return numbers.length === 0 ? configured : ([Math.min(...numbers), Math.max(...numbers)] as const);
}

/** Those that were reached, and how often. */
function limitsHit(...all: readonly Pick<QueueCounts, 'limits'>[]): Counts {
  const names = Object.keys(LIMIT_DEFAULTS) as LimitName[];
  const counts = names.map((name) => [name, all.reduce((total, { limits }) => total + limits[name], 0)] as const);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

/** Of one column, over all queues. */
export function sum(
  queues: readonly { readonly counts: QueueCounts }[],
  name: Exclude<keyof QueueCounts, 'limits'>,
): number {
  return queues.reduce((total, { counts }) => total + counts[name], 0);
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function hex(mark: number): string {
  return `0x${mark.toString(16)}`;
}
