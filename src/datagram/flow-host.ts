/**
 * What the conversations of one flow of datagrams ask of the engine: its configuration, the answers to what waited, and
 * the records of what was decided. Knows whose flow it is, not what is said in it.
 */
import type { LimitName, Limits } from '../pins/limits.ts';
import type { PinsetSnapshot } from '../pins/match/snapshot.ts';
import type { ConversationHost, Told } from './conversation.ts';
import type { FlowIdentity } from './flow.ts';
import type { DatagramVerdict, HeldDatagram } from './packet.ts';
import { datagramEvent } from './record.ts';
import type { FlowFacts } from '../judge/facts.ts';
import type { Answers } from '../connection/answers.ts';
import type { Surroundings } from '../connection/surroundings.ts';
import type { ChainExaminer, ProofVerifier } from '../judge/ports.ts';
import type { Clock } from '../packet/source.ts';
import { isOfNoPinset, type Ruling } from '../judge/ruling.ts';

/** What all flows share. */
export interface SharedByFlows {
  readonly options: Surroundings;
  readonly host: Answers;
  /** The engine's clock, for datagrams. */
  readonly clock: Clock;
}

export class DatagramFlowHost implements ConversationHost {
  readonly #shared: SharedByFlows;
  readonly #identity: FlowIdentity;
  #isAnswering = false;

  constructor(shared: SharedByFlows, identity: FlowIdentity) {
    this.#shared = shared;
    this.#identity = identity;
  }

  get live(): boolean {
    return this.#shared.options.live;
  }

  get snapshot(): PinsetSnapshot {
    return this.#shared.host.snapshot;
  }

  get limits(): Limits {
    return this.#shared.host.limits;
  }

  get subject(): FlowIdentity['subject'] {
    return this.#identity.subject;
  }

  get examiner(): ChainExaminer {
    return this.#shared.options.examiner;
  }

  get proves(): ProofVerifier {
    return this.#shared.options.proves;
  }

  now(): number {
    return this.#shared.clock.now();
  }

  dateMs(): number {
    return this.#shared.clock.wallTime() / 1000;
  }

  count(limit: LimitName): void {
    this.#shared.host.count(limit);
  }

  mayHold(): boolean {
    return this.#shared.host.mayHold();
  }

  release({ packetId, emptied }: HeldDatagram, verdict: Exclude<DatagramVerdict, 'hold'>): void {
    const { host, options } = this.#shared;
    host.onReleased(1);
    if (verdict === 'accept') host.accept(packetId);
    else if (verdict === 'drop') host.drop(packetId);
    else host.replace(packetId, emptied, host.marks.deny(null));
    // An answer from outside comes at any time.
    if (this.#isAnswering) return;
    this.#isAnswering = true;
    queueMicrotask(() => {
      this.#isAnswering = false;
      options.verdicts.flush();
    });
  }

  report(told: Told): void {
    const { options, host, clock } = this.#shared;
    const { live, events } = options;
    const { policy } = host.snapshot;
    if (live && !policy.log.unpinned && told.isDecided && isOfNoPinset(told.ruling)) return;
    const marks = live ? host.marks : undefined;
    const record = { ...told, identity: this.#identity, config: policy.hash, marks, time: clock.wallTime() };
    events.emit(datagramEvent(record));
  }

  onContinued(ruling: Ruling, facts: FlowFacts): void {
    const { options, host, clock } = this.#shared;
    const config = host.snapshot.policy.hash;
    const told = { kind: 'dtls', ruling, isDecided: true, facts, proven: true } as const;
    const record = { ...told, identity: this.#identity, config, marks: host.marks, time: clock.wallTime() };
    options.events.emit({ kind: 'continued', verdict: datagramEvent(record) });
  }
}
