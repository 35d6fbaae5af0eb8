/**
 * Examinations of all queues: hands one question at a time to a thread that does nothing else, and each answer to whoever
 * asked. Neither packets nor the control plane wait for it. Knows no certificates.
 *
 *   ask ──▶ line ──its turn──▶ thread ──▶ answer
 *            └──no room──▶ an answer that nothing was found      withdraw: none at all
 */
import type { Endpoint } from '../../judge/events.ts';
import type { ExamineRequest } from '../../judge/ports.ts';
import { clientGroup } from '../../probe/client-group.ts';
import { type DatedFacts, NOTHING_FOUND } from '../../x509/examine.ts';
import type { Port } from '../queue/messages.ts';
import type { WatchedThread } from '../queue/thread-watch.ts';
import { Line } from './line.ts';

export interface ExaminerQuestion {
  readonly request: ExamineRequest;
  readonly client: Endpoint;
  readonly server: Endpoint;
}

/** As much of a Worker as is used. */
export interface ExaminerThread extends Port<ExamineRequest> {
  on(event: 'message', listener: (message: Examined) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'exit', listener: () => void): unknown;
  terminate(): Promise<unknown>;
}

/** What the thread says to each request. */
export interface Examined {
  readonly dated: DatedFacts;
  /** In operations, weighed. */
  readonly cost: number;
}

export class Examiner implements WatchedThread {
  readonly name = 'examiner';
  readonly #thread: ExaminerThread;
  readonly #now: () => number;
  readonly #line = new Line<Waiting>(ROOM);
  readonly #asked = new Map<string, Waiting>();
  /** Before the thread. */
  #current: Waiting | undefined;
  #examined = 0;
  #isClosed = false;

  /** `now`: milliseconds on a clock that nobody sets. `onEnd`: the thread has ended, and nobody told it to. */
  constructor(thread: ExaminerThread, now: () => number, onEnd: (error: Error) => void) {
    this.#thread = thread;
    this.#now = now;
    let reason: Error | undefined;
    thread.on('message', (message) => this.#onExamined(message));
    thread.on('error', (error) => (reason = error));
    thread.on('exit', () => {
      const why = reason === undefined ? 'ended unasked' : `died: ${reason.message}`;
      if (!this.#isClosed) onEnd(new Error(`the examiner's thread ${why}`));
    });
  }

  /** Examinations, while there is one that is not done. */
  get heartbeats(): number | undefined {
    return this.#current === undefined ? undefined : this.#examined;
  }

  /** Ahead of the first it loads what it needs for all. */
  get isAdopting(): boolean {
    return this.#examined === 0;
  }

  /** `key`: by which it may be withdrawn. `done` is called once, unless it is withdrawn or this is closed. */
  ask(key: string, { request, client, server }: ExaminerQuestion, done: (dated: DatedFacts) => void): void {
    const behind = [`client ${clientGroup(client.address)}`, `server ${clientGroup(server.address)}`];
    const waiting: Waiting = { key, behind, request, done };
    this.#asked.set(key, waiting);
    const loser = this.#line.add(waiting);
    if (loser !== undefined) this.#answer(loser, { facts: { ...NOTHING_FOUND, exhausted: 'turns' }, ...NOW_ONLY });
    this.#advance();
  }

  /** Nobody waits for the answer any more. */
  withdraw(key: string): void {
    const waiting = this.#asked.get(key);
    if (waiting === undefined) return;
    this.#asked.delete(key);
    this.#line.leave(waiting);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#thread.terminate();
  }

  #advance(): void {
    if (this.#current !== undefined) return;
    this.#current = this.#line.next(this.#now());
    if (this.#current !== undefined) this.#thread.postMessage(this.#current.request);
  }

  #onExamined({ dated, cost }: Examined): void {
    const examined = this.#current!;
    this.#current = undefined;
    this.#examined++;
    this.#line.charge(examined, cost, this.#now());
    this.#answer(examined, dated);
    this.#advance();
  }

  #answer(waiting: Waiting, dated: DatedFacts): void {
    // A key may have been used anew meanwhile.
    if (this.#asked.get(waiting.key) !== waiting) return;
    this.#asked.delete(waiting.key);
    waiting.done(dated);
  }
}

interface Waiting {
  readonly key: string;
  readonly behind: readonly string[];
  readonly request: ExamineRequest;
  readonly done: (dated: DatedFacts) => void;
}

/** Of no use to anybody later. */
const NOW_ONLY = { from: Infinity, until: -Infinity };
/** Questions of all queues that wait; each may be a whole chain. */
const ROOM = 256;
