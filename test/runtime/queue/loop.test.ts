import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { Counters } from '../../../src/engine/counters.ts';
import type { FlowPage, FlowQuestion } from '../../../src/connection/listing.ts';
import type { EngineMemory } from '../../../src/engine/engine.ts';
import type { ChainFacts, ProbeAnswer } from '../../../src/judge/ports.ts';
import type { KeptSession } from '../../../src/judge/sessions.ts';
import type { PacketSink } from '../../../src/packet/source.ts';
import { FIELD, NF_ACCEPT, NF_DROP, type PacketBatch } from '../../../src/packet/batch.ts';
import { PROBE_DEFAULTS } from '../../../src/pins/probe.ts';
import type { PolicyChange } from '../../../src/pins/match/pack.ts';
import type { NamedConnection } from '../../../src/tcp/flow-names.ts';
import { QueueCounters } from '../../../src/runtime/queue/counters.ts';
import type { FromQueue } from '../../../src/runtime/queue/messages.ts';
import { type DrivenEngine, type EngineParts, QueueLoop, type QueueSource } from '../../../src/runtime/queue/loop.ts';
import { ANSWER, BY, DATED, EVENT, FACTS, PROBE, REQUEST } from '../../support/queue-messages.ts';

/** Within which events are gathered. */
const EVENTS_MS = 25;
const MEMORY: EngineMemory = { config: 'sha256:00', settled: [], sessions: [] };
const secret = (octet: number) => ({
  clientRandom: new Uint8Array(32).fill(octet),
  secret: new Uint8Array(32).fill(1),
});

/** Accepts even packet ids, holds odd ones until `finish` or until a tick says that they are due. */
class HoldingEngine implements DrivenEngine {
  readonly counters = new Counters();
  readonly flows = 1;
  readonly held: number[] = [];
  readonly changes: PolicyChange[] = [];
  readonly facts: ChainFacts[] = [];
  readonly answers: ProbeAnswer[] = [];
  connected = 0;
  readonly secrets: (number | undefined)[] = [];
  ticks = 0;
  /** Microseconds, as a tick says them. */
  next = 0;
  holdsNew = false;
  unsettled = 0;
  restored: EngineMemory | undefined;
  readonly #parts: EngineParts;

  constructor(parts: EngineParts) {
    this.#parts = parts;
    parts.keylog.onSecret((clientRandom) => {
      this.secrets.push(clientRandom[0]);
      parts.events.emit(EVENT);
    });
  }

  get keylog() {
    return this.#parts.keylog;
  }

  ask(): void {
    const onAnswer = (answer: ProbeAnswer) => {
      this.answers.push(answer);
      this.#parts.events.emit(EVENT);
    };
    this.#parts.prober.probe(PROBE, onAnswer, () => void this.connected++);
  }

  readonly bufferedBytes = 0;

  /** Those with an even name of conntrack's. */
  acceptedOf(named: readonly NamedConnection[]): number[] {
    return named.flatMap(({ id }, place) => (id % 2 === 0 ? place : []));
  }

  keep(): EngineMemory {
    return MEMORY;
  }

  readonly sessions: KeptSession[] = [];

  newSessions(): KeptSession[] {
    return this.sessions.splice(0);
  }

  addSessions(sessions: readonly KeptSession[]): void {
    this.sessions.push(...sessions);
  }

  restore(memory: EngineMemory): void {
    this.restored = memory;
  }

  get heldPackets(): number {
    return this.held.length;
  }

  readonly dueIn = Infinity;
  leaveDue(): void {}

  get waits(): boolean {
    return this.held.length > 0;
  }

  onBatch({ words, count }: PacketBatch): void {
    for (let i = 0; i < count; i++) {
      const id = words[i * FIELD.ROW + FIELD.packetId]!;
      this.counters.received++;
      if (id % 2 === 1) this.held.push(id);
      else this.#parts.verdicts.verdict(id, NF_ACCEPT);
    }
    this.#parts.events.emit(EVENT);
    const onFacts = (facts: ChainFacts) => {
      this.facts.push(facts);
      this.#parts.events.emit(EVENT);
    };
    this.#parts.examiner.examine(REQUEST, onFacts, BY);
    this.#parts.verdicts.flush();
  }

  tick(): number {
    this.ticks++;
    return this.next;
  }

  changePolicy(change: PolicyChange): void {
    this.changes.push(change);
  }

  list({ after }: FlowQuestion): FlowPage {
    return { flows: [], more: after === 7 };
  }

  finish(): void {
    for (const id of this.held.splice(0)) this.#parts.verdicts.verdict(id, NF_DROP);
    this.#parts.events.emit(EVENT);
    this.#parts.verdicts.flush();
  }
}

