/**
 * `tlspin run`: the engine in the foreground. Owns flags, signals and the exit status; the work is runtime/daemon.ts.
 *
 *   SIGHUP           reads the configuration again, and opens the log file again
 *   SIGUSR1          opens the log file again (after rotation)
 *   SIGTERM, SIGINT  answers what is held, unbinds, writes the log out, exits 0; a second one exits at once. What the service
 *                    manager has room to keep is left with it first
 */
import { resolve } from 'node:path';

import { type Command, InvalidArgumentError } from 'commander';

import { printableLines } from '../bytes/invisible.ts';
import { Learner } from '../learn/learner.ts';
import { formatMessage } from '../pins/document/message.ts';
import type { SharedDocument } from '../pins/document/shared.ts';
import type { LogTarget, Policy } from '../pins/policy.ts';
import { parseWatchFilter, type WatchFilter } from '../report/watch.ts';
import { asLoaded, type LoadedConfiguration, readConfiguration } from '../runtime/control/configuration/reading.ts';
import { Operator } from '../runtime/control/operator.ts';
import { EveLog } from '../runtime/events/log.ts';
import { spawnExaminer } from '../runtime/examining/thread.ts';
import { describeFlowOffload, findFlowOffload } from '../runtime/rules/offload.ts';
import { giveBackStart } from '../runtime/garbage.ts';
import { ownWays } from '../runtime/probing/own-ways.ts';
import { Bridging } from '../runtime/probing/bridging.ts';
import { DialledMemory } from '../runtime/probing/dialled.ts';
import { canProbe, mirrorProbers } from '../runtime/probing/probing.ts';
import { giveUpPrivileges, openFrames, unreadable } from '../runtime/privileges.ts';
import { spawnQueueThread } from '../runtime/queue/thread.ts';
import { ServiceManager } from '../runtime/service-manager.ts';
import { FileLock } from '../runtime/state-lock.ts';
import { type Forerunner, termsOf } from '../runtime/takeover/handed.ts';
import { LeftBehind } from '../runtime/takeover/left-behind.ts';
import { Predecessor } from '../runtime/takeover/predecessor.ts';
import { CAP_NET_ADMIN, loadBinding, type NativeBinding } from '../source/binding.ts';
import { neededConfig } from './configuration.ts';
import { answerSignals, closeDebugger } from './early-signals.ts';
import { addExamples } from './help.ts';
import { packageVersion } from './version.ts';

interface Flags {
  readonly config?: string;
  readonly queue?: readonly [number, number];
  readonly log?: string;
  readonly control?: string;
  readonly user?: string;
  readonly takeover?: true;
  readonly watch?: true;
  readonly debug?: WatchFilter;
}

