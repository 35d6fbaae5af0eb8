import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { FlowEvent } from '../../src/engine/events.ts';
import type { ChainFacts, ExamineRequest } from '../../src/engine/ports.ts';
import type { Policy } from '../../src/pins/policy.ts';
import { QueueCounters } from '../../src/runtime/counters.ts';
import { Daemon } from '../../src/runtime/daemon.ts';
import type { FromQueue, QueueSetup, ToQueue } from '../../src/runtime/messages.ts';
import type { QueueThread } from '../../src/runtime/queue-thread.ts';
import { ServiceManager } from '../../src/runtime/service-manager.ts';
import { policy } from '../support/policy.ts';

const EVENT: FlowEvent = { kind: 'anomaly', time: 0, flowId: 0, client: null, server: null, code: 'test', detail: '' };
const FACTS: ChainFacts = {
  onPath: [0],
  anchorsOnPath: [],
  nameMatches: true,
  exhausted: false,
  leafValidAt: true,
  trusted: false,
};
const REQUEST: ExamineRequest = { chain: [], anchors: [], names: [], atMs: 0, trust: [] };

/** A packet thread by hand. It stops when told to, unless it hangs. */
class FakeThread extends EventEmitter implements QueueThread {
  readonly received: ToQueue[] = [];
  readonly setup: QueueSetup;
  readonly counters: QueueCounters;
  hangs = false;
  terminated = false;

  constructor(setup: QueueSetup) {
    super();
    this.setup = setup;
    this.counters = new QueueCounters(setup.counters);
  }

  postMessage(message: ToQueue): void {
    this.received.push(message);
    if (message.kind !== 'stop' || this.hangs) return;
    this.say({ kind: 'events', events: [EVENT] });
    this.say({ kind: 'stopped' });
    this.emit('exit', 0);
  }

  say(message: FromQueue): void {
    this.emit('message', message);
  }

  async terminate(): Promise<void> {
    this.terminated = true;
    this.emit('exit', 1);
  }
}

let threads: FakeThread[];
let told: string[];
let said: string[];
let logged: FlowEvent[];
let closed: number;

beforeEach(() => {
  vi.useFakeTimers();
  threads = [];
  told = [];
  said = [];
  logged = [];
  closed = 0;
});
afterEach(() => void vi.useRealTimers());

function daemon(fields: Partial<Policy> = {}, environment: NodeJS.ProcessEnv = {}): Daemon {
  return new Daemon({
    policy: policy({ queues: [0, 1], ...fields }),
    log: {
      write: (events) => void logged.push(...events),
      close: async () => void closed++,
    },
    examiner: { examine: (_request, done) => done(FACTS) },
    spawn: (setup) => {
      threads.push(new FakeThread(setup));
      return threads.at(-1)!;
    },
    manager: new ServiceManager(
      { NOTIFY_SOCKET: '@x', ...environment },
      { notify: (_path, message) => told.push(message.split('\n')[0]!) * 0 },
    ),
    say: (line) => said.push(line),
  });
}

async function started(fields: Partial<Policy> = {}, environment: NodeJS.ProcessEnv = {}): Promise<Daemon> {
  const running = daemon(fields, environment);
  const start = running.start();
  for (const thread of threads) thread.say({ kind: 'started', route: 'packet-mark' });
  await start;
  return running;
}

describe('starting', () => {
  it('is done when every queue is bound, and not before', async () => {
    const start = daemon().start();
    expect(threads.map(({ setup }) => setup.queueNum)).toEqual([0, 1]);
    threads[0]!.say({ kind: 'started', route: 'packet-mark' });
    await vi.advanceTimersByTimeAsync(100);
    expect(told).toEqual([]);
    threads[1]!.say({ kind: 'started', route: 'packet-mark' });
    await start;
    expect(told).toEqual(['READY=1']);
    expect(said).toEqual(['queues 0 to 1 bound, connmark route: packet-mark, configuration sha256:00']);
  });

  it('fails with the reason when one queue cannot be bound, and leaves none bound', async () => {
    const start = daemon().start();
    threads[0]!.say({ kind: 'started', route: 'packet-mark' });
    threads[1]!.say({ kind: 'failed', message: 'netlink bind: queue 1: EPERM (needs CAP_NET_ADMIN)' });
    threads[1]!.emit('exit', 1);
    await expect(start).rejects.toThrow('netlink bind: queue 1: EPERM (needs CAP_NET_ADMIN)');
    expect(threads[0]!.received[0]).toEqual({ kind: 'stop' });
    expect(told).not.toContain('READY=1');
  });
});

