/**
 * What the console knows: the inbox, the verdicts of the last day, how the engine stands. All of it comes by its link to
 * the engine and is gone with the process. Tells browsers what changes; knows no HTTP.
 */
import { millisOf } from '../report/eve.ts';
import type { AnswerRecord, VerdictRecord } from '../report/schema.ts';
import type { PinsetView } from '../runtime/control/pinsets.ts';
import { answerOf, Inbox as Entries, type InboxAnswer, type InboxEntry } from '../runtime/incident/inbox.ts';
import type {
  Acceptance,
  Answered,
  Answering,
  Audited,
  EngineState,
  EngineStatus,
  FlowExplanation,
  Health,
  Inbox,
  InboxCounts,
  ListEntries,
  Overview,
  Series,
  Verdict,
  VerdictQuery,
  Verdicts,
} from './api.ts';
import type { AskFleet } from './elsewhere.ts';
import { EngineLink } from './engine-link.ts';
import { EventHub } from './events.ts';
import { type AskServer, Evidence } from './evidence.ts';
import { LearnedHosts } from './learned.ts';
import { ProbeSeries } from './probe-series.ts';
import { VerdictSeries } from './series.ts';
import { VerdictMemory } from './verdict-memory.ts';

export class Console {
  readonly events = new EventHub();
  readonly #link: EngineLink;
  readonly #inbox = new Entries();
  readonly #memory = new VerdictMemory();
  readonly #series = new VerdictSeries();
  readonly #probes = new ProbeSeries();
  readonly #since = new Date().toISOString();
  #pinsets: readonly PinsetView[] = [];
  #health: Health | null = null;
  #status: EngineStatus | null = null;
  /** What browsers are told the next time. */
  #verdicts: Verdict[] = [];
  readonly #changed = new Set<string>();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #evidence: Evidence;
  readonly learned = new LearnedHosts((request) => this.#link.ask(request));

  /** `path`: the control socket. */
  constructor(path: string, askServer: AskServer, askFleet?: AskFleet) {
    this.#evidence = new Evidence(askServer, askFleet);
    this.#link = new EngineLink(path, {
      onVerdict: (record, queue) => this.#onVerdict(record, queue),
      onRecord: (record) => this.#onRecord(record),
      onAnswers: (answers) => answers.forEach((answer) => this.#onAnswer(answer)),
      onPinsets: (pinsets) => (this.#pinsets = pinsets),
      onStatus: (health, status) => this.#onStatus(health, status),
      onState: (state) => this.events.tell('engine', state),
    });
  }

  /** Resolves when the engine was asked once, whether it is there or not. */
  async start(): Promise<void> {
    await this.#link.start();
    this.#timers.push(setInterval(() => this.#tellVerdicts(), VERDICTS_MS));
    this.#timers.push(setInterval(() => this.#tellInbox(), INBOX_MS));
    this.#timers.push(setInterval(() => this.events.beat(), BEAT_MS));
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#link.stop();
    this.events.close();
  }

  get engine(): EngineState {
    return this.#link.state;
  }

  get overview(): Overview {
    return {
      engine: this.#link.state,
      health: this.#health,
      status: this.#status,
      pinsets: this.#pinsets.map((pinset) => ({
        ...pinset,
        pins: pinset.pins.map((pin) => ({ ...pin, matched: this.#memory.matchedAt(pinset.pinset, pin.pin) })),
      })),
      since: this.#since,
      verdicts: this.#series.totals(Date.now()),
      inbox: this.#counts,
    };
  }

  get series(): Series {
    const series = this.#series.read(Date.now());
    return { ...series, probes: this.#probes.read(series.at) };
  }

  get inbox(): Inbox {
    return { entries: this.#inbox.entries(Date.now()), displaced: this.#inbox.displaced };
  }

  entry(id: string): InboxEntry | undefined {
    return this.#inbox.entry(id, Date.now());
  }

  /** Throws a sentence where the question cannot be understood. */
  verdicts(query: VerdictQuery): Verdicts {
    return this.#memory.find(query);
  }

  /** Rejects with the engine's sentence. */
  async explain(flow: number): Promise<FlowExplanation> {
    const answer = (await this.#link.ask({ command: 'explain', flow })) as unknown as FlowExplanation;
    const { flow_id: id, queue, phase, decided, configuration_known: isKnown, explanation } = answer;
    const record = this.#memory.ofFlow(flow);
    return { flow_id: id, queue, phase, decided, configuration_known: isKnown, explanation, record };
  }

  /** Rejects with the engine's sentence. */
  async list(list: string, after: number): Promise<ListEntries> {
    const answer = await this.#link.ask({ command: 'list', action: 'show', list, after, limit: ENTRIES });
    const { total, entries, next } = answer as unknown as ListEntries;
    return { list, total, entries, next };
  }

  /** Undefined: it is too often. Rejects with a sentence. */
  audit(entry: InboxEntry): Promise<Audited | undefined> {
    return this.#evidence.audit(entry);
  }

  /** Rejects with the engine's sentence, nothing changed. */
  async answer(entry: InboxEntry, answering: Answering): Promise<Answered> {
    const { answer: action, dry_run: isDry, until, comment, seen } = answering;
    const { pinset, host, key, chain } = entry;
    const { sha1, sha256 } = chain[0]!;
    const given = await this.#link.ask({
      ...{ command: 'inbox', action, pinset, host, key, sha1, sha256 },
      ...(isDry === true ? { dry_run: true } : {}),
      ...(seen === undefined ? {} : { generation: seen.generation, config: seen.config }),
      ...(until === undefined ? {} : { until }),
      ...(comment === undefined || comment === '' ? {} : { comment }),
    });
    const answer = given['answer'] as InboxAnswer | null;
    if (answer !== null) this.#onAnswer(answer);
    return {
      entry: this.entry(entry.id) ?? entry,
      dry_run: isDry === true,
      accepted: given['accepted'] as Acceptance | null,
    };
  }

  #onVerdict(record: VerdictRecord, queue: number): void {
    this.#series.add(record, millisOf(record.timestamp));
    this.#verdicts.push(this.#memory.add(record, queue));
    if (this.#verdicts.length >= VERDICTS_AT_ONCE) this.#tellVerdicts();
    const id = this.#inbox.add(record);
    if (id !== undefined) this.#changed.add(id);
  }

  #onRecord(record: Readonly<Record<string, unknown>>): void {
    if (record['event_type'] === 'answer') this.#onAnswer(answerOf(record as unknown as AnswerRecord));
    else this.events.tell('record', record);
  }

  #onAnswer(answer: InboxAnswer): void {
    this.#inbox.answer(answer);
    this.#changed.add(answer.entry);
  }

  #onStatus(health: Health, status: EngineStatus): void {
    this.#health = health;
    this.#status = status;
    this.#probes.take(status, Date.now());
    this.events.tell('status', { health, status });
  }

  #tellVerdicts(): void {
    const verdicts = this.#verdicts;
    if (verdicts.length === 0) return;
    this.#verdicts = [];
    this.events.tell('verdicts', verdicts);
  }

  #tellInbox(): void {
    const changed = [...this.#changed];
    this.#changed.clear();
    if (changed.length === 0 || this.events.size === 0) return;
    const counts = this.#counts;
    for (const id of changed) {
      const entry = this.entry(id);
      if (entry !== undefined) this.events.tell('inbox', { entry, counts });
    }
  }

  get #counts(): InboxCounts {
    const counts = { open: 0, snoozed: 0, denied: 0, accepted: 0 };
    for (const { state } of this.#inbox.entries(Date.now())) counts[state]++;
    return counts;
  }
}

const VERDICTS_MS = 100;
/** Of a list, in one answer. */
const ENTRIES = 200;
const VERDICTS_AT_ONCE = 500;
const INBOX_MS = 250;
const BEAT_MS = 15_000;
