/**
 * The console's interface: what its page may ask, and what it is told, path by path, as types. The page imports nothing
 * else of the program. Names are those of the log and of the control socket; times are ISO 8601 with a Z, but for dates
 * of certificates, which are UTC without one.
 *
 *   GET    /enter?token=…       303 to /, with the cookie: the link that `tlspin web` prints
 *   GET    /api/session         Session                   401 without one: show the form
 *   POST   /api/session         SignIn -> Session         the token, or the password; sets the cookie
 *   DELETE /api/session         204                       signs out
 *   GET    /api/overview        Overview
 *   GET    /api/series          Series                    the last day, minute by minute
 *   GET    /api/inbox           Inbox
 *   POST   /api/inbox/ID        Answering -> Answered     403 where the console is read-only
 *   GET    /api/verdicts?…      Verdicts                  of VerdictQuery, as parameters
 *   GET    /api/flows/FLOW      FlowExplanation           404 where it is not remembered
 *   GET    /api/events          EventSource of Events: each has its name, and JSON as its data
 *
 * What fails has a status from 400 on and a Failure. Whatever is not GET has `Content-Type: application/json` and, but for
 * signing in, the session's token in `X-CSRF-Token`.
 */
import type { VerdictRecord } from '../report/schema.ts';
import type { Acceptance } from '../runtime/control/inbox.ts';
import type { PinsetView as PinsetInForce, PinView as PinInForce } from '../runtime/control/pinsets.ts';
import type { Explanation } from '../runtime/explain/explanation.ts';
import type { AnswerKind, InboxEntry } from '../runtime/incident/inbox.ts';

export type { AnswerKind, Counted, InboxAnswer, InboxEntry } from '../runtime/incident/inbox.ts';
export type { CertificateDifference, DifferenceCode } from '../runtime/incident/certificate-differences.ts';
export type { Acceptance, Explanation, VerdictRecord };

export interface Failure {
  /** One sentence. */
  readonly error: string;
}

export interface SignIn {
  readonly secret: string;
}

export interface Session {
  readonly version: string;
  readonly csrf: string;
  /** Whether answers may be given; if not, why: one sentence. */
  readonly may_change: boolean;
  readonly why_not: string | null;
  readonly until: string;
}

export interface Overview {
  readonly engine: EngineState;
  /** As `tlspin health`; null as long as no engine has answered. What it was last while the engine is gone. */
  readonly health: Health | null;
  /** As `tlspin ctl status --json` has it. */
  readonly status: EngineStatus | null;
  readonly pinsets: readonly PinsetView[];
  /** Since the console listens, or for a day: what of it is remembered. */
  readonly since: string;
  /** Verdicts of that time, the most frequent first. */
  readonly verdicts: readonly { readonly action: string; readonly reason: string; readonly count: number }[];
  readonly inbox: InboxCounts;
}

/** `gone`: the console goes on asking, and tells by the event `engine` when it is back. */
export interface EngineState {
  readonly state: 'connected' | 'gone';
  readonly since: string;
  /** Of `gone`: one sentence. */
  readonly error: string | null;
  /** Events that the engine had and the console was too slow for, or was not there for. */
  readonly missed: number;
}

export interface Health {
  readonly state: 'protected' | 'degraded' | 'unprotected';
  readonly conditions: readonly {
    readonly code: string;
    readonly severity: 'degraded' | 'unprotected';
    readonly meaning: string;
    readonly mend: string;
    readonly subject: string;
    readonly detail: string;
    readonly since: string;
    /** Seconds. */
    readonly age: number;
  }[];
}

