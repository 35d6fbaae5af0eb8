/**
 * What protection is lacking now. Whoever finds a condition says here what holds of it; what begins and what ends is told
 * once: to the operator, and as a record of the log. Knows no way of finding one, and no control socket.
 *
 *   hold    what holds now of one code, by subject: what is missing is over
 *   notice  something has happened: it holds until that was the last of it for a while, so that nothing flaps
 */
import type { AnomalyEvent, ConditionState } from '../../judge/events.ts';
import { type ConditionCode, CONDITIONS, type Severity } from './conditions.ts';

export interface ProtectionOptions {
  readonly log: { write(events: readonly AnomalyEvent[]): void };
  /** One line to the operator. */
  readonly say: (line: string) => void;
}

export interface Condition {
  readonly code: ConditionCode;
  /** The pinset, list or queue; empty where there is but one. */
  readonly subject: string;
  readonly detail: string;
  readonly since: Date;
  /** Milliseconds on a clock that nobody sets. */
  readonly age: number;
}

/** `starting`: whether it is protected is not known yet. */
export type ProtectionState = 'starting' | 'protected' | Severity;

export class Protection {
  readonly #options: ProtectionOptions;
  readonly #held = new Map<string, Held>();
  #isKnown = false;

  constructor(options: ProtectionOptions) {
    this.#options = options;
  }

  /** The worst first, and then as they began. */
  get conditions(): readonly Condition[] {
    const now = performance.now();
    const all = [...this.#held.values()].map(({ began, ...rest }) => ({ ...rest, age: now - began }));
    return all.sort((a, b) => rankOf(a.code) - rankOf(b.code) || b.age - a.age);
  }

  get state(): ProtectionState {
    const [worst] = this.conditions;
    const state = worst === undefined ? 'protected' : CONDITIONS[worst.code].severity;
    return this.#isKnown || state === 'unprotected' ? state : 'starting';
  }

  /** What is lacking from the start on has been found. */
  know(): void {
    this.#isKnown = true;
  }

  /** All that holds of it: by subject, in words. */
  hold(code: ConditionCode, found: ReadonlyMap<string, string>): void {
    for (const { code: other, subject } of [...this.#held.values()]) {
      if (other === code && !found.has(subject)) this.end(code, subject);
    }
    for (const [subject, detail] of found) this.begin(code, subject, detail);
  }

  /** It holds until its end is told; what holds already is only described anew. */
  begin(code: ConditionCode, subject: string, detail: string): void {
    this.#begin(code, subject, detail, Infinity);
  }

  /** `over`: how it ended, where there is more to say than what it was. */
  end(code: ConditionCode, subject: string, over?: string): void {
    const held = this.#held.get(keyOf(code, subject));
    if (held === undefined) return;
    this.#held.delete(keyOf(code, subject));
    this.#tell(held, 'end', over ?? held.detail);
  }

  /** It has happened, and holds for as many milliseconds. */
  notice(code: ConditionCode, subject: string, detail: string, forMs: number): void {
    this.#begin(code, subject, detail, performance.now() + forMs);
  }

  /** Ends what was noticed long enough ago: to be called each second. */
  look(): void {
    const now = performance.now();
    for (const { code, subject, until } of [...this.#held.values()]) if (until <= now) this.end(code, subject);
  }

  #begin(code: ConditionCode, subject: string, detail: string, until: number): void {
    const key = keyOf(code, subject);
    const known = this.#held.get(key);
    if (known !== undefined) return void this.#held.set(key, { ...known, detail, until });
    const held = { code, subject, detail, until, since: new Date(), began: performance.now() };
    this.#held.set(key, held);
    this.#tell(held, 'begin', detail);
  }

  #tell({ code, began, subject }: Held, state: ConditionState['state'], detail: string): void {
    const { log, say } = this.#options;
    const { severity, mend } = CONDITIONS[code];
    const lasted = `over after ${Math.round((performance.now() - began) / 1000)} s`;
    say(state === 'begin' ? `${WORDS[severity]} (${code}): ${detail}: ${mend}` : `${lasted} (${code}): ${detail}`);
    const condition = { severity, state, subject };
    const time = Date.now() * 1000;
    log.write([{ kind: 'anomaly', time, flowId: 0, client: null, server: null, code, detail, condition }]);
  }
}

interface Held extends Omit<Condition, 'age'> {
  readonly began: number;
  /** When it is over unless it is noticed again. */
  readonly until: number;
}

function keyOf(code: ConditionCode, subject: string): string {
  return `${code} ${subject}`;
}

function rankOf(code: ConditionCode): number {
  return CONDITIONS[code].severity === 'unprotected' ? 0 : 1;
}

const WORDS: Readonly<Record<Severity, string>> = { degraded: 'degraded', unprotected: 'NOT PROTECTED' };
