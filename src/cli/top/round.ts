/**
 * What a running tlspin says of itself at one moment, in the fields of the control socket that the view shows; and how
 * often something happened between two of those moments, a restart between them included. Knows no sockets.
 */
import type { StatusAnswer } from '../../runtime/control/status.ts';

/** Answers as they came, with when they did. */
export interface Round {
  /** Milliseconds since the epoch, for people. */
  readonly time: number;
  /** Milliseconds of a clock that nobody sets, for rates. */
  readonly at: number;
  readonly status: StatusAnswer;
  readonly stats: StatsAnswer;
  readonly flows: readonly FlowAnswer[];
  /** Whether there are more flows than were asked for. */
  readonly hasMoreFlows: boolean;
  /** The latest first. */
  readonly verdicts: readonly VerdictAnswer[];
  /** Queues that did not answer in time. */
  readonly silent: readonly number[];
}

export type Counts = Readonly<Record<string, number>>;

export interface StatsAnswer {
  readonly packets: PacketCounts;
  /** By `action reason`. */
  readonly verdicts: Counts;
  readonly anomalies: number;
  /** Without its failures, all numbers. */
  readonly probes: (Counts & { readonly failures: unknown }) | null;
  /** Octets. */
  readonly memory: number;
  readonly queues: readonly (PacketCounts & { readonly queue: number })[];
}

export interface PacketCounts {
  readonly received: number;
  readonly accepted: number;
  readonly dropped: number;
}

export interface FlowAnswer {
  readonly flow_id: number;
  readonly src_ip: string;
  readonly src_port: number;
  readonly dest_ip: string;
  readonly dest_port: number;
  readonly phase: string;
  readonly sni: string | null;
  readonly pinsets: readonly string[] | null;
  readonly action: string | null;
  readonly reason: string | null;
  readonly waits: boolean;
  readonly held: number;
  readonly age_ms: number;
}

/** As in the log. */
export interface VerdictAnswer {
  readonly flow_id: number;
  readonly timestamp: string;
  readonly src_ip: string;
  readonly src_port: number;
  readonly dest_ip: string;
  readonly dest_port: number;
  readonly verdict: {
    readonly action: string;
    readonly would?: string;
    readonly reason: string;
    readonly pinset: string | null;
  };
  readonly tls?: { readonly sni?: string };
}

/** How often something happens a second, between two rounds or, without a former one of the same process, since its start. */
export class Rates {
  /** Whether they are averages since the start. */
  readonly areSinceStart: boolean;
  /** That they are taken over. */
  readonly seconds: number;
  readonly #now: Round;
  readonly #before: Round | undefined;

  constructor(now: Round, before: Round | undefined) {
    this.#now = now;
    this.#before = before !== undefined && isSameProcess(before, now) ? before : undefined;
    this.areSinceStart = this.#before === undefined;
    this.seconds = this.#before === undefined ? now.status.uptime : (now.at - this.#before.at) / 1000;
  }

  /** Undefined where it cannot be known: no time has passed, or what counts began anew. */
  of(count: (round: Round) => number | undefined): number | undefined {
    const now = count(this.#now);
    const before = this.#before === undefined ? 0 : (count(this.#before) ?? 0);
    return now !== undefined && now >= before && this.seconds > 0 ? (now - before) / this.seconds : undefined;
  }

  /** What was added since the former round; 0 without one. */
  growth(count: (round: Round) => number | undefined): number {
    if (this.#before === undefined) return 0;
    return Math.max(0, (count(this.#now) ?? 0) - (count(this.#before) ?? 0));
  }
}

function isSameProcess(before: Round, now: Round): boolean {
  return before.status.pid === now.status.pid && before.status.uptime <= now.status.uptime && before.at < now.at;
}
