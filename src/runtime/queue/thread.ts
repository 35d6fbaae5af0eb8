/**
 * The main thread's handle of one packet thread: starts it, speaks with it, and tells when it is gone. Knows worker
 * threads; knows nothing of policies beyond passing them on.
 */
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';

import { QueueCounters } from './counters.ts';
import { EventUnpacker } from '../events/wire.ts';
import type { FromQueue, Port, QueueSetup, ToQueue } from './messages.ts';

/** As much of a Worker as is used. */
export interface QueueThread extends Port<ToQueue> {
  on(event: 'message', listener: (message: FromQueue) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'exit', listener: (code: number) => void): unknown;
  terminate(): Promise<unknown>;
}

export type SpawnQueueThread = (setup: QueueSetup) => QueueThread;

export function spawnQueueThread(setup: QueueSetup): QueueThread {
  // Hardly anything outlives a scavenge there, and V8 makes the new space no larger for that: each stops the thread.
  setFlagsFromString(`--min-semi-space-size=${SEMI_SPACE_MIB}`);
  // In a lull no connection is there, V8 forgets the hidden classes of all that one is made of, and with them the code that it
  // has compiled for them: the next hundreds of connections would take twice the time, and its compiler the other CPUs.
  setFlagsFromString('--no-memory-reducer');
  setFlagsFromString(`--retain-maps-for-n-gc=${COLLECTIONS_OF_A_LULL}`);
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new Worker(new URL(`./worker.${extension}`, import.meta.url), {
    workerData: setup,
    name: `queue ${setup.queueNum}`,
  });
}

export type QueueState = 'starting' | 'prepared' | 'running' | 'stopping' | 'gone';

/** One queue of the daemon: its thread and what is known about it. */
export class Queue {
  readonly queueNum: number;
  readonly counters = new QueueCounters();
  readonly events = new EventUnpacker();
  readonly thread: QueueThread;
  state: QueueState = 'starting';
  /** How connmarks travel; known once it runs. */
  route = '';
  /** Policies that it was told and has not said that it has. */
  adopting = 0;
  /** Nothing that it is told will be heard. */
  isHung = false;

  constructor(spawn: SpawnQueueThread, setup: Omit<QueueSetup, 'counters'>) {
    this.queueNum = setup.queueNum;
    this.thread = spawn({ ...setup, counters: this.counters.shared });
  }

  get name(): string {
    return `queue ${this.queueNum}`;
  }

  get isAdopting(): boolean {
    return this.adopting > 0;
  }

  get heartbeats(): number | undefined {
    return this.state === 'running' ? this.counters.read().heartbeats : undefined;
  }
}

/** Half as many scavenges as where V8 chooses. */
const SEMI_SPACE_MIB = 8;
/** Full ones: one in some seconds while much goes on, and next to none otherwise. */
const COLLECTIONS_OF_A_LULL = 1_000;
