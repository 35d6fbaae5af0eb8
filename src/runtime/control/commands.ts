/**
 * What may be asked over the control socket, command by command: parameters checked, the parts of the daemon asked,
 * their answers made JSON. Knows no sockets.
 */
import { nearest } from '../../pins/document/message.ts';
import type { PeerCredentials } from '../../source/binding.ts';
import type { ConfigurationChange } from './configuration.ts';
import { explainAnswer } from './explain-answer.ts';
import { flowsAnswer, verdictsAnswer } from './flows.ts';
import { healthOf } from './health.ts';
import type { InboxAnswers } from './inbox.ts';
import type { LearnControl } from './learning.ts';
import { isStale } from './list-ages.ts';
import { pinsetsAnswer } from './pinsets.ts';
import { replay } from './replay.ts';
import { RequestReader } from './requests.ts';
import type { Answer, AnswerRequest, HandedOn } from './server.ts';
import { type Overview, statsOf, statusOf } from './status.ts';
import type { Subscriptions } from './subscriptions.ts';

export interface CommandHost extends Overview {
  /** Undefined where nothing is learned. */
  readonly learning: LearnControl | undefined;
  /** Gives place to another tlspin. */
  readonly successor: { answer(request: RequestReader, peer: PeerCredentials, by: string): Answer | HandedOn };
  readonly subscriptions: Subscriptions;
  readonly answers: InboxAnswers;
  /** Ends the daemon as SIGTERM does; returns at once. */
  shutdown(by: string): void;
  /** Resolves once it is known how the rules are. */
  readonly rules: { readonly looked: Promise<void> };
}

type Fields = Readonly<Record<string, unknown>>;
type Command = (host: CommandHost, request: RequestReader, by: string) => Fields | Promise<Fields>;

export function answerCommands(host: CommandHost): AnswerRequest {
  return async (request, peer): Promise<Answer | HandedOn> => {
    const { command } = request;
    if (command === 'takeover') return host.successor.answer(new RequestReader(request), peer, describePeer(peer));
    if (command === 'subscribe') return host.subscriptions.answer(new RequestReader(request));
    const answer = typeof command === 'string' ? COMMANDS.get(command) : undefined;
    if (answer === undefined) return { ok: false, error: unknownCommand(command) };
    // Nothing that could not be asked for is an error of ours: it is answered like what was.
    return { ok: true, ...(await answer(host, new RequestReader(request), describePeer(peer))) };
  };
}

function unknownCommand(command: unknown): string {
  const known = [...COMMANDS.keys(), 'subscribe'];
  if (typeof command !== 'string') return `"command" must be one of ${known.join(', ')}`;
  const near = nearest(command, known);
  const cure = near === undefined ? `there are ${known.join(', ')}` : `did you mean "${near}"?`;
  return `there is no command "${command.slice(0, 40)}": ${cure}`;
}

/** As the log names who asked. */
function describePeer({ uid, pid }: PeerCredentials): string {
  return `control (uid ${uid}, pid ${pid})`;
}

/** `brief`: without what other programs have to be asked for, for who asks often. */
const status: Command = async (host, request) => {
  const isBrief = request.flag('brief');
  request.end();
  return { status: { ...(await statusOf(host, isBrief)), subscribers: host.subscriptions.counts } };
};

const health: Command = async ({ protection, rules }, request) => {
  request.end();
  await rules.looked;
  return { health: healthOf(protection) };
};

const stats: Command = (host, request) => {
  request.end();
  return { stats: statsOf(host) };
};

const flows: Command = (host, request) => flowsAnswer(host.daemon, request);

const verdicts: Command = (host, request) => verdictsAnswer(host, request);

const explain: Command = (host, request) => explainAnswer(host, request);

const reload: Command = async ({ configuration, verdicts }, request, by) => {
  const isDry = request.flag('dry_run');
  request.end();
  const change = isDry ? await configuration.tryReload(by) : await configuration.reload(by);
  const events = [...verdicts.latest()].map(({ event }) => event);
  const replayed = change.tried === undefined ? {} : { replay: replay(events, change.tried) };
  return { ...reloadFields(change, isDry), ...replayed };
};

