/**
 * What operators answer to certificates that have changed: an accepted key goes into a writable list that the pinset
 * takes its pins from, or into the book of what was learned, as `tlspin list` and learning write there themselves. Every
 * answer is a record of the log; the last of them are remembered. Which certificates have changed is
 * ../incident/inbox.ts.
 */
import { printable } from '../../bytes/invisible.ts';
import type { AcceptRequest } from '../../learn/accept.ts';
import type { Policy } from '../../pins/policy.ts';
import { parsePin } from '../../pins/document/pin-string.ts';
import { type AnswerKind, idOf, type InboxAnswer } from '../incident/inbox.ts';
import { pinLine } from '../incident/remedy.ts';
import type { Seen } from './configuration.ts';
import { differenceOf } from './difference.ts';
import { patternsOf } from './pinsets.ts';
import { replay, type Replay } from './replay.ts';
import type { RequestReader } from './requests.ts';
import type { Overview } from './status.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Where an accepted key goes, or would. */
export interface Acceptance {
  readonly kind: 'list' | 'learned';
  /** As it is written there. */
  readonly pin: string;
  /** The list; null for what is learned. */
  readonly list: string | null;
  /** Null where it lives until a restart. */
  readonly file: string | null;
  /** Every pinset that takes the key from then on. */
  readonly pinsets: readonly string[];
  /** Hosts and networks of those, as the configuration has them: the first of them, and how many. None: whoever it is. */
  readonly hosts: readonly string[];
  readonly hosts_count: number;
  /** The configuration that this is said of; whoever sends them along accepts by no other one. */
  readonly generation: number;
  readonly config: string;
  /** What it would have made of the decisions of late; null where it was done, and for what is learned. */
  readonly replay: Replay | null;
}

interface Question {
  readonly pinset: string;
  readonly host: string;
  readonly key: string;
  /** Of the certificate, for lists of nothing but such. */
  readonly sha1: string | undefined;
  readonly sha256: string | undefined;
  readonly comment: string | undefined;
  readonly seen: Seen | undefined;
}

export class InboxAnswers {
  readonly #answers = new Map<string, InboxAnswer>();

