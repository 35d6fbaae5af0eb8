import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { ThreadWatch, type WatchedThread } from '../../../src/runtime/queue/thread-watch.ts';

let threads: { name: string; heartbeats: number | undefined; isAdopting: boolean }[];
let hung: string[];
let alive: number;
let watch: ThreadWatch;

beforeEach(() => {
  vi.useFakeTimers();
  threads = ['a', 'b'].map((name) => ({ name, heartbeats: 0, isAdopting: false }));
  hung = [];
  alive = 0;
  watch = new ThreadWatch({
    threads: () => threads as readonly WatchedThread[],
    manager: { watchdogMs: 3000, alive: () => void alive++ },
    onHung: (name) => void hung.push(name),
  });
  watch.start();
});
afterEach(() => {
  watch.stop();
  vi.useRealTimers();
});

function pass(seconds: number, beating = threads): void {
  for (let second = 0; second < seconds; second++) {
    for (const thread of beating) if (thread.heartbeats !== undefined) thread.heartbeats++;
    vi.advanceTimersByTime(1000);
  }
}

describe('the service manager', () => {
  it('hears that all is well as often as it wants to', () => {
    pass(9);
    expect(alive).toBe(3);
  });

  it('hears nothing while a thread shows no heartbeat', () => {
    pass(4, [threads[0]!]);
    pass(2, [threads[0]!]);
    expect(alive).toBe(0);
  });
});

describe('a thread', () => {
  it('without heartbeats is told of, once', () => {
    pass(1);
    pass(2, [threads[0]!]);
    expect(hung).toEqual([]);
    pass(5, [threads[0]!]);
    expect(hung).toEqual(['b']);
  });

  it('that is not running is not waited for', () => {
    threads[1]!.heartbeats = undefined;
    pass(10, [threads[0]!]);
    expect(hung).toEqual([]);
  });

  it('is not held to time in which nobody had a processor, such as while the process was stopped', () => {
    pass(1);
    vi.setSystemTime(Date.now());
    const { now } = performance;
    // Each look comes seconds late.
    let lateness = 0;
    performance.now = () => now.call(performance) + (lateness += 4000);
    pass(10, []);
    performance.now = now;
    expect(hung).toEqual([]);
  });
});
