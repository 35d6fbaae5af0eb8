/**
 * A process that somebody watches: its output line by line, its end, and a way to end it. Knows no namespaces; whoever
 * starts it gives the whole command.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Child {
  readonly ended: Promise<ChildEnd>;
  #output = '';
  #errors = '';
  #end: ChildEnd | undefined;
  readonly #process: ChildProcess;
  readonly #waiting = new Set<() => void>();
  readonly #listeners = new Set<(line: string) => void>();
  #line = '';
  readonly #killOnExit = (): void => void this.#process.kill('SIGKILL');

  /** Starts at once. Text for its standard input is written and the input closed; without any it stays open. */
  constructor(program: string, args: readonly string[], options: { input?: string; env?: NodeJS.ProcessEnv } = {}) {
    this.#process = spawn(program, args, { stdio: 'pipe', env: { ...process.env, ...options.env } });
    process.once('exit', this.#killOnExit);
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
      this.#tell(text);
      this.#wake();
    });
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
      this.#wake();
    });
    // Who no longer reads is no news: the end of the process tells.
    this.#process.stdin?.on('error', () => {});
    if (options.input !== undefined) this.#process.stdin?.end(options.input);
    this.ended = new Promise((resolve) => {
      const finish = (end: ChildEnd): void => {
        if (this.#end !== undefined) return;
        process.removeListener('exit', this.#killOnExit);
        for (const stream of [this.#process.stdout, this.#process.stderr, this.#process.stdin]) stream?.destroy();
        this.#end = end;
        this.#wake();
        resolve(end);
      };
      this.#process.once('error', (error) => {
        this.#errors += error.message;
        finish({ code: null, signal: null });
      });
      this.#process.once('close', (code, signal) => finish({ code, signal }));
      // Its streams stay open while a process that it started holds them; those are not waited for.
      this.#process.once('exit', (code, signal) => setTimeout(() => finish({ code, signal }), DRAIN));
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get output(): string {
    return this.#output;
  }

  get errors(): string {
    return this.#errors;
  }

  get end(): ChildEnd | undefined {
    return this.#end;
  }

  write(text: string): void {
    this.#process.stdin?.write(text);
  }

  closeInput(): void {
    this.#process.stdin?.end();
  }

  /** What it has said so far is of no interest any more. */
  forget(): void {
    this.#output = '';
    this.#errors = '';
  }

  /** Calls `listener` with each line of its output from now on, until what it returns is called. */
  onLine(listener: (line: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Resolves when `met` is true, which is asked after each output; fails at the process's end or after `timeout` ms. */
  async until(met: (child: this) => boolean, what: string, timeout = 30_000): Promise<void> {
    const deadline = performance.now() + timeout;
    while (!met(this)) {
      if (this.#end !== undefined) throw new Error(`it ended before ${what}: ${this.#summary()}`);
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`not within ${timeout} ms: ${what}: ${this.#summary()}`);
      await this.#news(left);
    }
  }

  /** Waits for a line of output or errors that matches. */
  async says(pattern: RegExp, timeout?: number): Promise<void> {
    await this.until(() => pattern.test(this.#output) || pattern.test(this.#errors), `it said ${pattern}`, timeout);
  }

  /** Ends it, by force after two seconds. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<ChildEnd> {
    this.#process.kill(signal);
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 2_000);
    const end = await this.ended;
    clearTimeout(timer);
    return end;
  }

  async #news(timeout: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, timeout);
      this.#waiting.add(done);
    });
  }

  #tell(text: string): void {
    // A line that is long is looked through once, not with each piece of it.
    const [rest, ...begun] = text.split('\n');
    this.#line += rest;
    for (const next of begun) {
      for (const listener of [...this.#listeners]) listener(this.#line);
      this.#line = next;
    }
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }

  #summary(): string {
    const end = this.#end === undefined ? 'still running' : `exit ${this.#end.code ?? this.#end.signal ?? 'unknown'}`;
    return `${end}; stderr: ${this.#errors.slice(-600).trim()}; stdout: ${this.#output.slice(-600).trim()}`;
  }
}

/** Milliseconds in which output that was written before the end has come through. */
const DRAIN = 300;