describe('running', () => {
  it('events go to the log, and the thread hears how many were taken', async () => {
    await started();
    threads[1]!.say({ kind: 'events', events: [EVENT, EVENT] });
    expect(logged).toEqual([EVENT, EVENT]);
    expect(threads[1]!.received).toEqual([{ kind: 'taken', count: 2 }]);
  });

  it("questions are answered to the thread that asked, under the question's number", async () => {
    await started();
    threads[0]!.say({ kind: 'examine', id: 7, request: REQUEST });
    expect(threads[0]!.received).toEqual([{ kind: 'facts', id: 7, facts: FACTS }]);
    expect(threads[1]!.received).toEqual([]);
  });

  it('troubles are said', async () => {
    await started();
    threads[0]!.say({ kind: 'trouble', message: 'netlink receive: queue 0: ENOBUFS' });
    expect(said.at(-1)).toBe('netlink receive: queue 0: ENOBUFS');
  });

  it('the counters of each queue can be had at any time', async () => {
    const running = await started();
    threads[1]!.counters.publishEventsDropped(5);
    expect(running.status().queues.map(({ queue, counts }) => [queue, counts.eventsDropped])).toEqual([
      [0, 0],
      [1, 5],
    ]);
  });

  it('a thread that dies fails the whole, with one sentence', async () => {
    const running = await started();
    threads[1]!.emit('error', new Error('boom'));
    threads[1]!.emit('exit', 1);
    await expect(running.failure).rejects.toThrow(
      'the thread of queue 1 died: boom; the kernel drops its packets until tlspin runs again',
    );
    await running.stop();
    expect(threads[0]!.received).toContainEqual({ kind: 'stop' });
    expect(closed).toBe(1);
  });

  it('a thread that ends by itself is no better', async () => {
    const running = await started();
    threads[0]!.emit('exit', 0);
    await expect(running.failure).rejects.toThrow('the thread of queue 0 ended unasked');
  });
});

describe('the watchdog', () => {
  it('hears of us while every thread turns, and not when one hangs', async () => {
    await started({}, { WATCHDOG_USEC: '8000000' });
    for (let beat = 0; beat < 3; beat++) {
      for (const thread of threads) thread.counters.beat();
      await vi.advanceTimersByTimeAsync(4000);
    }
    expect(told.filter((message) => message === 'WATCHDOG=1')).toHaveLength(3);
    threads[0]!.counters.beat();
    await vi.advanceTimersByTimeAsync(8000);
    expect(told.filter((message) => message === 'WATCHDOG=1')).toHaveLength(3);
  });
});

describe('reloading', () => {
  it('gives the new policy to every thread', async () => {
    const running = await started();
    const next = policy({ queues: [0, 1], hash: 'sha256:01' });
    expect(running.reload(next)).toBe(true);
    for (const thread of threads) expect(thread.received).toEqual([{ kind: 'policy', policy: next }]);
    expect(told).toEqual(['READY=1', 'RELOADING=1', 'READY=1']);
    expect(running.status().config).toBe('sha256:01');
  });

  it.each([
    ['queues', { queues: [0, 2] }],
    ['failOpen', { failOpen: true }],
    ['connmark', { connmark: { ...policy().connmark, mask: 0x70000000 } }],
    ['connmark', { onMismatch: { action: 'drop', connmark: { value: 1, mask: 1 } } }],
    ['control', { control: { socket: '/run/x', mode: 0o600 } }],
  ] as const)('is refused where %s changed, which takes a restart', async (what, fields) => {
    const running = await started();
    expect(running.reload(policy({ queues: [0, 1], hash: 'sha256:01', ...fields }))).toBe(false);
    expect(said.at(-1)).toBe(`not reloaded: ${what} changed, which takes a restart (and new rules)`);
    expect(threads[0]!.received).toEqual([]);
    expect(running.status().config).toBe('sha256:00');
  });
});

describe('stopping', () => {
  it('waits for every thread, logs what they still say, then closes the log', async () => {
    const running = await started();
    await running.stop();
    expect(threads.map(({ received }) => received[0])).toEqual([{ kind: 'stop' }, { kind: 'stop' }]);
    expect(logged).toEqual([EVENT, EVENT]);
    expect(closed).toBe(1);
    expect(told).toEqual(['READY=1', 'STOPPING=1']);
  });

  it('twice is once', async () => {
    const running = await started();
    await Promise.all([running.stop(), running.stop()]);
    expect(closed).toBe(1);
  });

  it('ends a thread that hangs by force', async () => {
    const running = await started();
    threads[1]!.hangs = true;
    const stopped = running.stop();
    await vi.advanceTimersByTimeAsync(6000);
    await stopped;
    expect(threads.map(({ terminated }) => terminated)).toEqual([false, true]);
    expect(closed).toBe(1);
  });
});
