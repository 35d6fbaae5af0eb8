/**
 * The packet threads as one set: starts one a queue, passes on what they say and ask, tells all of them what they are to
 * know, and ends them. A thread that ends unasked is told of; what follows from that is for others to say.
 */
import type { NamedConnection } from '../../tcp/flow-names.ts';
import type { FlowPage, FlowQuestion } from '../../connection/listing.ts';
import type { EngineMemory } from '../../engine/engine.ts';
import type { FlowEvent } from '../../judge/events.ts';
import type { Prober, ProbeRequest } from '../../judge/ports.ts';
import type { KeptSession } from '../../judge/sessions.ts';
import type { PolicyChange } from '../../pins/match/pack.ts';
import type { HandshakeSecret } from '../../source/key-log.ts';
import type { HandedQueue } from '../../source/nfqueue.ts';
import type { Examiner } from '../examining/examiner.ts';
import type { QueueCounts } from './counters.ts';
import type { FromQueue, QueueSetup, ToQueue } from './messages.ts';
import { Roundup } from './roundup.ts';
import type { WatchedThread } from './thread-watch.ts';
import { Queue, type SpawnQueueThread } from './thread.ts';

/** The prober of all threads. */
export interface SharedProber extends Prober {
  accompany: NonNullable<Prober['accompany']>;
  /** A thread gave that many questions like this one the answer that the last one had. */
  onSpokenFor(request: ProbeRequest, times: number): void;
}

export interface QueuesOptions {
  readonly spawn: SpawnQueueThread;
  /** Whether handshake messages are to be told as they go by. */
  readonly watch: boolean;
  readonly examiner: Pick<Examiner, 'ask' | 'withdraw'>;
  readonly prober: SharedProber;
  readonly onEvents: (events: readonly FlowEvent[], queueNum: number) => void;
  /** A thread has ended that was not told to. */
  readonly onDeath: (error: Error) => void;
  /** One line to the operator. */
  readonly say: (line: string) => void;
}

/** What another process needs to go on with a queue. */
export interface ReleasedQueue {
  readonly handed: HandedQueue;
  readonly memory: EngineMemory;
}

export interface QueueStatus {
  readonly queue: number;
  readonly route: string;
  readonly counts: QueueCounts;
}

export class Queues {
  readonly #options: QueuesOptions;
  readonly #queues: Queue[] = [];
  readonly #adoptions = new Roundup<true>(ADOPTION_PATIENCE_MS);
  readonly #listings = new Roundup<FlowPage>(LISTING_PATIENCE_MS);
  readonly #acceptances = new Roundup<readonly number[]>(LISTING_PATIENCE_MS);
  readonly #sessions = new Roundup<readonly KeptSession[]>(LISTING_PATIENCE_MS);
  readonly #beginnings = new Roundup<true>(HANDING_PATIENCE_MS);
  readonly #releases = new Roundup<ReleasedQueue>(HANDING_PATIENCE_MS);
  #nextListing = 1;

  constructor(options: QueuesOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#queues.length;
  }

