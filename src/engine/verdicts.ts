/** Gives packets their verdicts and counts them, under the configuration in force. Knows no flow. */
import type { Answers } from '../connection/answers.ts';
import { Marks } from '../connection/marks.ts';
import { NF_ACCEPT, NF_DROP } from '../packet/batch.ts';
import type { MarkChange, PassingFlow, VerdictSink } from '../packet/source.ts';
import type { LimitName, Limits } from '../pins/limits.ts';
import type { PinsetSnapshot } from '../pins/match/snapshot.ts';
import type { Counters } from './counters.ts';

export interface VerdictsOptions {
  readonly verdicts: VerdictSink;
  /** False for captures: what is refused is counted, and passes. */
  readonly live: boolean;
}

export class Verdicts implements Answers {
  readonly counters: Counters;
  readonly #options: VerdictsOptions;
  #snapshot: PinsetSnapshot;
  #marks: Marks;
  #held = 0;
  /** Of packets without a verdict, those of which somebody wants to know when they leave. */
  readonly #watched = new Map<number, () => void>();

  constructor(options: VerdictsOptions, counters: Counters, snapshot: PinsetSnapshot) {
    this.#options = options;
    this.counters = counters;
    this.#snapshot = snapshot;
    this.#marks = new Marks(snapshot.policy.connmark);
  }

  get snapshot(): PinsetSnapshot {
    return this.#snapshot;
  }

  get limits(): Limits {
    return this.#snapshot.policy.limits;
  }

  get marks(): Marks {
    return this.#marks;
  }

  /** Packets that wait now. */
  get held(): number {
    return this.#held;
  }

  /** Another configuration is in force from now on. */
  adopt(snapshot: PinsetSnapshot): void {
    this.#snapshot = snapshot;
    this.#marks = new Marks(snapshot.policy.connmark);
  }

  /** `left` is called when it has left, in whatever form, and not where it is dropped. */
  watch(packetId: number, left: () => void): void {
    this.#watched.set(packetId, left);
  }

  accept(packetId: number, connmark?: MarkChange): void {
    this.counters.accepted++;
    this.#tell(packetId);
    this.#options.verdicts.verdict(packetId, NF_ACCEPT, connmark === undefined ? undefined : { connmark });
  }

  /** Of a capture: the flow's next ones need not come. */
  pass(packetId: number, passing: PassingFlow): void {
    this.counters.accepted++;
    this.#options.verdicts.verdict(packetId, NF_ACCEPT, { passing });
  }

  drop(packetId: number, connmark?: MarkChange): void {
    this.counters.dropped++;
    this.#watched.delete(packetId);
    this.#options.verdicts.verdict(packetId, NF_DROP, connmark === undefined ? undefined : { connmark });
  }

  replace(packetId: number, payload: Uint8Array, connmark?: MarkChange): void {
    this.counters.accepted++;
    this.counters.rewritten++;
    this.#tell(packetId);
    this.#options.verdicts.verdict(packetId, NF_ACCEPT, connmark === undefined ? { payload } : { payload, connmark });
  }

  refuse(code: string, packetId: number): void {
    this.counters.refuse(code);
    if (this.#options.live) this.drop(packetId);
    else this.accept(packetId);
  }

  mayHold(): boolean {
    return this.#held < this.limits.heldPacketsQueue;
  }

  get hasRoom(): boolean {
    return this.#held < this.limits.heldPacketsQueue / 4;
  }

  onHeld(): void {
    this.#held++;
    this.counters.held++;
  }

  onReleased(count: number): void {
    this.#held -= count;
  }

  onOneArmed(): void {
    this.counters.oneArmed++;
  }

  count(limit: LimitName): void {
    this.counters.reach(limit);
  }

  #tell(packetId: number): void {
    if (this.#watched.size === 0) return;
    const left = this.#watched.get(packetId);
    if (left === undefined) return;
    this.#watched.delete(packetId);
    left();
  }
}
