/**
 * The three tables of the view: queues, decisions by kind, and flows with the decisions of late. Each is given the
 * columns and the lines that it may take, and leaves out what matters least.
 */
import { hostPort } from '../../report/endpoint.ts';
import { millisOf } from '../../report/eve.ts';
import { duration } from '../ctl/text.ts';
import { type Column, type Line, line, type Span, span, tableLines } from './layout.ts';
import type { StatusAnswer } from '../../runtime/control/status.ts';
import type { FlowAnswer, PacketCounts, Rates, Round, VerdictAnswer } from './round.ts';

export interface FlowsView {
  readonly now: Round;
  /** Milliseconds since the epoch from which ages are told. */
  readonly clock: number;
  /** Flows that are scrolled over. */
  readonly scroll: number;
  /** What they are chosen by; empty: all of them. */
  readonly filter: string;
}

/** The busiest where not all have room. */
export function queueLines({ status }: Round, rates: Rates, width: number, most: number): Line[] {
  const rows = status.queues.map((standing) => {
    const { queue, held, kernel } = standing;
    const countsOf = ({ stats }: Round) => stats.queues.find((one) => one.queue === queue);
    const packets = rates.of((round) => countsOf(round)?.received) ?? 0;
    return {
      queue,
      cells: queueCells(`${queue}`, standing, countsOf, rates),
      weight: held + (kernel?.waiting ?? 0) + packets,
    };
  });
  const all = rows.length > 1 ? [queueCells('all', totalOf(status.queues), ({ stats }) => stats.packets, rates)] : [];
  const room = most - 1 - all.length;
  const shown = rows.length <= room ? rows : busiestOf(rows, Math.max(1, room - 1));
  const others = rows.length - shown.length;
  return [
    ...tableLines(QUEUE_COLUMNS, [...shown.map(({ cells }) => cells), ...all], width),
    ...(others === 0 ? [] : [line(span(`and ${others} more with less to do`, 'faint'))]),
  ];
}

interface Standing {
  readonly flows: number;
  readonly held: number;
  readonly kernel: Omit<NonNullable<StatusAnswer['queues'][number]['kernel']>, 'id_sequence'> | null;
}

function queueCells(
  label: string,
  { flows, held, kernel }: Standing,
  countsOf: (round: Round) => PacketCounts | undefined,
  rates: Rates,
): Line {
  const verdicts = (counts: PacketCounts | undefined) => counts && counts.accepted + counts.dropped;
  return [
    span(label),
    span(rateText(rates.of((round) => countsOf(round)?.received))),
    span(rateText(rates.of((round) => verdicts(countsOf(round))))),
    span(rateText(rates.of((round) => countsOf(round)?.dropped))),
    span(`${flows}`),
    span(`${held}`, held > 0 ? 'warn' : undefined),
    span(kernel === null ? '-' : `${kernel.waiting}`),
    lossSpan(kernel?.queue_dropped),
    lossSpan(kernel?.user_dropped),
  ];
}

function totalOf(queues: readonly Standing[]): Standing {
  const total = (pick: (queue: Standing) => number): number => queues.reduce((sum, queue) => sum + pick(queue), 0);
  return {
    flows: total(({ flows }) => flows),
    held: total(({ held }) => held),
    kernel: {
      waiting: total(({ kernel }) => kernel?.waiting ?? 0),
      queue_dropped: total(({ kernel }) => kernel?.queue_dropped ?? 0),
      user_dropped: total(({ kernel }) => kernel?.user_dropped ?? 0),
    },
  };
}

function busiestOf<T extends { readonly queue: number; readonly weight: number }>(
  rows: readonly T[],
  count: number,
): T[] {
  const chosen = [...rows].sort((a, b) => b.weight - a.weight).slice(0, count);
  return chosen.sort((a, b) => a.queue - b.queue);
}

/** The most frequent first; where not all have room, those that happen now, in the same order. */
export function decisionLines({ stats }: Round, rates: Rates, width: number, most: number): Line[] {
  const kinds = Object.entries(stats.verdicts)
    .map(([kind, count]) => ({ kind, count, rate: rates.of((round) => round.stats.verdicts[kind]) }))
    .sort((a, b) => b.count - a.count);
  const all = kinds.reduce((total, { count }) => total + count, 0);
  const room = Math.max(1, most - 1);
  const current = [...kinds].sort((a, b) => (b.rate ?? 0) - (a.rate ?? 0)).slice(0, Math.max(1, room - 1));
  const shown = kinds.length <= room ? kinds : kinds.filter((kind) => current.includes(kind));
  const rows = shown.map(({ kind, count, rate }) => {
    const [action = '', reason = ''] = kind.split(' ');
    const share = `${((count / all) * 100).toFixed(1)} %`;
    return [actionSpan(action), span(reason), span(rateText(rate)), span(`${count}`), span(share)];
  });
  const others = kinds.length - shown.length;
  return [
    ...tableLines(DECISION_COLUMNS, rows, width),
    ...(kinds.length === 0 ? [line(span('none yet', 'faint'))] : []),
    ...(others === 0 ? [] : [line(span(`and ${others} more`, 'faint'))]),
  ];
}

/** The number of the flow that is the first on the screen; undefined where there is none. */
export function firstFlow(now: Round, scroll: number): FlowAnswer['flow_id'] | undefined {
  const { open, settled } = listed(now);
  const all = [...open, ...settled];
  return all[Math.min(scroll, all.length - 1)]?.flow_id;
}