/** Whether it was done is for whoever asks to see; what is wrong with the file comes along, line by line. */
function reloadFields(
  { isInForce, policy, generation, error, messages, difference }: ConfigurationChange,
  isDry: boolean,
) {
  return {
    ...(isDry ? { dry_run: true, possible: error === null } : { in_force: isInForce }),
    config: policy.hash,
    generation,
    error,
    messages,
    changes: difference,
    rules_needed: difference?.rules ?? [],
  };
}

const lists: Command = ({ configuration }, request) => {
  request.end();
  return {
    lists: configuration.policy.lists.map((list) => ({
      list: list.id,
      entries: list.entries.length,
      writable: list.writable,
      file: list.file,
      kind: list.kind,
      stale: isStale(list, configuration),
    })),
  };
};

const list: Command = async ({ configuration }, request, by) => {
  const id = request.text('list');
  const action = request.choice('action', ['show', 'add', 'rm']) ?? 'show';
  const entries = request.texts('entries');
  const after = request.integer('after', 0, Number.MAX_SAFE_INTEGER) ?? 0;
  const limit = request.integer('limit', 1, MOST_ENTRIES) ?? MOST_ENTRIES;
  request.end();
  if (id === undefined) throw new Error('"list" must name a list');
  if (action === 'show') return showList(configuration.policy.lists, id, after, limit);
  const change = action === 'add' ? { add: entries, remove: [] } : { add: [], remove: entries };
  return { ...(await configuration.changeList(by, id, change)) };
};

function showList(known: CommandHost['configuration']['policy']['lists'], id: string, after: number, limit: number) {
  const found = known.find((each) => each.id === id);
  if (found === undefined) {
    const near = nearest(
      id,
      known.map((each) => each.id),
    );
    throw new Error(`there is no list "${id}"${near === undefined ? '' : `: did you mean "${near}"?`}`);
  }
  const { entries } = found;
  const next = after + limit < entries.length ? after + limit : null;
  return {
    list: id,
    total: entries.length,
    entries: entries.slice(after, after + limit).map((e) => e.canonical),
    next,
  };
}

const learn: Command = async ({ learning, configuration }, request, by) => {
  const action = request.choice('action', ['show', 'forget']) ?? 'show';
  const after = request.integer('after', 0, Number.MAX_SAFE_INTEGER) ?? 0;
  const limit = request.integer('limit', 1, MOST_HOSTS) ?? MOST_HOSTS;
  const targets = request.texts('targets');
  const pinset = request.text('pinset');
  request.end();
  if (learning === undefined) {
    throw new Error(`nothing is learned: ${configuration.file} has no section "learn" (or had none at the start)`);
  }
  return action === 'show' ? learning.show(after, limit) : learning.forget({ targets, pinset }, by);
};

const pinsets: Command = ({ daemon }, request) => {
  request.end();
  return pinsetsAnswer(daemon.policy);
};

const inbox: Command = (host, request, by) => host.answers.answer(host, request, by);

const logReopen: Command = ({ log }, request) => {
  request.end();
  log.reopen();
  return {};
};

const shutdown: Command = (host, request, by) => {
  request.end();
  // The answer goes first.
  setTimeout(() => host.shutdown(by), SHUTDOWN_DELAY_MS);
  return {};
};

const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ['status', status],
  ['health', health],
  ['stats', stats],
  ['flows', flows],
  ['verdicts', verdicts],
  ['explain', explain],
  ['reload', reload],
  ['lists', lists],
  ['list', list],
  ['learn', learn],
  ['pinsets', pinsets],
  ['inbox', inbox],
  ['log-reopen', logReopen],
  ['shutdown', shutdown],
]);

const MOST_ENTRIES = 5_000;
const MOST_HOSTS = 256;
const SHUTDOWN_DELAY_MS = 10;