class RecordingSource implements QueueSource {
  sink: PacketSink | undefined;
  readonly log: string[] = [];
  async start(sink: PacketSink): Promise<void> {
    this.sink = sink;
  }
  async stop(): Promise<void> {
    this.log.push('stop');
  }
  verdict(packetId: number, verdict: number): void {
    this.log.push(`${packetId} ${verdict === NF_ACCEPT ? 'accept' : 'drop'}`);
  }
  flush(): void {
    this.log.push('flush');
  }
  pause() {
    this.log.push('pause');
    return { descriptor: 7, conntrack: true };
  }
  resume(): void {
    this.log.push('resume');
  }
  stats() {
    return { received: 0, accepted: 0, dropped: 0, queueDropped: 3, userDropped: 0, enobufs: 0, verdictErrors: 0 };
  }
  deliver(...ids: number[]): void {
    const words = new Uint32Array(ids.length * FIELD.ROW);
    ids.forEach((id, i) => (words[i * FIELD.ROW + FIELD.packetId] = id));
    this.sink!.onBatch({ slab: Buffer.alloc(0), words, count: ids.length });
  }
}

let source: RecordingSource;
let engine: HoldingEngine;
let counters: QueueCounters;
let posted: FromQueue[];
let loop: QueueLoop;

beforeEach(async () => {
  vi.useFakeTimers();
  source = new RecordingSource();
  counters = new QueueCounters();
  posted = [];
  loop = new QueueLoop({
    source,
    logBacklog: 10_000,
    probe: PROBE_DEFAULTS,
    port: { postMessage: (message) => posted.push(message) },
    counters,
    createEngine: (parts) => (engine = new HoldingEngine(parts)),
  });
  await loop.start();
});
afterEach(() => void vi.useRealTimers());

it('a batch ends with its verdicts sent, and the counters published; its events follow', () => {
  source.deliver(2, 4);
  expect(source.log).toEqual(['2 accept', '4 accept', 'flush']);
  expect(posted).toEqual([{ kind: 'examine', id: 1, request: REQUEST, client: BY.client, server: BY.server }]);
  expect(counters.read()).toMatchObject({ received: 2, heldNow: 0 });
  vi.advanceTimersByTime(EVENTS_MS);
  expect(posted.slice(1)).toEqual([{ kind: 'events', events: [EVENT] }]);
});

it('the events of some milliseconds go as one message, and no message has too many', () => {
  for (let i = 0; i < 100; i++) source.deliver(2);
  const sizes = () => posted.map((message) => (message.kind === 'events' ? message.events.length : 0));
  expect(sizes().filter(Boolean)).toEqual([64]);
  vi.advanceTimersByTime(EVENTS_MS);
  expect(sizes().filter(Boolean)).toEqual([64, 36]);
});

it('an answer from the examiner reaches the question, once', async () => {
  source.deliver(2);
  vi.advanceTimersByTime(EVENTS_MS);
  posted.length = 0;
  await loop.onMessage({ kind: 'facts', id: 1, facts: DATED });
  await loop.onMessage({ kind: 'facts', id: 1, facts: DATED });
  expect(engine.facts).toEqual([FACTS]);
  vi.advanceTimersByTime(EVENTS_MS);
  expect(posted).toEqual([{ kind: 'events', events: [EVENT] }]);
});

it('a question for the prober goes out, and its answer reaches it, once', async () => {
  engine.ask();
  engine.ask();
  expect(posted).toEqual([
    { kind: 'probe', id: 1, request: PROBE },
    { kind: 'probe', id: 2, request: PROBE },
  ]);
  posted.length = 0;
  await loop.onMessage({ kind: 'probing', id: 2 });
  await loop.onMessage({ kind: 'probing', id: 2 });
  expect(engine.connected).toBe(1);
  await loop.onMessage({ kind: 'probed', id: 2, answer: ANSWER });
  await loop.onMessage({ kind: 'probed', id: 2, answer: ANSWER });
  await loop.onMessage({ kind: 'facts', id: 1, facts: DATED });
  expect(engine.answers).toEqual([ANSWER]);
  vi.advanceTimersByTime(EVENTS_MS);
  expect(posted).toEqual([{ kind: 'events', events: [EVENT] }]);
});

it('secrets are told to the engine, and kept for it', async () => {
  await loop.onMessage({ kind: 'secrets', secrets: [secret(1), secret(2)] });
  expect(engine.secrets).toEqual([1, 2]);
  expect(engine.keylog.secretFor(secret(2).clientRandom)).toEqual(secret(2).secret);
  vi.advanceTimersByTime(EVENTS_MS);
  expect(posted).toEqual([{ kind: 'events', events: [EVENT, EVENT] }]);
});

it('the engine is asked often while packets are held, and each second otherwise', () => {
  vi.advanceTimersByTime(10_000);
  expect(engine.ticks).toBe(10);
  source.deliver(1);
  vi.advanceTimersByTime(100);
  expect(engine.ticks).toBeGreaterThanOrEqual(10 + 10);
  engine.held.length = 0;
  vi.advanceTimersByTime(20);
  const before = engine.ticks;
  vi.advanceTimersByTime(900);
  expect(engine.ticks).toBeLessThanOrEqual(before + 1);
});

