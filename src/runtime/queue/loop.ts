/**
 * One queue's life in its thread: source and engine joined, the engine's clock wound, events and counters passed on.
 * Knows the wire to the main thread as a port, so that it runs without threads too.
 *
 *   batch -> engine -> verdicts, events, counters        message -> policy, answers, secrets, stop
 *   pulse, each second: what times out, the kernel's counters, a heartbeat
 *   while packets are held: the engine is asked every few milliseconds what is due, more seldom as long as it says that
 *   nothing will be soon, and at once what has a moment of its own
 */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Engine, EngineMemory } from '../../engine/engine.ts';
import type { EventSink } from '../../judge/events.ts';
import type { ChainExaminer, KeylogSource, Prober } from '../../judge/ports.ts';
import type { PacketSink, PacketSource, VerdictSink } from '../../packet/source.ts';
import type { PacketBatch } from '../../packet/batch.ts';
import type { HandedQueue } from '../../source/nfqueue.ts';
import type { PolicyChange } from '../../pins/match/pack.ts';
import { KeyLogStore } from '../../source/key-log-store.ts';
import { collectSoon } from '../garbage.ts';
import type { QueueCounters } from './counters.ts';
import { EventOutbox } from '../events/outbox.ts';
import type { FromQueue, Port, ToQueue } from './messages.ts';
import { Punctual } from './punctual.ts';
import { RemoteExaminer } from '../examining/remote-examiner.ts';
import type { RecallTerms } from '../probing/recent-answers.ts';
import { RemoteProber } from '../probing/remote-prober.ts';

/** What the engine is given of this thread. */
export interface EngineParts {
  readonly verdicts: VerdictSink;
  readonly events: EventSink;
  readonly examiner: ChainExaminer;
  readonly prober: Prober;
  /** Always there, so that any policy may come to use it. */
  readonly keylog: KeylogSource;
}

/** As much of the engine as is used here. */
export type DrivenEngine = Pick<
  Engine,
  | 'onBatch'
  | 'tick'
  | 'changePolicy'
  | 'holdsNew'
  | 'unsettled'
  | 'keep'
  | 'restore'
  | 'finish'
  | 'list'
  | 'acceptedOf'
  | 'newSessions'
  | 'addSessions'
  | 'dueIn'
  | 'leaveDue'
  | 'heldPackets'
  | 'waits'
  | 'flows'
  | 'bufferedBytes'
  | 'counters'
>;

/** One whose queue can go from process to process. */
export interface QueueSource extends PacketSource {
  start(sink: PacketSink, handed?: HandedQueue): Promise<void>;
  pause(): HandedQueue;
  resume(): void;
}

export interface QueueLoopOptions {
  readonly source: QueueSource;
  /** The policy's limit of that name. */
  readonly logBacklog: number;
  /** Of the configuration: how probes' answers are remembered. */
  readonly probe: RecallTerms;
  readonly port: Port<FromQueue>;
  readonly counters: QueueCounters;
  readonly createEngine: (parts: EngineParts) => DrivenEngine;
}

export class QueueLoop implements PacketSink {
  readonly #source: QueueSource;
  readonly #port: Port<FromQueue>;
  readonly #counters: QueueCounters;
  readonly #outbox: EventOutbox;
  readonly #examiner: RemoteExaminer;
  readonly #prober: RemoteProber;
  readonly #keylog = new KeyLogStore();
  readonly #engine: DrivenEngine;
  readonly #punctual = new Punctual(() => this.#onMoment());
  #logBacklog: number;
  #pulse: NodeJS.Timeout | undefined;
  #due: NodeJS.Timeout | undefined;
  #stopped = false;
  /** Pinsets since the last collection that was asked for. */
  #replaced = 0;
  /** The queue is to be another process's. */
  #isReleasing = false;

