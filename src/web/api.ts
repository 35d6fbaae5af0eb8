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
 *   POST   /api/inbox/ID/audit  Audited                   what the server shows now, asked from here; 429 where it is too often
 *   GET    /api/learned?who=…   Learned                   409 where nothing is learned
 *   POST   /api/learned         Relearning -> 204         403 where the console is read-only
 *   GET    /api/list?list=…     ListEntries               a page of them, those behind `after`; 404 where there is no such list
 *   GET    /api/fleet           FleetView                 404 where none is configured
 *   GET    /api/flows/FLOW      FlowExplanation           404 where it is not remembered
 *   GET    /api/events          EventSource of Events: each has its name, and JSON as its data
 *
 * What fails has a status from 400 on and a Failure. Whatever is not GET has `Content-Type: application/json` and, but for
 * signing in, the session's token in `X-CSRF-Token`.
 */
import type { VerdictRecord } from '../report/schema.ts';
import type { Acceptance } from '../runtime/control/inbox.ts';
import type { PinsetView as PinsetInForce, PinView as PinInForce } from '../runtime/control/pinsets.ts';
import type { StatusAnswer } from '../runtime/control/status.ts';
import type { Explanation } from '../runtime/explain/explanation.ts';
import type { SeenElsewhere } from './elsewhere.ts';
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
  /** Whether there is a fleet to look at. */
  readonly has_fleet: boolean;
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

export type EngineStatus = StatusAnswer;

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
  readonly probes: ProbeMinutes;
}

/** Probes that were asked for, and those that brought nothing; how long half and 95 of 100 took, at the most. */
export interface ProbeMinutes {
  readonly asked: readonly number[];
  readonly failed: readonly number[];
  readonly p50_ms: readonly (number | null)[];
  readonly p95_ms: readonly (number | null)[];
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

/** What a server shows to somebody who asks from where the console runs, beside what its clients were shown here and elsewhere. */
export interface Audited {
  readonly at: string;
  readonly shown: readonly {
    readonly address: string;
    readonly port: number;
    /** As a pin spells it; null: none that can be read. */
    readonly key: string | null;
    readonly subject: string | null;
    readonly issuer: string | null;
    /** `new`: that of the entry; `before`: the one that was let pass before. */
    readonly is: 'new' | 'before' | 'other';
  }[];
  readonly failures: readonly { readonly address: string; readonly sentence: string }[];
  /** What other gateways have decided about the host in the last day, the latest first; null where nobody tells. */
  readonly gateways: readonly (SeenElsewhere & { readonly is: 'new' | 'before' | 'other' })[] | null;
}

/** The latest first. */
export interface Learned {
  readonly hosts: readonly LearnedHostView[];
  /** How many there are that were asked for, and in all. */
  readonly found: number;
  readonly known: number;
}

export interface LearnedHostView {
  readonly pinset: string;
  readonly host: string;
  readonly standing: 'learning' | 'settled' | 'rotating' | 'promoted' | 'withheld';
  readonly observations: number;
  readonly first: string;
  readonly last: string;
  /** Since when it is held to its keys. */
  readonly promoted: string | null;
  readonly keys: readonly LearnedKeyView[];
  /** A pinset of what was learned, as JSON; null: there is nothing to propose yet. */
  readonly proposed: string | null;
  /** Sentences. */
  readonly warnings: readonly string[];
}

export interface LearnedKeyView {
  readonly key: string;
  readonly as: 'held' | 'seen' | 'denied';
  readonly subject: string | null;
  readonly count: number;
  readonly first: string;
  readonly last: string;
}

/** `hold`: to a key that it was denied for, as well. */
export interface Relearning {
  readonly action: 'forget' | 'hold';
  readonly pinset: string;
  readonly host: string;
  /** Of `hold`. */
  readonly key?: string;
}

export interface ListEntries {
  readonly list: string;
  readonly total: number;
  /** As a configuration spells them. */
  readonly entries: readonly string[];
  /** For `after`: what comes next; null: there is no more. */
  readonly next: number | null;
}

export interface FleetView {
  readonly name: string;
  readonly latest: FleetVersion | null;
  readonly gateways: readonly {
    readonly gateway: string;
    readonly software: string;
    /** When it was heard of last; `present`: so lately that it runs. */
    readonly heard: string;
    readonly present: boolean;
    readonly running: {
      readonly version: number;
      readonly since: string;
      readonly digest: string;
      readonly report_only: boolean;
    } | null;
    readonly refused: {
      readonly version: number | null;
      readonly at: string;
      readonly reason: string;
      readonly messages: readonly string[];
    } | null;
  }[];
  /** The latest first. */
  readonly history: readonly FleetVersion[];
}

export interface FleetVersion {
  readonly version: number;
  readonly pushed: string;
  readonly by: string;
  readonly file: string;
  readonly expires: string;
  readonly digest: string;
  /** The one gateway that it is for; null: for all. */
  readonly canary: string | null;
  readonly report_only: boolean;
  /** The version that it is again. */
  readonly restores: number | null;
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
