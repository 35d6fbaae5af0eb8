/**
 * The view of a running tlspin: what it said last and what it said before, made lines of a given size. A function of
 * its arguments and nothing else: it draws nothing, asks nobody and reads no clock.
 *
 *   who it is, its configuration, totals    what needs attention, in colour
 *   queues                                  as many as there is room for, the busiest first
 *   decisions                               by what was done and why
 *   flows                                   held ones, undecided ones, and then the decisions of late
 *   keys
 */
import { duration } from '../ctl/text.ts';
import type { Style } from '../output.ts';
import { type Line, line, type Span, span } from './layout.ts';
import { Rates, type Round } from './round.ts';
import { decisionLines, flowLines, type FlowsView, queueLines } from './tables.ts';

export interface View {
  readonly now: Round;
  readonly before: Round | undefined;
  /** Why nothing newer could be had. */
  readonly error: string | undefined;
  /** Milliseconds since the epoch at which it is drawn. */
  readonly clock: number;
  /** Flows that are scrolled over. */
  readonly scroll: number;
  /** What flows are chosen by, for people; empty: all of them. */
  readonly filter: string;
  /** What stands at the bottom: keys, or what is being typed. None where nobody can press any. */
  readonly footer: Line | undefined;
  readonly isPaused: boolean;
}

export interface Size {
  readonly columns: number;
  /** Infinity where there is no end. */
  readonly rows: number;
}

export function viewLines(view: View, { columns, rows }: Size): Line[] {
  const rates = new Rates(view.now, view.before);
  const top = [...headerLines(view, rates), ...warningLines(view, rates), line()];
  const bottom = view.footer === undefined ? [] : [view.footer];
  const room = rows - top.length - bottom.length;
  const queues = queueLines(view.now, rates, columns, Math.floor(room / 3));
  const decisions = decisionLines(view.now, rates, columns, Math.floor(room / 3));
  const left = room - queues.length - decisions.length - 2;
  const body = [...queues, line(), ...decisions, line(), ...flowLines(flowsOf(view), columns, left)];
  const shown = [...top, ...body].slice(0, Math.max(0, rows - bottom.length));
  const filling = rows === Infinity ? 0 : Math.max(0, rows - bottom.length - shown.length);
  return [...shown, ...Array.from({ length: filling }, () => line()), ...bottom].slice(0, rows);
}

/** Flows that have a line at the most in a view of that height: as many need to be asked for. */
export function flowsShown({ rows }: Size): number {
  return Math.max(1, rows - HEADER_LEAST);
}

/** Ages stand still while nothing newer is known. */
function flowsOf({ now, clock, scroll, filter, error, isPaused }: View): FlowsView {
  return { now, clock: error !== undefined || isPaused ? now.time : clock, scroll, filter };
}

function headerLines({ now, clock, error, isPaused }: View, rates: Rates): Line[] {
  const { status, stats } = now;
  const { configuration } = status;
  const when = `${new Date(clock).toISOString().slice(11, 19)}Z`;
  const age = duration(configuration.age);
  const { packets } = stats;
  return [
    line(
      span(`tlspin ${status.version}`, 'bold'),
      `, process ${status.pid}, up ${duration(status.uptime)}, ${megabytes(stats.memory)}   ${when}   `,
      ...(isPaused ? [span('paused', 'warn')] : [span(periodText(rates, error), 'faint')]),
    ),
    line(
      ...modeSpans(configuration.modes),
      `, pins ${configuration.pins}; generation ${configuration.generation} for ${age}, `,
      `${shortHash(configuration.hash)}, ${configuration.file}`,
    ),
    line(
      'flows ',
      span(`${status.flows}`, 'bold'),
      ', packets held ',
      span(`${status.held}`, status.held > 0 ? 'warn' : 'bold'),
      `; connmark route ${status.connmark.route}; `,
      `packets received ${packets.received}, accepted ${packets.accepted}, dropped ${packets.dropped}`,
    ),
    ...(stats.probes === null || stats.probes['asked'] === 0 ? [] : [line(`probes: ${countsText(stats.probes)}`)]),
  ];
}

function periodText(rates: Rates, error: string | undefined): string {
  if (error !== undefined) return '';
  return rates.areSinceStart ? 'rates: since the start' : `rates: over ${rates.seconds.toFixed(1)} s`;
}

/** Whatever is not enforced is said. */
function modeSpans(modes: Readonly<Record<string, number>>): Span[] {
  const all = Object.entries(modes);
  if (all.length === 0) return [span('no pinsets', 'warn')];
  const counts = all.flatMap(([mode, count]) => [
    span(', '),
    span(`${mode} ${count}`, mode === 'enforce' ? 'good' : 'warn'),
  ]);
  return [span('pinsets: '), ...counts.slice(1)];
}

function warningLines({ now, error, clock }: View, rates: Rates): Line[] {
  const { status, silent } = now;
  const warnings: [Style, string][] = [];
  if (error !== undefined) {
    warnings.push(['bad', `shown is what was ${duration(Math.round((clock - now.time) / 1000))} ago: ${error}`]);
  }
  if (status.fail_open) warnings.push(['bad', 'queue full: packets pass unseen ("failOpen")']);
  if (status.queue_bypass === true) warnings.push(['bad', 'no engine: packets pass unseen (--queue-bypass)']);
  if (status.queue_bypass === null) {
    warnings.push(['warn', 'no rules were found that send packets to these queues: see tlspin rules']);
  }
  const limits = Object.entries(status.limits).map(([name, count]) => {
    const growth = rates.growth((round) => round.status.limits[name]);
    return [`${name} ${count}${growth > 0 ? ` (+${growth})` : ''}`, growth] as const;
  });
  if (limits.length > 0) {
    const isGrowing = limits.some(([, growth]) => growth > 0);
    warnings.push([isGrowing ? 'bad' : 'warn', `limits reached: ${limits.map(([text]) => text).join(', ')}`]);
  }
  const lost = status.log.dropped + status.log.events_dropped;
  if (lost > 0) warnings.push(['warn', `log: ${lost} records lost`]);
  if (silent.length > 0) warnings.push(['bad', `no answer from queue ${silent.join(', ')}`]);
  return warnings.map(([style, text]) => line(span(`! ${text}`, style)));
}

function countsText(counts: Readonly<Record<string, unknown>>): string {
  return Object.entries(counts)
    .filter(([, count]) => typeof count === 'number')
    .map(([name, count]) => `${name} ${count as number}`)
    .join(', ');
}

function megabytes(octets: number): string {
  return `${Math.round(octets / 2 ** 20)} MiB`;
}

/** `sha256:` and enough to tell it from others. */
function shortHash(hash: string): string {
  return hash.slice(0, 'sha256:'.length + 12);
}

/** Lines that are something else than a flow in every view. */
const HEADER_LEAST = 8;
