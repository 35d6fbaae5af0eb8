import { EventEmitter } from 'node:events';
import { appendFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { FlowEvent } from '../../src/judge/events.ts';
import type { FlowPage } from '../../src/connection/listing.ts';
import type { ProbeAnswer, ProbeEnds, ProbeRequest } from '../../src/judge/ports.ts';
import type { Policy } from '../../src/pins/policy.ts';
import type { OnInconsistent } from '../../src/probe/prober.ts';
import { QueueCounters } from '../../src/runtime/queue/counters.ts';
import { Daemon, type PolicyLearner } from '../../src/runtime/daemon.ts';
import type { FromQueue, QueueSetup, ToQueue } from '../../src/runtime/queue/messages.ts';
import type { ClosableProber } from '../../src/runtime/probing/probing.ts';
import type { QueueThread } from '../../src/runtime/queue/thread.ts';
import { ServiceManager } from '../../src/runtime/service-manager.ts';
import { FakeExaminer } from '../support/fake-examiner.ts';
import { bank } from '../support/flows.ts';
import { pin, policy } from '../support/policy.ts';
import { ANSWER, BY, DATED, EVENT, PROBE, REQUEST } from '../support/queue-messages.ts';

const PAGE: FlowPage = { flows: [], more: false };
const SECRET = { clientRandom: new Uint8Array(32).fill(0xab), secret: new Uint8Array(32).fill(0xcd) };
const SECRET_LINE = `SERVER_HANDSHAKE_TRAFFIC_SECRET ${'ab'.repeat(32)} ${'cd'.repeat(32)}\n`;

/** Answers when it is told to. */
class FakeProber implements ClosableProber {
  policy: Pick<Policy, 'probe' | 'limits'>;
  readonly onInconsistent: OnInconsistent;
  readonly questions: [ProbeRequest, (answer: ProbeAnswer) => void, (() => void) | undefined][] = [];
  closed = 0;

  constructor(policy: Policy, onInconsistent: OnInconsistent) {
    this.policy = policy;
    this.onInconsistent = onInconsistent;
  }

  onSpokenFor(): void {}

  accompany(_: ProbeEnds, go: () => void): void {
    go();
  }

  probe(request: ProbeRequest, done: (answer: ProbeAnswer) => void, connected?: () => void): void {
    this.questions.push([request, done, connected]);
  }

  configure(probe: Policy['probe'], limits: Policy['limits']): void {
    this.policy = { probe, limits };
  }

  close(): void {
    this.closed++;
  }
}

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
    if (message.kind === 'policy' && !this.hangs) this.say({ kind: 'adopted', generation: message.generation });
    if (message.kind === 'list' && !this.hangs) this.say({ kind: 'listed', id: message.id, page: PAGE });
    if (message.kind === 'ask-accepted' && !this.hangs) {
      this.say({ kind: 'told-accepted', id: message.id, places: [this.setup.queueNum] });
    }
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
let examiner: FakeExaminer;
let probers: FakeProber[];
let told: string[];
let said: string[];
let logged: FlowEvent[];
let closed: number;

beforeEach(() => {
  vi.useFakeTimers();
  threads = [];
  probers = [];
  told = [];
  said = [];
  logged = [];
  closed = 0;
});
afterEach(() => void vi.useRealTimers());

function daemon(
  fields: Partial<Policy> = {},
  environment: NodeJS.ProcessEnv = {},
  learner?: PolicyLearner,
  onPolicy?: (policy: Policy) => void,
): Daemon {
  return new Daemon({
    learner,
    onPolicy,
    policy: policy({ queues: [0, 1], ...fields }),
    log: {
      write: (events) => void logged.push(...events),
      close: async () => void closed++,
    },
    spawnExaminer: () => (examiner = new FakeExaminer()),
    createProber: (settings, onInconsistent) => {
      probers.push(new FakeProber(settings, onInconsistent));
      return probers.at(-1)!;
    },
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

describe('learning', () => {
  it('puts what is promoted into force once it is safe, and its anomalies into the log', async () => {
    const steps: string[] = [];
    let promoted = 0;
    const running = daemon(
      {},
      {},
      {
        refine: (loaded) => ({ ...loaded, pinsets: [bank({ mode: 'learn' })], hash: `sha256:0${promoted}` }),
        observe: () => ({
          anomalies: [{ ...EVENT, code: 'learn.promoted' }],
          hasChanged: ++promoted < 3,
        }),
        save: async () => void steps.push(`saved ${running.policy.hash}`),
        reread: () => {},
        forget: () => Promise.reject(new Error('nothing')),
        accept: () => Promise.reject(new Error('nothing')),
      },
    );
    const start = running.start();
    for (const thread of threads) thread.say({ kind: 'started', route: 'packet-mark' });
    await start;
    expect(threads[0]!.setup.policy.hash).toBe('sha256:00');
    threads[0]!.say({ kind: 'events', events: [EVENT] });
    threads[1]!.say({ kind: 'events', events: [EVENT] });
    await vi.advanceTimersByTimeAsync(100);
    // Twice promoted, once reloaded.
    expect(steps).toEqual(['saved sha256:00']);
    expect(running.policy.hash).toBe('sha256:02');
    for (const thread of threads) {
      expect(thread.received.filter(({ kind }) => kind === 'policy')).toMatchObject([
        { change: { hash: 'sha256:02' } },
      ]);
    }
    expect(logged.map((event) => event.kind === 'anomaly' && event.code)).toEqual([
      EVENT.code,
      'learn.promoted',
      EVENT.code,
      'learn.promoted',
    ]);
    await running.reload(policy({ queues: [0, 1], hash: 'sha256:07' }));
    expect(running.policy.hash).toBe('sha256:02');
    expect(running.policy.pinsets).toHaveLength(1);
  });
});

describe('forgetting', () => {
  const withLearner = async (forget: PolicyLearner['forget']) => {
    let hash = 'sha256:01';
    const policies: string[] = [];
    const learner: PolicyLearner = {
      refine: (loaded) => ({ ...loaded, hash }),
      observe: () => ({ anomalies: [], hasChanged: false }),
      save: () => Promise.resolve(),
      reread: () => {},
      accept: async () => {
        hash = 'sha256:02';
        return ['www.bank.example:443'];
      },
      forget: (request) => {
        hash = 'sha256:02';
        return forget(request);
      },
    };
    const running = daemon({}, {}, learner, (policy) => policies.push(policy.hash));
    const start = running.start();
    for (const thread of threads) thread.say({ kind: 'started', route: 'packet-mark' });
    await start;
    return { running, policies };
  };
  const host = (held: readonly string[] | null) => ({ pinset: 'p', host: 'h:443', observations: 1, held });

  it('what was held is done when every queue judges without it', async () => {
    const { running, policies } = await withLearner(() => Promise.resolve([host(['spki-sha256:x'])]));
    const forgotten = running.forget({ targets: ['h'] });
    await vi.advanceTimersByTimeAsync(0);
    for (const thread of threads) {
      expect(thread.received.at(-1)).toMatchObject({
        kind: 'policy',
        generation: 2,
        change: { hash: 'sha256:02' },
      });
      thread.say({ kind: 'adopted', generation: 2 });
    }
    expect(await forgotten).toMatchObject({ forgotten: [{ host: 'h:443' }], generation: 2 });
    expect(policies).toEqual(['sha256:01', 'sha256:02']);
  });

  it('what was only learned changes nothing for anybody', async () => {
    const { running } = await withLearner(() => Promise.resolve([host(null)]));
    expect(await running.forget({ targets: ['h'] })).toMatchObject({ generation: 1 });
  });

  it('what is refused keeps nobody from what comes after', async () => {
    const { running } = await withLearner(() => Promise.reject(new Error('unknown')));
    await expect(running.forget({ targets: ['h'] })).rejects.toThrow('unknown');
    const reloaded = running.reload(policy({ queues: [0, 1] }));
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await reloaded).toMatchObject({ isInForce: true });
  });

  it('is not to be had where nothing is learned', async () => {
    const running = daemon();
    await expect(running.forget({ targets: [] })).rejects.toThrow('there is no section "learn"');
  });
});

describe('running', () => {
  it('events go to the log, and how many were taken stands in the memory that the thread has too', async () => {
    await started();
    threads[1]!.say({ kind: 'events', events: [EVENT, EVENT] });
    expect(logged).toEqual([EVENT, EVENT]);
    expect(threads[1]!.counters.eventsTaken).toBe(2);
    expect(threads[1]!.received).toEqual([]);
  });

  it("chains are examined for the thread that asked, and answered under the question's number", async () => {
    await started();
    const { client, server } = BY;
    threads[0]!.say({ kind: 'examine', id: 7, request: REQUEST, client, server });
    threads[1]!.say({ kind: 'examine', id: 7, request: REQUEST, client, server });
    threads[1]!.say({ kind: 'withdraw', id: 7 });
    expect(examiner.requests).toEqual([REQUEST]);
    examiner.answer(DATED);
    expect(threads[0]!.received).toEqual([{ kind: 'facts', id: 7, facts: DATED }]);
    expect(threads[1]!.received).toEqual([]);
    expect(examiner.requests).toHaveLength(1);
  });

  it('without its examiner it ends, and says why', async () => {
    const running = await started();
    examiner.emit('error', new Error('ran out of memory'));
    examiner.emit('exit');
    await expect(running.failure).rejects.toThrow("the examiner's thread died: ran out of memory");
    await running.stop();
  });

  it('a probe is answered when its answer is there, to the thread that asked', async () => {
    await started();
    threads[1]!.say({ kind: 'probe', id: 9, request: PROBE });
    expect(threads[1]!.received).toEqual([]);
    const [request, done, connected] = probers[0]!.questions[0]!;
    expect(request).toEqual(PROBE);
    connected!();
    done(ANSWER);
    expect(threads[1]!.received).toEqual([
      { kind: 'probing', id: 9 },
      { kind: 'probed', id: 9, answer: ANSWER },
    ]);
    expect(threads[0]!.received).toEqual([]);
  });

  it('a server that shows probes different chains is an anomaly in the log', async () => {
    await started();
    vi.setSystemTime(1_700_000_000_000);
    probers[0]!.onInconsistent(PROBE, [[Uint8Array.of(1), Uint8Array.of(2)], [Uint8Array.of(3)]], {
      clients: [PROBE.client, { address: new Uint8Array(16).fill(1), port: 7 }],
      others: 2,
    });
    const { client, server } = PROBE;
    const event = { kind: 'anomaly', code: 'probe.inconsistent', time: 1.7e15, client, server };
    const detail = expect.stringMatching(
      /: 4bf5122f[0-9a-f]{56} dbc1b4c9[0-9a-f]{56}; 084fed08[0-9a-f]{56}; served in between: [\d.]+:\d+, \[[\da-f:]+\]:7 and 2 others$/,
    ) as string;
    expect(logged).toEqual([expect.objectContaining({ ...event, detail })]);
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

  it('what the threads say of their flows comes together; one that says nothing is missing', async () => {
    const running = await started();
    const question = { after: 0, limit: 10, filter: {}, detailed: false };
    expect([...(await running.list(question))]).toEqual([
      [0, PAGE],
      [1, PAGE],
    ]);
    threads[0]!.hangs = true;
    const listed = running.list(question);
    await vi.advanceTimersByTimeAsync(2000);
    expect([...(await listed).keys()]).toEqual([1]);
  });

  it('who was accepted by one of them was accepted; who says nothing has accepted nobody', async () => {
    const running = await started();
    expect(await running.acceptedOf([])).toEqual(new Set([0, 1]));
    threads[0]!.hangs = true;
    const told = running.acceptedOf([]);
    await vi.advanceTimersByTimeAsync(2000);
    expect(await told).toEqual(new Set([1]));
  });

  it('a thread that dies fails the whole, with one sentence', async () => {
    const running = await started();
    threads[1]!.emit('error', new Error('boom'));
    threads[1]!.emit('exit', 1);
    await expect(running.failure).rejects.toThrow(
      'the thread of queue 1 died: boom; until tlspin runs again its packets are dropped, or pass where the rules have --queue-bypass',
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

describe('a thread that hangs', () => {
  it('fails the whole within five seconds, and is ended by force', async () => {
    const running = await started();
    let reason: unknown;
    running.failure.catch((error: unknown) => (reason = error));
    for (let second = 0; second < 4; second++) {
      threads[0]!.counters.beat();
      await vi.advanceTimersByTimeAsync(1000);
    }
    expect(String(reason)).toContain(
      'the thread of queue 1 hangs: it has done nothing for 3 s; until tlspin runs again its packets are dropped',
    );
    threads[1]!.hangs = true;
    await running.stop();
    expect(threads.map(({ terminated }) => terminated)).toEqual([false, true]);
  });

  it('may be the examiner, once it has a question', async () => {
    const running = await started();
    let reason: unknown;
    running.failure.catch((error: unknown) => (reason = error));
    const pass = async (seconds: number) => {
      for (let second = 0; second < seconds; second++) {
        for (const { counters } of threads) counters.beat();
        await vi.advanceTimersByTimeAsync(1000);
      }
    };
    const ask = (id: number) => threads[0]!.say({ kind: 'examine', id, request: REQUEST, ...BY });
    ask(1);
    // Ahead of the first it loads its libraries.
    await pass(10);
    examiner.answer(DATED);
    await pass(10);
    expect(reason).toBeUndefined();
    ask(2);
    await pass(5);
    expect(String(reason)).toContain("the examiner's thread hangs: it has done nothing for 3 s");
  });

  it('may be one that takes a policy, which has its time', async () => {
    const running = await started();
    let hasFailed = false;
    running.failure.catch(() => (hasFailed = true));
    threads[1]!.hangs = true;
    void running.reload(policy({ queues: [0, 1] }));
    for (let second = 0; second < 20; second++) {
      threads[0]!.counters.beat();
      await vi.advanceTimersByTimeAsync(1000);
    }
    expect(hasFailed).toBe(false);
    threads[1]!.say({ kind: 'adopted', generation: 2 });
    await vi.advanceTimersByTimeAsync(1000);
    expect(hasFailed).toBe(false);
  });
});

describe('reloading', () => {
  it('gives the new policy to every thread', async () => {
    const running = await started();
    const next = policy({ queues: [0, 1], hash: 'sha256:01', ports: [[8443, 8443]] });
    expect(await running.reload(next)).toEqual({ isInForce: true, generation: 2, silent: [] });
    const change = { hash: 'sha256:01', policy: { ...next, hash: '' }, tables: [] };
    for (const thread of threads) expect(thread.received).toEqual([{ kind: 'policy', change, generation: 2 }]);
    expect(told).toEqual(['READY=1', 'RELOADING=1', 'READY=1']);
    expect(running.status().config).toBe('sha256:01');
  });

  it('leaves each thread flow numbers of its own', async () => {
    await started();
    const [one, other] = threads.map(({ setup }) => setup.numbering);
    expect(one).toEqual({ first: expect.any(Number) as number, step: 2 });
    expect(other).toEqual({ first: one!.first + 1, step: 2 });
  });

  it('leaves each run numbers of its own, which every reader of JSON can tell apart', async () => {
    const before = (Date.now() - Date.UTC(2025, 0, 1)) * 256;
    await started();
    const { first } = threads[0]!.setup.numbering;
    expect(first).toBeGreaterThan(before);
    expect(first).toBeLessThan(before + 256 * 60_000);
    expect(first * 100).toBeLessThan(Number.MAX_SAFE_INTEGER);
  });

  it('tells every thread only what differs, where that is entries of lists', async () => {
    const listed = (...keys: string[]) => [
      {
        id: '0',
        writable: true,
        file: null,
        kind: null,
        entries: keys.map((key) => pin('cert-sha1', key.repeat(40), { at: 'any', list: '0' })),
      },
    ];
    const running = await started({ lists: listed('a', 'b') });
    const lists = listed('b', 'c');
    expect(await running.reload(policy({ queues: [0, 1], hash: 'sha256:01', lists }))).toMatchObject({ generation: 2 });
    const [built] = threads[0]!.setup.policy.tables;
    expect(built).toMatchObject({ kind: 'build', digests: { count: 2 } });
    const edit = { kind: 'edit', table: built!.table, add: ['c'.repeat(40)], remove: ['a'.repeat(40)] };
    const change = { hash: 'sha256:01', policy: null, tables: [edit] };
    for (const thread of threads) expect(thread.received).toEqual([{ kind: 'policy', change, generation: 2 }]);
  });

  it('is done when every thread has it, and not before', async () => {
    const running = await started();
    threads[1]!.hangs = true;
    const reloaded = running.reload(policy({ queues: [0, 1], hash: 'sha256:01' }));
    let isDone = false;
    void reloaded.then(() => (isDone = true));
    await vi.advanceTimersByTimeAsync(1000);
    expect([isDone, told]).toEqual([false, ['READY=1', 'RELOADING=1']]);
    threads[1]!.say({ kind: 'adopted', generation: 1 });
    await vi.advanceTimersByTimeAsync(0);
    expect(isDone).toBe(false);
    threads[1]!.say({ kind: 'adopted', generation: 2 });
    expect(await reloaded).toEqual({ isInForce: true, generation: 2, silent: [] });
  });

  it('names the threads that have not said in time that they have it', async () => {
    const running = await started();
    threads[1]!.hangs = true;
    const reloaded = running.reload(policy({ queues: [0, 1], hash: 'sha256:01' }));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await reloaded).toEqual({ isInForce: true, generation: 2, silent: [1] });
    expect(said.at(-1)).toBe('queues that have not acknowledged it yet: 1');
  });

  it('does not wait for a thread that dies', async () => {
    const running = await started();
    threads[1]!.hangs = true;
    const reloaded = running.reload(policy({ queues: [0, 1], hash: 'sha256:01' }));
    await vi.advanceTimersByTimeAsync(10);
    threads[1]!.emit('exit', 1);
    expect(await reloaded).toMatchObject({ isInForce: true, silent: [1] });
  });

  it('leaves the prober what servers showed, and tells it how to go on', async () => {
    const running = await started();
    threads[0]!.say({ kind: 'probe', id: 1, request: PROBE });
    await running.reload(policy({ queues: [0, 1], probe: { ...policy().probe, atOnce: 1 } }));
    threads[0]!.say({ kind: 'probe', id: 2, request: PROBE });
    expect(probers).toMatchObject([{ closed: 0, policy: { probe: { atOnce: 1 } } }]);
    expect(probers[0]!.questions).toHaveLength(2);
  });

  it('one that comes while another is under way follows it', async () => {
    const running = await started();
    const later = running.reload(policy({ queues: [0, 1], hash: 'sha256:01' }));
    const last = running.reload(policy({ queues: [0, 1], hash: 'sha256:02' }));
    expect(await Promise.all([later, last])).toMatchObject([{ generation: 2 }, { generation: 3 }]);
    expect(running.status().config).toBe('sha256:02');
  });

  it('after the end changes nothing', async () => {
    const running = await started();
    await running.stop();
    expect(await running.reload(policy({ queues: [0, 1], hash: 'sha256:01' }))).toEqual({
      isInForce: false,
      reason: 'tlspin is ending',
    });
  });

  it.each([
    ['queues', { queues: [0, 2] }],
    ['failOpen', { failOpen: true }],
    ['connmark', { connmark: { ...policy().connmark, mask: 0x70000000 } }],
    ['connmark', { onMismatch: { action: 'drop', connmark: { value: 1, mask: 1 } } }],
    ['control', { control: { socket: '/run/x', mode: 0o600 } }],
    ['user', { user: 'tlspin' }],
    ['probe.mark', { probe: { ...policy().probe, mark: 1 } }],
  ] as const)('is refused where %s changed, which takes a restart', async (what, fields) => {
    const running = await started();
    expect(await running.reload(policy({ queues: [0, 1], hash: 'sha256:01', ...fields }))).toEqual({
      isInForce: false,
      reason: `${what} changed, which takes a restart (and new rules)`,
    });
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

  it('closes the prober', async () => {
    const running = await started();
    await running.stop();
    expect(probers).toMatchObject([{ closed: 1 }]);
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

describe('the key log', () => {
  let directory: string;
  let file: string;
  let socket: string;

  beforeEach(() => {
    vi.useRealTimers();
    directory = mkdtempSync(join(tmpdir(), 'tlspin-daemon-'));
    file = join(directory, 'keys');
    socket = join(directory, 'keys.sock');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const secretsOf = (thread: FakeThread): ToQueue[] => thread.received.filter(({ kind }) => kind === 'secrets');
  const arrives = (count = 1) =>
    expect
      .poll(() => threads.map(secretsOf), { timeout: 5000 })
      .toEqual(threads.map(() => Array.from({ length: count }, () => ({ kind: 'secrets', secrets: [SECRET] }))));

  it('reaches every thread', async () => {
    const running = await started({ keylog: { file, socket: null } });
    writeFileSync(file, SECRET_LINE);
    await arrives();
    await running.stop();
  });

  it('that cannot be had fails the start, and leaves no queue bound', async () => {
    const start = daemon({ keylog: { file: join(directory, 'nowhere', 'keys'), socket: null } }).start();
    for (const thread of threads) thread.say({ kind: 'started', route: 'packet-mark' });
    await expect(start).rejects.toThrow(`${join(directory, 'nowhere', 'keys')}: its directory cannot be watched`);
    for (const thread of threads) expect(thread.received).toContainEqual({ kind: 'stop' });
    expect(told).not.toContain('READY=1');
  });

  it('that is a socket is there while the daemon runs', async () => {
    const running = await started({ keylog: { file: null, socket } });
    await expect.poll(() => existsSync(socket)).toBe(true);
    await running.stop();
    expect(existsSync(socket)).toBe(false);
  });

  it('of a new configuration takes the place of the one before', async () => {
    const running = await started({ keylog: { file: null, socket } });
    const keylog = { file, socket: null };
    expect(await running.reload(policy({ queues: [0, 1], keylog }))).toMatchObject({ isInForce: true });
    expect(existsSync(socket)).toBe(false);
    appendFileSync(file, SECRET_LINE);
    await arrives();
    await running.stop();
  });

  it('of a new configuration that cannot be had leaves the one before, and all else', async () => {
    const running = await started({ keylog: { file, socket: null } });
    writeFileSync(socket, 'somebody’s');
    const next = policy({ queues: [0, 1], hash: 'sha256:01', keylog: { file: null, socket } });
    const reason = `key log socket ${socket}: there is a file of that name: remove it`;
    expect(await running.reload(next)).toEqual({ isInForce: false, reason });
    expect(running.status().config).toBe('sha256:00');
    appendFileSync(file, SECRET_LINE);
    await arrives();
    await running.stop();
  });
});