export function registerRun(program: Command): void {
  const command = program
    .command('run')
    .summary('run the engine')
    .description('Run the engine in the foreground, on the queues that the rules of `tlspin rules` fill.')
    .option('-c, --config <file>', 'the configuration')
    .option('--queue <number>', 'queue, or first:last, instead of those of the configuration', parseQueues)
    .option(
      '--log <file>',
      'where records go, instead of "log": { "to" } of the configuration: a file, or - for standard output',
    )
    .option('--control <socket>', 'the control socket, instead of the one of the configuration')
    .option('--user <name>', 'whom to become, once started as root, instead of the one of the configuration')
    .option('--takeover', 'take the place of the tlspin that runs at the control socket, if one does')
    .option('--watch', 'read the configuration again when one of its files changes')
    .option(
      '--debug <filter>',
      'say each handshake message of the flows that fit: *, HOST, *.HOST, ADDRESS, NETWORK/BITS, :PORT, with commas',
      parseDebug,
    )
    .action(async (flags: Flags, command: Command) => {
      await run(neededConfig(flags.config, command), flags).catch((error: unknown) =>
        command.error(`error: ${messageOf(error)}`, { exitCode: 1 }),
      );
    });
  addExamples(
    command,
    {
      command: 'tlspin run -c /etc/tlspin.json --log /var/log/tlspin.json',
      does: 'the engine, with its log in a file',
    },
    {
      command: "tlspin run -c /etc/tlspin.json --debug '*.bank.example'",
      does: 'each handshake message of a bank’s flows',
    },
    {
      command: 'tlspin run -c /etc/tlspin.json --log /var/log/tlspin.json --takeover',
      does: 'the same engine anew, without a hole',
    },
  );
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

async function run(file: string, flags: Flags): Promise<void> {
  if (closeDebugger()) throw new Error(DEBUGGED);
  let loaded = readConfiguration(file);
  for (const message of 'errors' in loaded ? loaded.errors : loaded.warnings) say(formatMessage(message));
  if ('errors' in loaded) throw new Error(`${file} is no valid configuration: not started`);
  const { policy } = loaded;
  const offload = policy.allowOffload ? [] : await findFlowOffload();
  if (offload.length > 0) throw new Error(describeFlowOffload(offload));

  const binding = loadBinding();
  const user = flags.user ?? policy.user;
  const frames = openFrames(binding, policy);
  giveUpPrivileges(binding, user);
  for (const path of unreadable([...loaded.contents.keys()]))
    say(`${path}: ${user} cannot read it, so a reload will fail`);
  const manager = new ServiceManager(process.env, binding);
  const predecessor = await findForerunner(flags, policy, { manager, binding });
  const added = new Map(predecessor?.added);
  const fleet = await membership(policy);
  if (fleet?.shared !== undefined) loaded = withShared(loaded, fleet.shared, file);
  if (added.size > 0) {
    const again = readConfiguration(file, asLoaded(loaded), added, fleet?.shared);
    if (!('errors' in again)) loaded = again;
  }
  const log = new EveLog({ targets: logTargets(flags.log), policy, say, watch: flags.debug });
  const stop = new Stop();
  const stateLock = new FileLock(policy.learn.file);
  // What is read of it is nobody else's to write from then on; of one that is to give place still, read again later.
  if (predecessor === undefined) await stateLock.take();
  const learner =
    policy.learn.file === null ? undefined : new Learner({ policy: policy.learn, say, elsewhere: fleet?.elsewhere });
  const dialled = new DialledMemory();
  // Of the policy in force: a reload may change it.
  const mark = () => operator.daemon.policy.probe.mark;
  const bridge = new Bridging({ binding, frames, mark });
  const reaches = ownWays(binding, mark);
  const operator: Operator = new Operator({
    version: packageVersion(),
    file,
    loaded,
    log,
    daemon: {
      queues: flags.queue,
      watch: flags.debug !== undefined,
      spawnExaminer,
      createProber: mirrorProbers(binding, { dialled, bridge, reaches }),
      spawn: (setup) => spawnQueueThread({ ...setup, dialled: dialled.shared, bridging: bridge.shared }),
      manager,
      say,
    },
    learner,
    fleet,
    binding,
    stateLock,
    added,
    socket: flags.control,
    watchesFiles: flags.watch === true,
    shutdown: (by) => {
      say(`ending, as asked by ${by}`);
      stop.resolve(by);
    },
  });
  let by = '';
  try {
    await giveBackStart();
    if (predecessor === undefined) await operator.start();
    else await operator.takeOver(predecessor);
    if (canProbe(loaded.policy) && !binding.hasCapability(CAP_NET_ADMIN)) {
      operator.protection.begin('probe.unmarked', '', 'CAP_NET_ADMIN is missing');
    }
    closeDebugger();
    answerSignals((signal) => {
      operator.reopenLog();
      if (signal === 'SIGHUP') void operator.reload(signal);
    });
    by = await Promise.race([stop.asked, operator.daemon.failure]);
    await operator.leave();
  } catch (error) {
    by = messageOf(error);
    throw error;
  } finally {
    await operator.stop(by);
    // Where it has not given place, it goes on, now that nothing of this process reads any more.
    predecessor?.close();
    await stateLock.release();
  }
}

/** Nothing of it is loaded where no fleet is configured. */
async function membership({ fleet }: Policy) {
  if (fleet === undefined) return undefined;
  const { Membership } = await import('../runtime/fleet/membership.ts');
  return new Membership(fleet, packageVersion());
}

/** Throws a sentence: without what the fleet has pinned, it would be less than it was before. */
function withShared(loaded: LoadedConfiguration, shared: SharedDocument, file: string): LoadedConfiguration {
  const again = readConfiguration(file, asLoaded(loaded), new Map(), shared);
  if (!('errors' in again)) return again;
  for (const message of again.errors) say(formatMessage(message));
  throw new Error(`${file} and ${shared.file}, which the fleet sent last, do not go together: not started`);
}

/** A process has its own working directory. */
function logTargets(path: string | undefined): readonly LogTarget[] | undefined {
  if (path === undefined) return undefined;
  return [{ kind: 'file', path: path === '-' ? path : resolve(path) }];
}

async function findForerunner(
  flags: Flags,
  policy: Policy,
  { manager, binding }: { readonly manager: ServiceManager; readonly binding: NativeBinding },
): Promise<Forerunner | undefined> {
  const left = await LeftBehind.find(manager, termsOf(policy, flags.queue ?? policy.queues), { say });
  if (left !== undefined || flags.takeover !== true) return left;
  const path = flags.control ?? policy.control.socket;
  if (path === null) throw new Error('--takeover needs a control socket, of the configuration or by --control');
  return Predecessor.find(path, binding);
}

/** Somebody wants it to end: by a signal, of which a second one ends it at once, or otherwise. */
class Stop {
  resolve!: (by: string) => void;
  readonly asked = new Promise<string>((resolve) => (this.resolve = resolve));
  #signals = 0;

  constructor() {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (++this.#signals > 1) process.exit(1);
        this.resolve(signal);
      });
    }
  }
}

/** What the kernel forbids whom it may forbid it. */
function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const isForbidden = message.includes('EPERM (needs CAP_NET_ADMIN');
  return isForbidden ? `${message}${UNPRIVILEGED}` : message;
}

const UNPRIVILEGED = ': run it with sudo, or give it CAP_NET_ADMIN (AmbientCapabilities=CAP_NET_ADMIN under systemd)';

/** The verdict records may have standard output for themselves. */
function say(line: string): void {
  process.stderr.write(`${printableLines(line)}\n`);
}

const DEBUGGED =
  "Node's debugger is asked for (--inspect), and whoever reaches it can make tlspin do anything: not started";
