import { beforeEach, afterEach, describe, expect, it, vi } from 'vitest';

import type { KernelQueue } from '../../../src/source/kernel-queue.ts';
import { QUEUE_LENGTH } from '../../../src/source/nfqueue.ts';
import { Counters } from '../../../src/engine/counters.ts';
import { QueueCounters } from '../../../src/runtime/queue/counters.ts';
import { EachSecond } from '../../../src/runtime/protection/each-second.ts';
import { Losses } from '../../../src/runtime/protection/losses.ts';
import { Protection } from '../../../src/runtime/protection/protection.ts';

let engine: Counters;
let source: { received: number; queueDropped: number; userDropped: number; enobufs: number };
let kernel: { waiting: number; sequence: number };
let limited: number;
let eventsDropped: number;
let failOpen: boolean;
let protection: Protection;
let eachSecond: EachSecond;

beforeEach(() => {
  vi.useFakeTimers();
  engine = new Counters();
  source = { received: 0, queueDropped: 0, userDropped: 0, enobufs: 0 };
  kernel = { waiting: 0, sequence: 0 };
  [limited, eventsDropped, failOpen] = [0, 0, false];
  const counters = new QueueCounters();
  protection = new Protection({ log: { write: () => {} }, say: () => {} });
  const daemon = {
    get policy() {
      return { failOpen };
    },
    status: () => {
      counters.publishEngine({ counters: engine, heldPackets: 0, flows: 0, bufferedBytes: 0 });
      counters.publishSource({ accepted: 0, dropped: 0, verdictErrors: 0, ...source });
      counters.publishEventsDropped(eventsDropped);
      const probes = { failures: { limited } } as never;
      const queues = [{ queue: 3, route: 'verdict', counts: counters.read() }];
      return { config: '', generation: 1, probes, probeOrigins: null, queues };
    },
  };
  const readQueues = () => new Map([[3, kernel as unknown as KernelQueue]]);
  eachSecond = new EachSecond(new Losses({ protection, daemon, readQueues }), protection);
  eachSecond.start();
});
afterEach(() => {
  eachSecond.stop();
  vi.useRealTimers();
});

const pass = (seconds: number) => vi.advanceTimersByTime(seconds * 1000);
const codes = () => protection.conditions.map(({ code, subject }) => `${code} ${subject}`.trim());

describe('within two seconds it is known that', () => {
  it.each([
    ['the queue was full', () => (source.queueDropped += 5), 'queue.full 3'],
    ['its receive buffer was full, as the kernel counts it', () => (source.userDropped += 5), 'queue.buffer 3'],
    ['its receive buffer was full, as the socket says', () => source.enobufs++, 'queue.buffer 3'],
    ['records were never made', () => eventsDropped++, 'log.lost queue 3'],
    ['probes were not made', () => limited++, 'probe.exhausted'],
  ])('%s', (_, happens, code) => {
    pass(1);
    expect(codes()).toEqual([]);
    happens();
    pass(2);
    expect(codes()).toEqual([code]);
    pass(25);
    happens();
    pass(25);
    expect(codes()).toEqual([code]);
    pass(10);
    expect(codes()).toEqual([]);
  });
});

describe('with failOpen', () => {
  beforeEach(() => void (failOpen = true));

  it('a receive buffer that overflows lets packets pass', () => {
    source.enobufs++;
    pass(2);
    expect(codes()).toEqual(['queue.fail-open 3']);
  });

  it('so does a full queue', () => {
    kernel.waiting = QUEUE_LENGTH;
    pass(2);
    expect(codes()).toEqual(['queue.fail-open 3']);
  });
});

describe('a queue is deaf', () => {
  it('when packets enter and none arrives, within four seconds, until one does', () => {
    engine.received++;
    kernel.sequence += 1;
    for (let second = 0; second < 4; second++) {
      kernel.sequence += 2;
      pass(1);
    }
    expect(protection.conditions).toMatchObject([
      { code: 'queue.deaf', detail: expect.stringMatching(/^queue 3: \d+ packets entered/) as string },
    ]);
    engine.received++;
    pass(1);
    expect(codes()).toEqual([]);
  });

  it('not while packets arrive, however many more are under way', () => {
    for (let second = 0; second < 10; second++) {
      kernel.sequence += 1000;
      engine.received++;
      pass(1);
    }
    expect(codes()).toEqual([]);
  });

  it('not while there are none', () => {
    kernel.sequence = engine.received = 7;
    pass(60);
    expect(codes()).toEqual([]);
  });
});