  get all(): readonly InboxAnswer[] {
    return [...this.#answers.values()];
  }

  /** Rejects with a sentence, nothing changed. */
  async answer(host: Overview, request: RequestReader, by: string): Promise<Fields> {
    const kind = request.choice('action', ['show', ...ANSWERS]) ?? 'show';
    const isDry = request.flag('dry_run');
    const until = request.instant('until');
    const question = kind === 'show' ? undefined : questionOf(request);
    request.end();
    if (question === undefined || kind === 'show') return { answers: this.all };
    if (kind === 'snooze' && (until === undefined || until <= Date.now())) {
      throw new Error('"until" must be a time that is still to come');
    }
    const accepted = kind === 'accept' ? await accept(host, question, by, isDry) : null;
    if (isDry) return { dry_run: true, answer: null, accepted };
    return { dry_run: false, answer: this.#note(host, kind, question, by, until, accepted), accepted };
  }

  #note(
    { log }: Overview,
    answer: AnswerKind,
    { pinset, host, key, comment }: Question,
    by: string,
    untilMs: number | undefined,
    accepted: Acceptance | null,
  ): InboxAnswer {
    const entry = idOf(pinset, host, key);
    const until = answer === 'snooze' && untilMs !== undefined ? new Date(untilMs).toISOString() : null;
    const noted = { entry, answer, at: new Date().toISOString(), until, by, comment: comment ?? null };
    this.#answers.delete(entry);
    this.#answers.set(entry, noted);
    if (this.#answers.size > MOST) this.#answers.delete(this.#answers.keys().next().value!);
    log.record('answer', {
      ...{ answer, entry, pinset, server: host, key, by },
      ...(comment === undefined ? {} : { comment }),
      ...(until === null ? {} : { until }),
      ...(accepted === null ? {} : { pin: accepted.pin }),
      ...(accepted === null || accepted.list === null ? {} : { list: accepted.list }),
    });
    return noted;
  }
}

function questionOf(request: RequestReader): Question {
  const [pinset, host, key] = ['pinset', 'host', 'key'].map((name) => request.text(name));
  const [sha1, sha256, comment] = ['sha1', 'sha256', 'comment'].map((name) => request.text(name));
  if (pinset === undefined || host === undefined || key === undefined) {
    throw new Error('"pinset", "host" and "key" must say which certificate is meant');
  }
  const parsed = parsePin(key);
  if (!('pin' in parsed)) throw new Error(`"key" must be a pin: ${'error' in parsed ? parsed.error : 'not a list'}`);
  const seen = seenOf(request);
  return { pinset, host, key: parsed.pin.canonical, sha1, sha256, comment: comment || undefined, seen };
}

function seenOf(request: RequestReader): Seen | undefined {
  const generation = request.integer('generation', 1, Number.MAX_SAFE_INTEGER);
  const config = request.text('config');
  if (generation === undefined && config === undefined) return undefined;
  if (generation === undefined || config === undefined) throw new Error('"generation" and "config" belong together');
  return { generation, config };
}

async function accept(host: Overview, question: Question, by: string, isDry: boolean): Promise<Acceptance> {
  const { configuration } = host;
  const { pinset: name, host: server, key } = question;
  const pinset = configuration.policy.pinsets.find((each) => each.name === name);
  if (pinset === undefined) throw new Error(`there is no pinset "${name}" in ${configuration.file} any more`);
  if (question.seen !== undefined) configuration.expect(question.seen);
  const place = placeFor(host, question);
  if (place !== undefined) {
    const { pin, list, file, pinsets } = place;
    const accepted = { kind: 'list', pin, list, file, ...reachOf(configuration, pinsets) } as const;
    if (isDry) return { ...accepted, replay: replay(eventsOf(host), place.tried) };
    // Between finding the place and writing there, another change may have had its turn.
    const seen = { generation: accepted.generation, config: accepted.config };
    await configuration.changeList(by, list, { add: [pin], remove: [], comment: commentOf(question, by), seen });
    return { ...accepted, replay: null };
  }
  const { file } = configuration.policy.learn;
  if (pinset.mode === 'learn' && pinset.then === 'enforce' && key.startsWith(SPKI)) {
    const reach = { ...reachOf(configuration, [name]), hosts: [server], hosts_count: 1 };
    if (!isDry) await learn(host, { pinset: name, host: server, spki: key.slice(SPKI.length) }, by);
    return { kind: 'learned', pin: key, list: null, file, ...reach, replay: null };
  }
  throw new Error(noPlace(question, configuration.file));
}

function reachOf({ policy, generation }: Overview['configuration'], pinsets: readonly string[]) {
  const hosts = policy.pinsets.filter(({ name }) => pinsets.includes(name)).flatMap(patternsOf);
  const shown = hosts.slice(0, HOSTS_SHOWN);
  return { pinsets, hosts: shown, hosts_count: hosts.length, generation, config: policy.hash };
}

async function learn({ daemon, configuration, log }: Overview, request: AcceptRequest, by: string): Promise<void> {
  const { generation, hosts } = await daemon.acceptLearned(request);
  const { file } = configuration.policy.learn;
  const accepted = hosts.map((host) => ({ pinset: request.pinset, host, key: `${SPKI}${request.spki}` }));
  // What is decided by it has to be introduced.
  log.record('config', {
    ...{ change: 'learn', by, file, result: 'in-force', config: daemon.policy.hash, generation },
    changes: { accepted },
  });
}

interface Place {
  readonly list: string;
  readonly file: string | null;
  readonly pin: string;
  readonly pinsets: readonly string[];
  readonly tried: Policy;
}

/** Of the writable lists that the pinset takes pins from, the one that the fewest others do. */
function placeFor({ configuration }: Overview, { pinset, ...of }: Question): Place | undefined {
  const { policy } = configuration;
  const places = policy.lists.flatMap((list): Place[] => {
    const pin = list.kind === null || list.kind === 'spki-sha256' ? of.key : pinOfKind(list.kind, of);
    const isOfRules = policy.rules.some(({ test }) => test.kind === 'fpl' && test.list === list.id);
    if (!list.writable || isOfRules || pin === undefined) return [];
    const tried = configuration.tryList(list.id, { add: [pin], remove: [] });
    if (tried === undefined || !takes(tried, pinset, list.id, pin)) return [];
    const changed = differenceOf(policy, tried).pinsets.changed;
    // What somebody denies with it is not to be let pass by it elsewhere.
    if (changed.some(({ deny }) => deny.addedCount > 0)) return [];
    return [{ list: list.id, file: list.file, pin, pinsets: changed.map((each) => each.pinset), tried }];
  });
  return places.sort((a, b) => a.pinsets.length - b.pinsets.length)[0];
}

/** Whether a leaf with this pin passes. */
function takes({ pinsets }: Policy, name: string, list: string, pin: string): boolean {
  const pins = pinsets.find((each) => each.name === name)?.pins ?? [];
  return pins.some((each) => each.list === list && each.canonical === pin && each.at !== 'ca');
}

function pinOfKind(kind: string, { sha1, sha256 }: Pick<Question, 'sha1' | 'sha256'>): string | undefined {
  const digest = kind === 'cert-sha1' ? sha1 : sha256;
  return digest === undefined ? undefined : `${kind}:${digest}`;
}

function eventsOf({ verdicts }: Overview) {
  return [...verdicts.latest()].map(({ event }) => event);
}

/** One line, whatever was said. */
function commentOf({ host, comment }: Question, by: string): string {
  return printable(
    [`${host}, accepted ${new Date().toISOString()} by ${by}`, ...(comment ? [comment] : [])].join(': '),
  );
}

function noPlace({ pinset, host, key }: Question, file: string): string {
  const line = pinLine(key, `${host}, accepted ${new Date().toISOString().slice(0, 10)}`);
  return `the pinset "${pinset}" takes no keys while tlspin runs: give ${file} "lists": { "accepted": { "file": "accepted.list", "writable": true } } and the pinset's pins "@accepted", or write into its pins: ${line}`;
}

const ANSWERS = ['accept', 'deny', 'snooze', 'reopen'] as const satisfies readonly AnswerKind[];
const MOST = 1_000;
const HOSTS_SHOWN = 20;
const SPKI = 'spki-sha256:';