/** What waits is first, what is settled last. */
function listed({ flows, verdicts }: Round): { readonly open: FlowAnswer[]; readonly settled: VerdictAnswer[] } {
  const open = flows.filter(isOpen).sort((a, b) => b.held - a.held || b.age_ms - a.age_ms);
  const isListed = new Set(open.map(({ flow_id: flow }) => flow));
  return { open, settled: verdicts.filter(({ flow_id: flow }) => !isListed.has(flow)) };
}

export function flowLines({ now, clock, scroll, filter }: FlowsView, width: number, most: number): Line[] {
  const { open, settled } = listed(now);
  const rows = [...open.map(openCells), ...settled.map((verdict) => verdictCells(verdict, clock))];
  const first = Math.min(scroll, Math.max(0, rows.length - 1));
  const remarks = [
    ...(filter === '' ? [] : [`only ${filter}`]),
    ...(first === 0 ? [] : [`${first} above`]),
    ...(now.hasMoreFlows ? ['more than are shown'] : []),
  ];
  const remark = remarks.length === 0 ? [] : [line(span(`flows: ${remarks.join(', ')}`, 'note'))];
  const page = rows.slice(first, first + Math.max(0, most - 1 - remark.length));
  const none = page.length > 0 ? [] : [line(span('none', 'faint'))];
  return [...remark, ...tableLines(FLOW_COLUMNS, page, width), ...none].slice(0, Math.max(0, most));
}

function isOpen({ action, held }: FlowAnswer): boolean {
  return action === null || held > 0;
}

function openCells(flow: FlowAnswer): Line {
  const { phase, waits, reason, held, age_ms: age, pinsets, sni } = flow;
  return [
    ...endCells(flow),
    span(phase, 'note'),
    span(reason ?? (waits ? 'evidence awaited' : '')),
    span(duration(Math.round(age / 1000))),
    span(`${held}`, held > 0 ? 'warn' : undefined),
    span((pinsets ?? []).join(', ')),
    span(sni ?? ''),
  ];
}

function verdictCells(verdict: VerdictAnswer, clock: number): Line {
  const { action, would, reason, pinset } = verdict.verdict;
  const age = Math.max(0, Math.round((clock - millisOf(verdict.timestamp)) / 1000));
  return [
    ...endCells(verdict),
    actionSpan(action, would),
    span(reason),
    span(duration(age)),
    span(''),
    span(pinset ?? ''),
    span(verdict.tls?.sni ?? ''),
  ];
}

function endCells({
  flow_id: flow,
  src_ip: client,
  src_port: from,
  dest_ip: server,
  dest_port: to,
}: FlowAnswer | VerdictAnswer) {
  return [span(`${flow}`), span(hostPort(client, from)), span(hostPort(server, to))];
}

/** `would`: what had been done where nothing is enforced. */
function actionSpan(action: string, would?: string): Span {
  if (would !== undefined && would !== 'accept') return span(`${action} (would: ${would})`, 'warn');
  return span(action, action === 'accept' ? 'good' : 'bad');
}

function lossSpan(count: number | undefined): Span {
  return count === undefined ? span('-') : span(`${count}`, count > 0 ? 'bad' : undefined);
}

/** With a decimal where it is small, in thousands where it is great. */
function rateText(rate: number | undefined): string {
  if (rate === undefined) return '-';
  if (rate < 9.95) return rate < 0.05 && rate > 0 ? '<0.1' : rate.toFixed(1);
  if (rate < 9999.5) return rate.toFixed(0);
  return rate < 999_950 ? `${(rate / 1e3).toFixed(1)}k` : `${(rate / 1e6).toFixed(1)}M`;
}

const QUEUE_COLUMNS: readonly Column[] = [
  { heading: 'QUEUE', isNumber: true, spare: 0 },
  { heading: 'PACKETS/S', isNumber: true, spare: 0 },
  { heading: 'VERDICTS/S', isNumber: true, spare: 2 },
  { heading: 'DROPPED/S', isNumber: true, spare: 6 },
  { heading: 'FLOWS', isNumber: true, spare: 5 },
  { heading: 'HELD', isNumber: true, spare: 1 },
  { heading: 'WAITING', isNumber: true, spare: 1 },
  { heading: 'QUEUE DROPPED', isNumber: true, spare: 3 },
  { heading: 'USER DROPPED', isNumber: true, spare: 4 },
];

const DECISION_COLUMNS: readonly Column[] = [
  { heading: 'DECISION', spare: 0, least: 9 },
  { heading: 'REASON', spare: 0, least: 12, isElastic: true },
  { heading: 'PER S', isNumber: true, spare: 1, least: 6 },
  { heading: 'TOTAL', isNumber: true, spare: 0, least: 9 },
  { heading: 'SHARE', isNumber: true, spare: 2, least: 7 },
];

const FLOW_COLUMNS: readonly Column[] = [
  { heading: 'FLOW', spare: 1, least: 6 },
  { heading: 'CLIENT', spare: 2, least: 15 },
  { heading: 'SERVER', spare: 4, least: 15 },
  { heading: 'STATE', spare: 0, least: 10 },
  { heading: 'REASON', spare: 3, least: 12 },
  { heading: 'AGE', spare: 6, least: 6, isNumber: true },
  { heading: 'HELD', spare: 5, isNumber: true },
  { heading: 'PINSET', spare: 7, least: 6 },
  { heading: 'NAME', spare: 0, isElastic: true },
];
