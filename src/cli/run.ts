/**
 * `tlspin run`: the engine in the foreground. Owns flags, signals and the exit status; the work is runtime/daemon.ts.
 *
 *   SIGHUP           reads the configuration again, and opens the log file again (after rotation)
 *   SIGTERM, SIGINT  answers what is held, unbinds, writes the log out, exits 0; a second one exits at once
 */
import { type Command, InvalidArgumentError } from 'commander';

import { Learner } from '../learn/learner.ts';
import { loadPolicy } from '../pins/load.ts';
import { formatMessage } from '../pins/message.ts';
import type { Policy } from '../pins/policy.ts';
import { parseWatchFilter, type WatchFilter } from '../report/watch.ts';
import { Daemon } from '../runtime/daemon.ts';
import { EveLog } from '../runtime/event-log.ts';
import { describeFlowOffload, findFlowOffload } from '../runtime/offload.ts';
import { canProbe, mirrorProbers } from '../runtime/probing.ts';
import { spawnQueueThread } from '../runtime/queue-thread.ts';
import { ServiceManager } from '../runtime/service-manager.ts';
import { CAP_NET_ADMIN, loadBinding } from '../source/binding.ts';
import { examineChain } from '../x509/examine.ts';

interface Flags {
  readonly config: string;
  readonly queue?: readonly [number, number];
  readonly log: string;
  readonly debug?: WatchFilter;
}

export function registerRun(program: Command): void {
  program
    .command('run')
    .summary('run the engine')
    .description('Run the engine in the foreground, on the queues that the rules of `tlspin rules` fill.')
    .requiredOption('-c, --config <file>', 'the configuration')
    .option('--queue <number>', 'queue, or first:last, instead of those of the configuration', parseQueues)
    .option('--log <file>', 'where verdict records go: a file, or - for standard output', '-')
    .option(
      '--debug <filter>',
      'say each handshake message of the flows that fit: *, HOST, *.HOST, ADDRESS, NETWORK/BITS, :PORT, with commas',
      parseDebug,
    )
    .action(async (flags: Flags, command: Command) => {
      await run(flags).catch((error: unknown) => command.error(`error: ${messageOf(error)}`, { exitCode: 1 }));
    });
}

/** `3`, or `0:3`. */
export function parseQueues(text: string): readonly [number, number] {
  const [, first, last = first] = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(text) ?? [];
  const queues = [Number(first), Number(last)] as const;
  if (first === undefined || queues[0] > queues[1] || queues[1] > 0xffff) {
    throw new InvalidArgumentError('expected a queue number from 0 to 65535, or first:last.');
  }
  return queues;
}

function parseDebug(text: string): WatchFilter {
  const filter = parseWatchFilter(text);
  if (filter === undefined) {
    throw new InvalidArgumentError(
      'expected *, a host name, *.name, an address, a network or :port, with commas between.',
    );
  }
  return filter;
}

async function run(flags: Flags): Promise<void> {
  const policy = load(flags.config);
  if (policy === undefined) throw new Error(`${flags.config} is no valid configuration: not started`);
  const offload = policy.allowOffload ? [] : findFlowOffload();
  if (offload.length > 0) throw new Error(describeFlowOffload(offload));

  const binding = loadBinding();
  const watch = flags.debug === undefined ? undefined : { filter: flags.debug, say };
  const log = await EveLog.open(flags.log, policy, watch);
  const daemon = new Daemon({
    policy,
    queues: flags.queue,
    log,
    watch: watch !== undefined,
    examiner: { examine: (request, done) => done(examineChain(request)) },
    createProber: mirrorProbers(binding),
    learner: policy.learn.file === null ? undefined : new Learner({ policy: policy.learn, say }),
    spawn: spawnQueueThread,
    manager: new ServiceManager(process.env, binding),
    say,
  });
  const stopped = untilStopSignal();
  await daemon.start();
  if (canProbe(policy) && !binding.hasCapability(CAP_NET_ADMIN)) say(UNMARKED);
  process.on('SIGHUP', () => {
    log.reopen().catch((error: unknown) => say(`not reopened: ${messageOf(error)}; records go where they went`));
    const next = load(flags.config);
    if (next === undefined) say(`not reloaded: ${flags.config} is no valid configuration; the one in force stays`);
    else void daemon.reload(next).then((isInForce) => isInForce && log.adopt(next));
  });
  try {
    await Promise.race([stopped, daemon.failure]);
  } finally {
    await daemon.stop();
  }
}

/** Says everything that there is to say about the file; undefined when it is not valid. */
function load(file: string): Policy | undefined {
  const loaded = loadPolicy(file);
  const messages = 'errors' in loaded ? [...loaded.errors, ...loaded.warnings] : loaded.warnings;
  for (const message of messages) say(formatMessage(message));
  return 'policy' in loaded ? loaded.policy : undefined;
}

function untilStopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let signals = 0;
    const onSignal = (): void => {
      if (++signals > 1) process.exit(1);
      resolve();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The verdict records may have standard output for themselves. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

const UNMARKED =
  'probes cannot be marked (this needs CAP_NET_ADMIN), so none is sent: where a server would be asked, the question fails';
