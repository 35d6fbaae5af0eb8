/**
 * A transport of pino as a place for the log: a process of its own runs it, so that whatever it does (wait, throw, end,
 * grow) it does to itself. It is given some lines at a time and the next ones when it has taken those; one that has ended
 * is started again, and given again what it had not taken. See transport-process.ts for the other end.
 *
 *   starting ──ready──▶ up ──lines──▶ taken ──▶ …
 *       ▲                └─ ended: said, and what it had is written again later, or lost if that ended it too often
 *       └── after a while ──┘
 */
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isAbsolute, join } from 'node:path';

import type { TransportTarget } from '../../pins/policy.ts';
import type { LogChannel, LogDestination, WriteError } from '../../report/log-destination.ts';
import { syslogMessage } from './syslog.ts';

export type ToTransport =
  | { readonly kind: 'begin'; readonly stages: TransportTarget['stages'] }
  | { readonly kind: 'lines'; readonly octets: Uint8Array };

export type FromTransport =
  | { readonly kind: 'ready' | 'taken' }
  /** It ends. */
  | { readonly kind: 'failed'; readonly why: string };

export function transportDestination(target: TransportTarget, name: string): LogDestination {
  const { syslog } = target;
  return {
    name,
    key: JSON.stringify(target),
    // Datagrams of syslog have a record each.
    linesAWrite: syslog === undefined ? LINES_A_WRITE : 1,
    form: syslog === undefined ? undefined : (record, line) => `${syslogMessage(syslog, record, line.trimEnd())}\n`,
    open: (onDown) => new TransportChannel(resolved(target, name), onDown),
  };
}

class TransportChannel implements LogChannel {
  readonly isTorn = false;
  readonly #stages: TransportTarget['stages'];
  readonly #onDown: (why: string) => void;
  #child: ChildProcess | undefined;
  /** Since when it takes lines. */
  #upAt: number | undefined;
  /** What its process has ended of, until another one is up. */
  #why: string | undefined;
  #given: { readonly octets: Buffer; readonly done: (error: WriteError | null, count: number) => void } | undefined;
  /** What it ended with, and how often. */
  #fatal: { readonly octets: Buffer; readonly times: number } | undefined;
  #pause = SHORTEST_PAUSE_MS;
  #restart: NodeJS.Timeout | undefined;
  #isClosing = false;

  constructor(stages: TransportTarget['stages'], onDown: (why: string) => void) {
    this.#stages = stages;
    this.#onDown = onDown;
    this.#start();
  }

  get isUp(): boolean {
    return this.#upAt !== undefined;
  }

  get isStarting(): boolean {
    return this.#child !== undefined && !this.isUp && this.#why === undefined;
  }

  write(octets: Buffer, at: number, done: (error: WriteError | null, count: number) => void): void {
    if (!this.isUp || this.#isClosing) return done({ code: this.#why ?? 'EAGAIN' }, 0);
    this.#given = { octets, done };
    this.#send(this.#child!, { kind: 'lines', octets: octets.subarray(at) });
  }

  reopen(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#restart);
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const timer = setTimeout(() => child.kill('SIGKILL'), CLOSING_PATIENCE_MS);
    // It hears of that, and writes out what it has.
    if (child.connected) child.disconnect();
    await ended;
    clearTimeout(timer);
  }

  #start(): void {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const child = fork(new URL(`./transport-process.${extension}`, import.meta.url), {
      env: withoutServiceManager(process.env),
      execArgv: [],
      serialization: 'advanced',
    });
    this.#child = child;
    const late = setTimeout(() => this.#onLate(), STARTING_MS);
    const timer = setTimeout(() => child.kill('SIGKILL'), STARTING_PATIENCE_MS);
    let why: string | undefined;
    child.on('message', (message: FromTransport) => {
      if (message.kind === 'failed') why = message.why;
      else if (message.kind === 'taken') this.#onTaken();
      else {
        clearTimeout(late);
        clearTimeout(timer);
        this.#upAt = performance.now();
        this.#why = undefined;
      }
    });
    child.on('error', (error) => {
      why ??= error.message;
      // One that could not be started does not end either.
      if (child.pid === undefined) child.emit('exit', null, null);
    });
    child.once('exit', (status, signal) => {
      clearTimeout(late);
      clearTimeout(timer);
      this.#onEnd(why ?? (signal === null ? `status ${status}` : signal));
    });
    this.#send(child, { kind: 'begin', stages: this.#stages });
  }

  #send(child: ChildProcess, message: ToTransport): void {
    if (child.connected) child.send(message, () => {}); // where it is gone, its end is told
  }

  #onTaken(): void {
    const given = this.#given;
    this.#given = undefined;
    this.#fatal = undefined;
    given?.done(null, given.octets.length);
  }

  #onLate(): void {
    this.#why ??= `it has not started within ${STARTING_MS / 1000} s`;
    if (!this.#isClosing) this.#onDown(this.#why);
  }

  #onEnd(why: string): void {
    const lasted = this.#upAt === undefined ? 0 : performance.now() - this.#upAt;
    this.#child = undefined;
    this.#upAt = undefined;
    if (this.#isClosing) return;
    this.#why = `its process has ended: ${why}`;
    this.#onDown(this.#why);
    this.#pause = lasted > LASTING_MS ? SHORTEST_PAUSE_MS : Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
    this.#restart = setTimeout(() => this.#start(), this.#pause);
    const given = this.#given;
    if (given === undefined) return;
    this.#given = undefined;
    const times = this.#fatal?.octets === given.octets ? this.#fatal.times + 1 : 1;
    this.#fatal = { octets: given.octets, times };
    given.done({ code: this.#why, isFinal: times >= MOST_ENDS }, 0);
  }
}

/** Where its modules are; throws a sentence where one is not there. */
function resolved({ stages, folder }: TransportTarget, name: string): TransportTarget['stages'] {
  return stages.map(({ target, options }) => {
    if (target === PINO_FILE) return { target, options };
    if (!isAbsolute(target)) return { target: packageOf(target, folder, name), options };
    if (existsSync(target)) return { target, options };
    throw new Error(`log ${name}: there is no file ${target}`);
  });
}

function packageOf(target: string, folder: string, name: string): string {
  try {
    return createRequire(join(folder, 'of.json')).resolve(target);
  } catch (cause) {
    const isThere = (cause as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND';
    const cure = isThere ? 'name the file of it that is to be loaded' : `npm install --prefix ${folder} ${target}`;
    throw new Error(`log ${name}: the package ${target} is not found from ${folder}: ${cure}`, { cause });
  }
}

/** It is to speak with nobody in the engine's name. */
function withoutServiceManager(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...environment, NOTIFY_SOCKET: undefined, WATCHDOG_PID: undefined, WATCHDOG_USEC: undefined };
}

/** Is pino's own. */
const PINO_FILE = 'pino/file';
const LINES_A_WRITE = 256;
const STARTING_MS = 4_000;
const STARTING_PATIENCE_MS = 20_000;
const CLOSING_PATIENCE_MS = 3_000;
const SHORTEST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** Up for longer, it did not end of how it was started. */
const LASTING_MS = 10_000;
/** As often it may end with the same lines. */
const MOST_ENDS = 3;
