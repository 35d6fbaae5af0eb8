/** What the console says in one sentence: whether the network is protected, what changed today. Knows no document. */
import type { EngineState, Health, InboxEntry } from '../src/web/api.ts';
import { dayAndClock, isoDay } from './times.ts';

export interface Protection {
  /** `bad`: somebody has to do something now; `warn`: soon; `unknown`: nobody can tell. */
  readonly level: 'good' | 'warn' | 'bad' | 'unknown';
  readonly text: string;
}

export function protectionOf(health: Health | null, engine: EngineState | null, nowMs: number): Protection {
  if (engine === null) return { level: 'unknown', text: 'The console does not answer: what is shown may be old.' };
  if (engine.state === 'gone') {
    const since = dayAndClock(Date.parse(engine.since), nowMs);
    return { level: 'bad', text: `Nobody can tell whether the network is protected: no engine since ${since}.` };
  }
  if (health === null) return { level: 'unknown', text: 'Waiting for what the engine says about protection.' };
  const [first, ...others] = health.conditions;
  const rest =
    others.length === 0
      ? ''
      : ` There ${others.length === 1 ? 'is one more thing' : `are ${others.length} more things`} to mend.`;
  if (health.state === 'protected') return { level: 'good', text: 'The network is protected.' };
  if (health.state === 'degraded') {
    return {
      level: 'warn',
      text: `The network is protected, but not as well as it could be: ${first?.detail ?? 'see below'}.${rest}`,
    };
  }
  return { level: 'bad', text: `The network is not protected: ${first?.detail ?? 'see below'}.${rest}` };
}

/** Of the viewer's day. */
export function todayOf(entries: readonly InboxEntry[], nowMs: number): string {
  const today = isoDay(nowMs);
  const isToday = (at: string): boolean => isoDay(Date.parse(at)) === today;
  const fresh = entries.filter(({ first }) => isToday(first)).length;
  const waiting = entries.filter(({ state }) => state === 'open').length;
  const changed =
    fresh === 0
      ? 'No certificate has changed today'
      : `${counted(fresh, 'certificate has', 'certificates have')} changed today`;
  const open = waiting === 0 ? 'nothing waits for an answer' : `${counted(waiting, 'waits', 'wait')} for an answer`;
  return `${changed}; ${open}.`;
}

export function refusedOf(
  entry: Pick<InboxEntry, 'count' | 'refused' | 'clients' | 'first' | 'last'>,
  nowMs: number,
): string {
  const { count, refused, clients, first, last } = entry;
  const connections = `${refused === count ? counted(count, 'connection', 'connections') : `${refused} of ${counted(count, 'connection', 'connections')}`}`;
  const by = `${clients.more ? 'more than ' : ''}${counted(clients.known.length, 'client', 'clients')}`;
  const [from, to] = [first, last].map((at) => dayAndClock(Date.parse(at), nowMs));
  const when = from === to ? from : `${from} to ${to}`;
  return refused === 0
    ? `Would have refused ${connections.replace('0 of ', '')} of ${by}, ${when}.`
    : `Refused ${connections} of ${by}, ${when}.`;
}

export function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** As the program says things, in lower case and without an end, for a reader. A key or a host that comes first stays as it is. */
export function sentence(text: string): string {
  const whole = WORD_FIRST.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[.!?)]$/u.test(whole) ? whole : `${whole}.`;
}

const WORD_FIRST = /^(?!tlspin\b)[a-z][a-z’'-]*(?=[,;:.]?(?:\s|$))/u;