  constructor({ source, logBacklog, probe, port, counters, createEngine }: QueueLoopOptions) {
    this.#source = source;
    this.#port = port;
    this.#counters = counters;
    this.#logBacklog = logBacklog;
    this.#outbox = new EventOutbox(port, counters, () => this.#logBacklog);
    this.#examiner = new RemoteExaminer(port);
    this.#prober = new RemoteProber(port, probe);
    this.#engine = createEngine({
      verdicts: source,
      events: this.#outbox,
      examiner: this.#examiner,
      prober: this.#prober,
      keylog: this.#keylog,
    });
  }

  /** Binds the queue, or takes what was handed over. Throws what the source throws. */
  async start(handed?: HandedQueue, memory?: EngineMemory): Promise<void> {
    if (memory !== undefined) this.#engine.restore(memory);
    await this.#source.start(this, handed);
    this.#pulse = setInterval(() => this.#onPulse(), PULSE_MS);
  }

  onBatch(batch: PacketBatch): void {
    this.#engine.onBatch(batch);
    this.#settle();
  }

  onSourceError(error: Error): void {
    this.#port.postMessage({ kind: 'trouble', message: error.message });
  }

  /** Ends the thread: a queue that nobody reads would only fill. */
  onSourceLost(error: Error): void {
    throw error;
  }

  async onMessage(message: ToQueue): Promise<void> {
    switch (message.kind) {
      case 'policy':
        this.#logBacklog = message.change.policy?.limits.logBacklog ?? this.#logBacklog;
        this.#prober.forget(message.change.policy?.probe);
        this.#engine.changePolicy(message.change);
        this.#settle();
        this.#collectBehind(message.change);
        return this.#port.postMessage({ kind: 'adopted', generation: message.generation });
      case 'list':
        return this.#port.postMessage({ kind: 'listed', id: message.id, page: this.#engine.list(message.question) });
      case 'ask-accepted': {
        const places = this.#engine.acceptedOf(message.named);
        return this.#port.postMessage({ kind: 'told-accepted', id: message.id, places });
      }
      case 'ask-sessions':
        return this.#port.postMessage({
          kind: 'told-sessions',
          id: message.id,
          sessions: this.#engine.newSessions(),
        });
      case 'add-sessions':
        return this.#engine.addSessions(message.sessions);
      case 'facts':
        this.#examiner.answer(message.id, message.facts);
        return this.#settle();
      case 'probing':
        this.#prober.onConnected(message.id);
        return this.#settle();
      case 'accompanied':
        this.#prober.onAccompanied(message.id);
        return this.#settle();
      case 'probed':
        this.#prober.answer(message.id, message.answer);
        return this.#settle();
      case 'secrets':
        for (const secret of message.secrets) this.#keylog.add(secret);
        return this.#settle();
      case 'begin':
        return this.start(message.handed, message.memory);
      case 'release':
        return this.#release();
      case 'resume':
        this.#engine.holdsNew = false;
        this.#isReleasing = false;
        return this.#source.resume();
      case 'stop':
        return this.#stop();
      default:
        message satisfies never;
    }
  }

  /**
   * What is under way may come to its end, and nothing new begins, for less than the second after which clients repeat
   * their SYNs. What is left is forgotten: its mark says that it is undecided.
   */
  async #release(): Promise<void> {
    this.#engine.holdsNew = true;
    this.#isReleasing = true;
    this.#prober.letGo();
    const deadline = performance.now() + DRAIN_MS;
    while (this.#engine.unsettled > 0 && performance.now() < deadline) await sleep(HELD_TICK_MS);
    if (this.#stopped || !this.#isReleasing) return;
    const handed = this.#source.pause();
    const memory = this.#engine.keep();
    this.#engine.finish();
    this.#settle();
    this.#outbox.flush();
    this.#port.postMessage({ kind: 'released', handed, memory });
  }

  async #stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#pulse);
    this.#prober.letGo();
    this.#engine.finish();
    this.#settle();
    this.#outbox.flush();
    clearTimeout(this.#due);
    this.#counters.publishSource(this.#source.stats());
    await this.#source.stop();
    this.#port.postMessage({ kind: 'stopped' });
  }

  #onPulse(): void {
    this.#prober.tick();
    this.#engine.tick();
    this.#settle();
    this.#counters.publishSource(this.#source.stats());
    this.#counters.beat();
  }

  #onDue(): void {
    this.#due = undefined;
    const isSoon = this.#engine.tick() < SOON_MS * 1000;
    if (this.#engine.waits && !isSoon) this.#askAgain(SELDOM_MS);
    this.#settle();
  }

  #onMoment(): void {
    this.#engine.leaveDue();
    this.#settle();
  }

  /** Few pinsets leave too little behind for a collection: it stops the thread, if for less than taking them over does. */
  #collectBehind({ policy }: PolicyChange): void {
    this.#replaced += policy?.pinsets.filter((pinset) => pinset !== null).length ?? 0;
    if (this.#replaced < MANY_PINSETS) return;
    this.#replaced = 0;
    collectSoon();
  }

  /** After anything that the engine did. */
  #settle(): void {
    this.#counters.publishEngine(this.#engine);
    this.#counters.publishEventsDropped(this.#outbox.dropped);
    this.#punctual.in(this.#stopped ? Infinity : this.#engine.dueIn);
    if (this.#engine.waits) this.#askAgain(HELD_TICK_MS);
  }

  #askAgain(ms: number): void {
    if (!this.#stopped) this.#due ??= setTimeout(() => this.#onDue(), ms);
  }
}

const DRAIN_MS = 300;
const PULSE_MS = 1000;
const MANY_PINSETS = 1_000;
/** How late a held packet's deadline may be noticed; the shortest deadline is the limit `heldAheadTime`, 30 ms. */
const HELD_TICK_MS = 5;
/** No later where nothing is due sooner than that: what begins to wait meanwhile has as long itself, unless limits are set shorter. */
const SOON_MS = 30;
const SELDOM_MS = SOON_MS - HELD_TICK_MS;
