/**
 * What a tlspin that ends leaves with the service manager for the one that is started next, since `systemctl restart` never
 * has both run at once: the queues' sockets, in which the kernel keeps what comes meanwhile, and a file without a name that
 * says what is remembered. To who is started it is a predecessor like another; what does not fit it, or is old, is thrown
 * away, and it starts as ever.
 */
import { closeSync, constants, fstatSync, openSync, readSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

import { readKernelQueues } from '../../source/kernel-queue.ts';
import type { Released } from '../daemon.ts';
import type { ServiceManager } from '../service-manager.ts';
import {
  type AddedLists,
  aged,
  differingTerms,
  type Forerunner,
  readRemembered,
  type Remembered,
  TAKEOVER_VERSION,
  type Terms,
  writeRemembered,
} from './handed.ts';

interface Left {
  readonly version: number;
  /** Seconds of a clock that is never set. */
  readonly at: number;
  readonly terms: Terms;
}

/** Throws a sentence where the service manager does not take it. */
export function leaveBehind(manager: ServiceManager, terms: Terms, remembered: Remembered, now = uptime()): void {
  if (remembered.queues.length >= manager.room) {
    throw new Error(
      `the service manager keeps ${manager.room} descriptors: FileDescriptorStoreMax= and FDSTORE say how many`,
    );
  }
  const left: Left = { version: TAKEOVER_VERSION, at: now, terms };
  const file = openSync(IN_MEMORY, O_TMPFILE | constants.O_RDWR, 0o600);
  try {
    writeFileSync(file, `${JSON.stringify(left)}\n${writeRemembered(remembered)}`);
    for (const [queueNum, { handed }] of remembered.queues) manager.keep(queueName(queueNum), handed.descriptor);
    // Last: with it everything is there.
    manager.keep(FILE, file);
  } finally {
    closeSync(file);
  }
}

/** One that has ended. */
export class LeftBehind implements Forerunner {
  readonly #manager: ServiceManager;
  readonly #released: Released;
  readonly added: AddedLists;
  #isOver = false;

  /** Undefined where there is nothing, or nothing to go on with, which is said; the queues are unbound then. */
  static async find(
    manager: ServiceManager,
    terms: Terms,
    { say, now = uptime() }: { readonly say: (line: string) => void; readonly now?: number },
  ): Promise<LeftBehind | undefined> {
    const kept = new Map([...manager.kept].filter(([name]) => name.startsWith(OURS)));
    if (kept.size === 0) return undefined;
    try {
      const left = readLeft(kept, terms, now);
      say(`going on with what the tlspin before this one has left: ${left.queues.length} queues`);
      // What it takes of memory goes when the service manager lets go of it too.
      closeSync(kept.get(FILE)!);
      return new LeftBehind(manager, left);
    } catch (error) {
      say(`what the tlspin before this one has left is of no use (${(error as Error).message}): starting as ever`);
    }
    for (const [name, descriptor] of kept) {
      manager.discard(name);
      closeSync(descriptor);
    }
    await unbound(terms.queues);
    return undefined;
  }

  private constructor(manager: ServiceManager, { queues, probes, added }: Remembered) {
    this.#manager = manager;
    this.#released = { queues: new Map(queues), probes };
    this.added = added;
  }

  /** It was looked at when it was found. */
  agree(): void {}

  async release(): Promise<Released> {
    return this.#released;
  }

  /** It is kept no more for whoever is started after this one. */
  running(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const queueNum of this.#released.queues.keys()) this.#manager.discard(queueName(queueNum));
    this.#manager.discard(FILE);
  }

  /** Where this process could not go on with it, another would not either. */
  close(): void {
    this.running();
  }
}

/** With the descriptors of this process. Throws what makes it of no use. */
function readLeft(kept: ReadonlyMap<string, number>, own: Terms, now: number): Remembered {
  const descriptorOf = (name: string, what: string): number => {
    const descriptor = kept.get(name);
    if (descriptor === undefined) throw new Error(`${what} was not kept`);
    return descriptor;
  };
  const [head, body] = readWhole(descriptorOf(FILE, 'what is remembered')).split('\n', 2) as [string, string];
  const left = JSON.parse(head) as Left;
  const reason = whyNot(left, own, now);
  if (reason !== undefined) throw new Error(reason);
  const remembered = aged(readRemembered(body), now - left.at);
  const queues = remembered.queues.map(([queueNum, { handed, memory }]) => {
    const descriptor = descriptorOf(queueName(queueNum), `the socket of queue ${queueNum}`);
    return [queueNum, { handed: { ...handed, descriptor }, memory }] as const;
  });
  return { ...remembered, queues };
}

/** The service manager lets go of them a moment later. Where that cannot be seen, whoever binds them will see. */
async function unbound([first, last]: readonly [number, number]): Promise<void> {
  const deadline = performance.now() + UNBOUND_MS;
  const isHeld = (): boolean =>
    [...(readKernelQueues()?.keys() ?? [])].some((queueNum) => queueNum >= first && queueNum <= last);
  while (isHeld() && performance.now() < deadline) await sleep(10);
}

function whyNot({ version, at, terms }: Left, own: Terms, now: number): string | undefined {
  if (version !== TAKEOVER_VERSION) return `it hands over by version ${version}, not ${TAKEOVER_VERSION}`;
  const seconds = Math.round(now - at);
  if (seconds > PATIENCE_S) return `that was ${seconds} s ago`;
  const differing = differingTerms(terms, own);
  return differing.length === 0 ? undefined : `${differing.join(', ')} changed`;
}

/** At its own place: the descriptor's position is shared with whoever has it too. */
function readWhole(file: number): string {
  const octets = Buffer.alloc(fstatSync(file).size);
  for (let at = 0; at < octets.length;) {
    const got = readSync(file, octets, at, octets.length - at, at);
    if (got === 0) throw new Error('it is cut short');
    at += got;
  }
  return octets.toString();
}

function queueName(queueNum: number): string {
  return `${OURS}queue-${queueNum}`;
}

const OURS = 'tlspin-';
const FILE = `${OURS}remembered`;
const UNBOUND_MS = 2000;
/** Longer than it takes to be started again a few times; clients have given up by then. */
const PATIENCE_S = 60;
/** What is remembered names sessions, so it is never on a disk. */
const IN_MEMORY = '/dev/shm';
/** open(2): a file without a name. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;