  /** How connmarks travel. */
  get routes(): string[] {
    return [...new Set(this.#queues.map(({ route }) => route))];
  }

  /** Resolves when each is bound, or, where it is another process's still, prepared; rejects when one cannot be, once it is known of all. */
  async start(numbers: readonly number[], policy: PolicyChange, isHanded = false): Promise<void> {
    const earliest = firstFlowNumber(Date.now());
    const starts = numbers.map((queueNum, i) => {
      const numbering = { first: earliest + i, step: numbers.length };
      return this.#startQueue(queueNum, { policy, numbering, isHanded });
    });
    try {
      await Promise.all(starts);
    } catch (error) {
      await Promise.allSettled(starts);
      throw error;
    }
  }

  /** Has the threads that are prepared begin; resolves when all have, and `onDeath` tells where one cannot. */
  async begin(handed: ReadonlyMap<number, ReleasedQueue>): Promise<void> {
    const begun = this.#beginnings.ask(0, [...handed.keys()]);
    for (const { queueNum, thread } of this.#queues) {
      const queue = handed.get(queueNum);
      if (queue !== undefined) thread.postMessage({ kind: 'begin', ...queue });
    }
    const missing = handed.size - (await begun).size;
    if (missing > 0) throw new Error(`${missing} of the queues that were handed over cannot be read`);
  }

  /** Has them read no more; resolves with what another process needs to go on, by queue. */
  async release(): Promise<ReadonlyMap<number, ReleasedQueue>> {
    const running = this.#running();
    const asked = this.#releases.ask(0, running);
    this.#broadcast({ kind: 'release' });
    const released = await asked;
    if (released.size < running.length) throw new Error('not every queue could be let go of in time');
    return released;
  }

  resume(): void {
    this.#broadcast({ kind: 'resume' });
  }

  /** Puts a policy into force; resolves with the queues that have not acknowledged it in time. */
  async adopt(change: PolicyChange, generation: number): Promise<number[]> {
    const running = this.#running();
    const adopted = this.#adoptions.ask(generation, running);
    for (const queue of this.#queues) queue.adopting++;
    this.#broadcast({ kind: 'policy', change, generation });
    const acknowledged = await adopted;
    return running.filter((queueNum) => !acknowledged.has(queueNum));
  }

  /** What each queue answers about its flows, by queue; one that does not answer in time is missing. */
  list(question: FlowQuestion): Promise<ReadonlyMap<number, FlowPage>> {
    const id = this.#nextListing++;
    const listed = this.#listings.ask(id, this.#running());
    this.#broadcast({ kind: 'list', id, question });
    return listed;
  }

  /** Of those the ones that a queue has accepted, by their places. */
  async acceptedOf(named: readonly NamedConnection[]): Promise<ReadonlySet<number>> {
    const id = this.#nextListing++;
    const told = this.#acceptances.ask(id, this.#running());
    this.#broadcast({ kind: 'ask-accepted', id, named });
    return new Set([...(await told).values()].flat());
  }

  /** That were given out since the last time that it was asked. */
  async newSessions(): Promise<KeptSession[]> {
    const id = this.#nextListing++;
    const told = this.#sessions.ask(id, this.#running());
    this.#broadcast({ kind: 'ask-sessions', id });
    return [...(await told).values()].flat();
  }

  /** Of another gateway with the same pinsets: nobody knows which queue will have the connection. */
  addSessions(sessions: readonly KeptSession[]): void {
    this.#broadcast({ kind: 'add-sessions', sessions });
  }

  /** What clients logged: nobody knows which queue has the connection. */
  tellSecrets(secrets: readonly HandshakeSecret[]): void {
    this.#broadcast({ kind: 'secrets', secrets });
  }

  status(): QueueStatus[] {
    return this.#queues.map(({ queueNum, route, counters }) => ({ queue: queueNum, route, counts: counters.read() }));
  }

  get threads(): readonly WatchedThread[] {
    return this.#queues;
  }

  /** The thread of that name will hear nothing any more. False where it is none of these. */
  giveUp(name: string, why: string): boolean {
    const queue = this.#queues.find((each) => each.name === name);
    if (queue === undefined) return false;
    queue.isHung = true;
    this.#options.onDeath(new Error(describeDeath(queue.queueNum, why)));
    return true;
  }

  /** Resolves when every held packet is answered and every queue unbound. */
  async stop(): Promise<void> {
    await Promise.all(this.#queues.map(stopQueue));
  }

  #running(): number[] {
    return this.#queues.filter(({ state }) => state === 'running').map(({ queueNum }) => queueNum);
  }

  #startQueue(queueNum: number, setup: Pick<QueueSetup, 'policy' | 'numbering' | 'isHanded'>): Promise<void> {
    const { spawn, watch, onDeath } = this.#options;
    const queue = new Queue(spawn, { ...setup, queueNum, watch });
    this.#queues.push(queue);
    return new Promise((resolve, reject) => {
      let reason: Error | undefined;
      queue.thread.on('message', (message) => {
        if (message.kind === 'started' || message.kind === 'prepared') resolve();
        if (message.kind === 'failed') reason = new Error(message.message);
        this.#onMessage(queue, message);
      });
      queue.thread.on('error', (cause) => {
        reason = new Error(describeDeath(queueNum, `died: ${cause.message}`), { cause });
      });
      queue.thread.on('exit', () => {
        const wasExpected = queue.state === 'stopping';
        queue.state = 'gone';
        this.#adoptions.gone(queueNum);
        this.#listings.gone(queueNum);
        this.#acceptances.gone(queueNum);
        this.#sessions.gone(queueNum);
        this.#beginnings.gone(queueNum);
        this.#releases.gone(queueNum);
        if (wasExpected) return;
        const error = reason ?? new Error(describeDeath(queueNum, 'ended unasked'));
        reject(error);
        onDeath(error);
      });
    });
  }

  #onMessage(queue: Queue, message: FromQueue): void {
    const { examiner, prober, onEvents, say } = this.#options;
    const { thread, queueNum } = queue;
    switch (message.kind) {
      case 'started':
        queue.route = message.route;
        queue.state = 'running';
        return this.#beginnings.answer(0, queueNum, true);
      case 'prepared':
        queue.state = 'prepared';
        return;
      case 'released':
        return this.#releases.answer(0, queueNum, { handed: message.handed, memory: message.memory });
      case 'events':
        onEvents(
          message.events.map((event) => queue.events.unpack(event)),
          queueNum,
        );
        return queue.counters.takeEvents(message.events.length);
      case 'examine':
        return examiner.ask(examinationOf(queue, message.id), message, (facts) =>
          thread.postMessage({ kind: 'facts', id: message.id, facts }),
        );
      case 'withdraw':
        return examiner.withdraw(examinationOf(queue, message.id));
      case 'probe':
        return prober.probe(
          message.request,
          (answer) => thread.postMessage({ kind: 'probed', id: message.id, answer }),
          () => thread.postMessage({ kind: 'probing', id: message.id }),
        );
      case 'accompany':
        return prober.accompany(message.ends, () => thread.postMessage({ kind: 'accompanied', id: message.id }));
      case 'spoken-for':
        return prober.onSpokenFor(message.request, message.times);
      case 'adopted':
        queue.adopting--;
        return this.#adoptions.answer(message.generation, queueNum, true);
      case 'listed':
        return this.#listings.answer(message.id, queueNum, message.page);
      case 'told-accepted':
        return this.#acceptances.answer(message.id, queueNum, message.places);
      case 'told-sessions':
        return this.#sessions.answer(message.id, queueNum, message.sessions);
      case 'trouble':
        return say(message.message);
      case 'stopped':
        queue.state = 'stopping';
        return;
      case 'failed':
        return; // the thread ends now, which is where the reason is used
      default:
        message satisfies never;
    }
  }

  #broadcast(message: ToQueue): void {
    for (const { thread } of this.#queues) thread.postMessage(message);
  }
}

/** No run has had it, as far as the time of day goes on, and makes no more flows a millisecond than that for long. */
function firstFlowNumber(now: number): number {
  return Math.max(0, now - FLOWS_COUNT_FROM) * FLOWS_A_MILLISECOND + 1;
}

/** Queues number their questions each for itself. */
function examinationOf({ queueNum }: Queue, id: number): string {
  return `${queueNum} ${id}`;
}

async function stopQueue(queue: Queue): Promise<void> {
  if (queue.state === 'gone') return;
  const gone = new Promise((resolve) => queue.thread.on('exit', resolve));
  const isListening = queue.state === 'running' && !queue.isHung;
  queue.state = 'stopping';
  if (!isListening) return void (await queue.thread.terminate());
  queue.thread.postMessage({ kind: 'stop' });
  const patience = setTimeout(() => void queue.thread.terminate(), STOP_PATIENCE_MS);
  await gone;
  clearTimeout(patience);
}

function describeDeath(queueNum: number, why: string): string {
  return `the thread of queue ${queueNum} ${why}; until tlspin runs again its packets are dropped, or pass where the rules have --queue-bypass`;
}

const STOP_PATIENCE_MS = 5000;
/** A thread takes a policy between two batches; it builds indexes of whatever lists there are. */
const ADOPTION_PATIENCE_MS = 10_000;
const HANDING_PATIENCE_MS = 5000;
const LISTING_PATIENCE_MS = 2000;
const FLOWS_COUNT_FROM = Date.UTC(2025, 0, 1);
const FLOWS_A_MILLISECOND = 256;