it('the engine is asked more seldom, and none too late, while nothing is due soon', () => {
  source.deliver(1);
  vi.advanceTimersByTime(5);
  engine.next = 200_000;
  vi.advanceTimersByTime(5);
  const before = engine.ticks;
  vi.advanceTimersByTime(100);
  expect(engine.ticks).toBe(before + 4);
  engine.next = 29_999;
  vi.advanceTimersByTime(25);
  const then = engine.ticks;
  vi.advanceTimersByTime(25);
  expect(engine.ticks).toBe(then + 5);
});

it('each second the kernel is asked for its losses, and the heart beats', () => {
  vi.advanceTimersByTime(2000);
  expect(counters.read()).toMatchObject({ queueDropped: 3, heartbeats: 2 });
});

it('a new policy reaches the engine, and is acknowledged by its generation', async () => {
  const change: PolicyChange = { hash: 'sha256:01', policy: null, tables: [] };
  await loop.onMessage({ kind: 'policy', change, generation: 4 });
  expect(engine.changes).toEqual([change]);
  expect(posted).toEqual([{ kind: 'adopted', generation: 4 }]);
});

it("a question about flows is answered under the question's number", async () => {
  const question = { after: 7, limit: 1, filter: {}, detailed: false };
  await loop.onMessage({ kind: 'list', id: 3, question });
  expect(posted).toEqual([{ kind: 'listed', id: 3, page: { flows: [], more: true } }]);
});

it('who was accepted is answered in the same way', async () => {
  const of = { client: new Uint8Array(4), clientPort: 1, server: new Uint8Array(4), serverPort: 443 };
  await loop.onMessage({ kind: 'ask-accepted', id: 5, named: [3, 4].map((id) => ({ id, ...of })) });
  expect(posted).toEqual([{ kind: 'told-accepted', id: 5, places: [1] }]);
});

it('sessions of the other gateway of a pair are remembered, and news of them told', async () => {
  const session: KeptSession = { key: '00', pinsets: ['a'], left: 1, dateMs: null };
  await loop.onMessage({ kind: 'add-sessions', sessions: [session] });
  await loop.onMessage({ kind: 'ask-sessions', id: 6 });
  expect(posted).toEqual([{ kind: 'told-sessions', id: 6, sessions: [session] }]);
});

it("the source's troubles are passed on", () => {
  source.sink!.onSourceError!(new Error('netlink receive: queue 1: ENOBUFS'));
  expect(posted).toEqual([{ kind: 'trouble', message: 'netlink receive: queue 1: ENOBUFS' }]);
});

it('a source that has lost its socket ends the thread, and says why', () => {
  const error = new Error('netlink receive: queue 1: EBADF');
  expect(() => source.sink!.onSourceLost!(error)).toThrow(error);
});

it('stop answers what is held, then unbinds, then says so; no timer is left', async () => {
  source.deliver(1, 3);
  vi.advanceTimersByTime(EVENTS_MS);
  source.log.length = 0;
  posted.length = 0;
  await loop.onMessage({ kind: 'stop' });
  await loop.onMessage({ kind: 'stop' });
  expect(source.log).toEqual(['1 drop', '3 drop', 'flush', 'stop']);
  expect(posted).toEqual([{ kind: 'events', events: [EVENT] }, { kind: 'stopped' }]);
  expect(vi.getTimerCount()).toBe(0);
});

it('lets go of its queue once what is under way is settled: nothing new begins, nothing is read, nothing is left held', async () => {
  source.deliver(3);
  engine.unsettled = 1;
  const released = loop.onMessage({ kind: 'release' });
  await vi.advanceTimersByTimeAsync(20);
  expect(engine.holdsNew).toBe(true);
  expect(source.log).not.toContain('pause');
  engine.unsettled = 0;
  await vi.advanceTimersByTimeAsync(20);
  await released;
  expect(source.log.slice(source.log.indexOf('pause'))).toEqual(['pause', '3 drop', 'flush']);
  const handed = { descriptor: 7, conntrack: true };
  expect(posted.at(-1)).toEqual({ kind: 'released', handed, memory: MEMORY });
});

it('lets go of it though something stays under way', async () => {
  engine.unsettled = 1;
  const released = loop.onMessage({ kind: 'release' });
  await vi.advanceTimersByTimeAsync(1000);
  await released;
  expect(posted.at(-1)).toMatchObject({ kind: 'released' });
});

it('goes on where nobody has taken it, however far it was', async () => {
  engine.unsettled = 1;
  const released = loop.onMessage({ kind: 'release' });
  await loop.onMessage({ kind: 'resume' });
  await vi.advanceTimersByTimeAsync(1000);
  await released;
  expect(engine.holdsNew).toBe(false);
  expect(source.log).toEqual(['resume']);
});

it('remembers what was handed over with the queue, ahead of its first packet', async () => {
  await loop.onMessage({ kind: 'begin', handed: { descriptor: 9, conntrack: false }, memory: MEMORY });
  expect(engine.restored).toBe(MEMORY);
});