export interface EngineStatus {
  readonly version: string;
  readonly pid: number;
  /** Seconds. */
  readonly uptime: number;
  readonly configuration: {
    readonly file: string;
    readonly hash: string;
    readonly generation: number;
    readonly since: string;
    readonly pinsets: number;
    readonly modes: Readonly<Record<string, number>>;
    readonly pins: number;
    readonly rules: number;
    readonly lists: readonly {
      readonly list: string;
      readonly writable: boolean;
      readonly entries: number;
      readonly stale: boolean;
    }[];
  };
  readonly fail_open: boolean;
  readonly queues: readonly {
    readonly queue: number;
    readonly flows: number;
    readonly held: number;
    readonly buffered: number;
    readonly kernel: {
      readonly waiting: number;
      readonly queue_dropped: number;
      readonly user_dropped: number;
      readonly id_sequence: number;
    } | null;
  }[];
  readonly flows: number;
  readonly held: number;
  readonly probes: Readonly<Record<string, unknown>> | null;
  readonly log: { readonly file: string | null; readonly written: number; readonly dropped: number };
  /** Who follows the engine's events, and how many were dropped for being too slow. */
  readonly subscribers: { readonly now: number; readonly dropped: number };
}

export interface PinsetView extends Omit<PinsetInForce, 'pins'> {
  readonly pins: readonly PinView[];
}

export interface PinView extends PinInForce {
  /** When it let a connection pass last, as far as the console remembers. */
  readonly matched: string | null;
}

/** For plots: `at` in seconds since the epoch, one a minute; each row of values beside it. */
export interface Series {
  readonly at: readonly number[];
  /** Verdicts a minute. */
  readonly verdicts: readonly {
    readonly action: string;
    readonly reason: string;
    readonly values: readonly number[];
  }[];
  /** Microseconds: half and 95 of 100 decisions took no longer; null where there was none. */
  readonly held_us: Percentiles;
  readonly took_us: Percentiles;
}

export interface Percentiles {
  readonly p50: readonly (number | null)[];
  readonly p95: readonly (number | null)[];
}

export interface InboxCounts {
  readonly open: number;
  readonly snoozed: number;
  readonly denied: number;
  readonly accepted: number;
}

export interface Inbox {
  /** Open ones first, and of these the latest. */
  readonly entries: readonly InboxEntry[];
  /** Entries that there was no room for any more. */
  readonly displaced: number;
}

export interface Answering {
  readonly answer: AnswerKind;
  /** Of `accept` that is no dry run: what its dry run was about, and said. By nothing else it is done. */
  readonly seen?: { readonly key: string; readonly generation: number; readonly config: string };
  /** Of `accept`: only what would become of it. */
  readonly dry_run?: boolean;
  /** Of `snooze`: until when, as ISO 8601. */
  readonly until?: string;
  readonly comment?: string;
}

export interface Answered {
  readonly entry: InboxEntry;
  readonly dry_run: boolean;
  /** Of `accept`. */
  readonly accepted: Acceptance | null;
}

export interface VerdictQuery {
  /** A server name, *.NAME, an address of either end, or a network. */
  readonly who?: string;
  readonly action?: string;
  readonly reason?: string;
  readonly pinset?: string;
  /** `true`: what was not let pass, or would not have been. */
  readonly denied?: string;
  /** A number: those before it. */
  readonly before?: string;
  /** At the most 500; 100 unless given. */
  readonly limit?: string;
}

/** The latest first. */
export interface Verdicts {
  readonly verdicts: readonly Verdict[];
  /** For `before`: what comes next; null: there is no more. */
  readonly next: number | null;
  /** How many are remembered in all. */
  readonly remembered: number;
}

/** A record of the log, with its queue and a number that counts up. */
export type Verdict = VerdictRecord & { readonly queue: number; readonly number: number };

export interface FlowExplanation {
  readonly flow_id: number;
  readonly queue: number;
  readonly phase: string;
  readonly decided: boolean;
  /** Whether the configuration that decided is the one that it is told by. */
  readonly configuration_known: boolean;
  readonly explanation: Explanation;
  /** As it was logged; null where it is not decided, or not remembered. */
  readonly record: Verdict | null;
}

/** By the event's name. At more than some hundred a second verdicts come several at a time. */
export interface Events {
  readonly verdicts: readonly Verdict[];
  /** An entry is new or has changed; `counts` is of all. */
  readonly inbox: { readonly entry: InboxEntry; readonly counts: InboxCounts };
  /** Every other record of the log: `anomaly`, `config`, `start`, `stop`. */
  readonly record: Readonly<Record<string, unknown>>;
  readonly engine: EngineState;
  /** Every two seconds while the engine is there. */
  readonly status: { readonly health: Health; readonly status: EngineStatus };
}
