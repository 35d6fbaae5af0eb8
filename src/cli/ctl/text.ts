/** Answers of the control socket as people read them. Knows what fields there are, and nothing of how they come about. */

import { printable } from '../../bytes/invisible.ts';
import { hostPort } from '../../report/endpoint.ts';
import type { Replay } from '../../runtime/control/replay.ts';
import type { Explanation } from '../../runtime/explain/explanation.ts';
import { columnsOf } from '../columns.ts';
import { showExplanation } from '../explain/text.ts';
import type { Output, Style } from '../output.ts';
import { timeText } from './since.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** By command; `explain` has a function of its own, and the others are shown as JSON. `out`: where the text will go. */
export const TEXTS: Readonly<Record<string, (answer: Fields, out: Output) => string>> = {
  status: ({ status }, out) => statusText(status as Fields, out),
  flows: ({ flows, next, all }, out) => flowsText(flows as Fields[], next as number | null, Number(all ?? 0), out),
  verdicts: ({ verdicts, others }, out) => verdictsText(verdicts as Fields[], others as Others | undefined, out),
  reload: reloadText,
  lists: ({ lists }, out) => listsText(lists as Fields[], out),
  'log-reopen': () => 'the log is open again\n',
  shutdown: () => 'ending\n',
};

/** Columns as wide as their widest cell, the last one as it is; `styles`: of cells, by column. */
function table(
  out: Output,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  styles: Readonly<Record<number, (cell: string) => Style>> = {},
): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => columnsOf(row[column]!))));
  const line = (cells: readonly string[], styleOf: (cell: string, column: number) => Style | undefined) => {
    const last = cells.length - 1;
    const padded = cells.map((cell, i) => cell + ' '.repeat(i === last ? 0 : widths[i]! - columnsOf(cell)));
    const painted = padded.map((cell, i) => {
      const style = styleOf(cells[i]!, i);
      return style === undefined ? cell : out.paint(style, cell);
    });
    return `${painted.join('  ').trimEnd()}\n`;
  };
  const body = rows.map((row) => line(row, (cell, column) => styles[column]?.(cell)));
  return [line(head, () => 'faint'), ...body].join('');
}

function actionStyle(action: string): Style {
  if (action.includes('would')) return 'warn';
  return action === 'accept' ? 'good' : 'bad';
}

function lossStyle(count: string): Style {
  return count === '0' || count === '-' ? 'faint' : 'bad';
}

function statusText(status: Fields, out: Output): string {
  const configuration = status['configuration'] as Fields;
  const connmark = status['connmark'] as Fields;
  const log = status['log'] as Fields;
  const bypass = status['queue_bypass'];
  const lists = configuration['lists'] as Fields[];
  const lines: [string, string][] = [
    ['tlspin', `${show(status['version'])}, process ${show(status['pid'])}, up ${duration(Number(status['uptime']))}`],
    ['protection', protectionText(status['health'] as Fields, out)],
    ['configuration', `${show(configuration['file'])}, ${show(configuration['hash'])}`],
    ['', `generation ${show(configuration['generation'])}, in force for ${duration(Number(configuration['age']))}`],
    [
      '',
      [many(configuration['pinsets'], 'pinset'), many(configuration['pins'], 'pin'), many(lists.length, 'list')].join(
        ', ',
      ),
    ],
    ...lists.flatMap(({ list, stale }): [string, string][] =>
      stale === true ? [['', `the list ${show(list)} is stale: its file is older than its maxAge`]] : [],
    ),
    ['connmark', `route ${show(connmark['route'])}, mask ${show(connmark['mask'])}, told ${show(connmark['told'])}`],
    ['queue full', status['fail_open'] === true ? 'packets pass unseen (failOpen)' : 'packets are dropped'],
    [
      'no engine',
      bypass === null ? 'not known: no rules found' : bypass === true ? 'packets pass' : 'packets are dropped',
    ],
    ['flows', `${show(status['flows'])}, ${show(status['held'])} packets held, ${kibibytes(status['buffered'])}`],
    ...oneArmLines(Number(status['one_armed'] ?? 0)),
    ...subscriberLines((status['subscribers'] ?? {}) as Fields),
    ['limits', pairs(status['limits'] as Fields) || 'none was reached'],
    ['probes', status['probes'] === null ? 'none' : probesText(status['probes'] as Fields)],
    ...sourceLines(status['probe_source'] as Fields | null | undefined),
    [
      'log',
      `${show(log['written'])} records, ${show(log['dropped'])} dropped, ${show(log['events_dropped'])} never made`,
    ],
  ];
  const text = lines.map(([name, value]) => `${name.padEnd(14)} ${value}\n`).join('');
  const rows = (status['queues'] as Fields[]).map((queue) => {
    const kernel = (queue['kernel'] ?? {}) as Fields;
    const cells = [queue['queue'], queue['flows'], queue['held']];
    return [...cells, kernel['waiting'], kernel['id_sequence'], kernel['queue_dropped'], kernel['user_dropped']].map(
      show,
    );
  });
  const head = ['queue', 'flows', 'held', 'waiting', 'packets', 'queue dropped', 'user dropped'];
  return `${text}\n${table(out, head, rows, { 5: lossStyle, 6: lossStyle })}`;
}

function kibibytes(octets: unknown): string {
  return `${Math.ceil(Number(octets ?? 0) / 1024)} KiB in use`;
}

function subscriberLines({ now, dropped }: Fields): [string, string][] {
  const isNone = Number(now ?? 0) + Number(dropped ?? 0) === 0;
  return isNone ? [] : [['subscribers', `${show(now)}, ${show(dropped)} dropped because they did not read`]];
}

function oneArmLines(count: number): [string, string][] {
  return count === 0
    ? []
    : [['', `${count} so far came and went by one interface: see "What it does not protect against"`]];
}

function protectionText({ state, conditions }: Fields, out: Output): string {
  const codes = [...new Set((conditions as Fields[]).map(({ code }) => show(code)))];
  if (codes.length === 0) return out.paint(state === 'protected' ? 'good' : 'warn', show(state));
  return `${out.paint(state === 'unprotected' ? 'bad' : 'warn', show(state))}: ${codes.join(', ')} (see tlspin health)`;
}

function probesText(probes: Fields): string {
  const { failures, ...counts } = probes;
  const failed = pairs(
    Object.fromEntries(Object.entries((failures ?? {}) as Fields).filter(([, count]) => count !== 0)),
  );
  return `${pairs(counts)}${failed === '' ? '' : ` (${failed})`}`;
}

/** Whose address they leave with, where that is not the gateway's anyway. */
function sourceLines(source: Fields | null | undefined): [string, string][] {
  const { asked, ipv4, ipv6, bridge } = source ?? {};
  const isPlain = (source ?? null) === null || asked === 'gateway';
  const lines: [string, string][] = isPlain
    ? []
    : [['', `source ${show(asked)}; IPv4: ${show(ipv4)}; IPv6: ${show(ipv6)}`]];
  return (bridge ?? null) === null ? lines : [...lines, ['', `over a bridge: ${show(bridge)}`]];
}

function flowsText(flows: readonly Fields[], next: number | null, all: number, out: Output): string {
  if (flows.length === 0) return all === 0 ? 'no flows\n' : `none of the ${many(all, 'flow')} fits\n`;
  const rows = flows.map((flow) => [
    show(flow['flow_id']),
    endText(flow, 'src'),
    endText(flow, 'dest'),
    show(flow['phase']),
    `${Math.round(Number(flow['age_ms']) / 1000)} s`,
    show(flow['held']),
    ((flow['pinsets'] ?? []) as string[]).join(', '),
    show(flow['sni']),
  ]);
  const text = table(out, ['flow', 'client', 'server', 'phase', 'age', 'held', 'pinsets', 'name'], rows);
  return next === null ? text : `${text}there are more: --after ${next}\n`;
}

interface Others {
  readonly names: readonly string[];
  readonly pinsets: readonly string[];
}

/** `others`: whom there are decisions about, where none fits. */
function verdictsText(verdicts: readonly Fields[], others: Others | undefined, out: Output): string {
  if (verdicts.length > 0) return table(out, VERDICT_HEAD, verdicts.map(verdictCells), VERDICT_STYLES);
  if (others === undefined || others.names.length === 0) return 'no decisions yet\n';
  const pinsets = others.pinsets.length === 0 ? '' : `, by the pinsets ${others.pinsets.map(show).join(', ')}`;
  return `none fits; there are decisions about ${others.names.map(show).join(', ')}${pinsets}\n`;
}

/** Without a heading, and with columns of their own width: more of them may follow. */
export function verdictLines(verdicts: readonly Fields[], out: Output): string {
  return verdicts
    .map((verdict) => table(out, VERDICT_WIDTHS, [verdictCells(verdict)], VERDICT_STYLES).split('\n')[1]! + '\n')
    .join('');
}

/** Of a record of the log. */
function verdictCells(record: Fields): string[] {
  const { action, would, reason, pinset } = record['verdict'] as Fields;
  const { sni } = (record['tls'] ?? {}) as Fields;
  const done = would === undefined || would === 'accept' ? show(action) : `${show(action)} (would: ${show(would)})`;
  const ends = [endText(record, 'src'), endText(record, 'dest')];
  return [
    timeText(show(record['timestamp'])),
    show(record['flow_id']),
    ...ends,
    done,
    ...[reason, pinset, sni].map(show),
  ];
}

function endText(fields: Fields, end: 'src' | 'dest'): string {
  return hostPort(show(fields[`${end}_ip`]), Number(fields[`${end}_port`]));
}

function listsText(lists: readonly Fields[], out: Output): string {
  if (lists.length === 0) return 'no lists\n';
  const rows = lists.map((list) => [
    show(list['list']),
    show(list['entries']),
    list['writable'] === true ? 'yes' : 'no',
    list['stale'] === true ? 'stale' : '',
    show(list['file']),
  ]);
  return table(out, ['list', 'entries', 'writable', 'age', 'file'], rows, { 3: () => 'warn' });
}

/** Of `explain`. */
export function showExplained(answer: Fields, out: Output): void {
  const notes =
    answer['configuration_known'] === true ? [] : ['the configuration has changed since; told is what is in force now'];
  const title = {
    flow: `flow ${show(answer['flow_id'])} (${show(answer['phase'])})`,
    isDecided: answer['decided'] === true,
    notes,
  };
  showExplanation(answer['explanation'] as Explanation, title, out);
}

function reloadText(answer: Fields): string {
  const { dry_run: isDry, in_force: isInForce, error, messages, changes, rules_needed: rules } = answer;
  const lines = [...(messages as string[])];
  if (isDry !== true && isInForce === true) {
    lines.push(`in force: ${show(answer['config'])}, generation ${show(answer['generation'])}`);
  }
  if (error !== null) lines.push(`${isDry === true ? 'it would not be' : 'not'} reloaded: ${show(error)}`);
  if (changes !== null) lines.push(...changesLines(changes as Fields));
  if (answer['replay'] !== undefined) lines.push(...replayLines(answer['replay'] as Replay));
  if ((rules as string[]).length > 0) {
    lines.push(
      `the netfilter rules have to be applied again (${(rules as string[]).join(', ')}): sudo tlspin rules --apply -c FILE`,
    );
  }
  return lines.map((line) => `${line}\n`).join('');
}

/** What the new configuration would have made of the decisions of late. */
function replayLines(replayed: Replay): string[] {
  const {
    replayed: all,
    would_deny: denied,
    newly_denied: newly,
    newly_accepted: accepted,
    denied: servers,
  } = replayed;
  if (all === 0) return ['no decision of late rests on a certificate: nothing could be tried'];
  const also = accepted === 0 ? '' : `; ${accepted} that were denied would pass`;
  const shown = servers.slice(0, SERVERS).map(({ sni, dest_ip: address, pinset, key, count }) => {
    const server = sni === null ? show(address) : `${show(sni)} (${show(address)})`;
    return `  ${server} shows ${show(key)}, which the pinset ${show(pinset)} denies: ${many(count, 'time')}`;
  });
  const more = servers.length > SERVERS ? [`  and ${servers.length - SERVERS} more`] : [];
  return [`would deny ${denied} of the last ${all}, of which ${newly} were let pass${also}`, ...shown, ...more];
}

export function changesLines(changes: Fields): string[] {
  const pinsets = changes['pinsets'] as { added: string[]; removed: string[]; changed: Fields[] };
  const lists = changes['lists'] as { added: string[]; removed: string[]; changed: Fields[] };
  const lines = [
    ...pinsets.added.map((name) => `+ pinset ${name}`),
    ...pinsets.removed.map((name) => `- pinset ${name}`),
    ...pinsets.changed.flatMap((each) => [
      `~ pinset ${show(each['pinset'])}${named(each['keys'] as string[])}`,
      ...entryLines(each['pins'] as Fields, ''),
      ...entryLines(each['deny'] as Fields, 'deny '),
    ]),
    ...lists.added.map((name) => `+ list ${name}`),
    ...lists.removed.map((name) => `- list ${name}`),
    ...lists.changed.flatMap((each) => [`~ list ${show(each['list'])}`, ...entryLines(each, '')]),
    ...(changes['sections'] as string[]).map((key) => `~ ${key}`),
  ];
  return lines.length > 0 ? lines : ['nothing changes'];
}

function entryLines(difference: Fields, kind: string): string[] {
  const { added, removed, addedCount, removedCount } = difference as unknown as {
    added: string[];
    removed: string[];
    addedCount: number;
    removedCount: number;
  };
  const more = addedCount + removedCount - added.length - removed.length;
  return [
    ...added.map((entry) => `  + ${kind}${entry}`),
    ...removed.map((entry) => `  - ${kind}${entry}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

function many(count: unknown, what: string): string {
  return `${show(count)} ${what}${count === 1 ? '' : 's'}`;
}

function named(keys: readonly string[]): string {
  return keys.length === 0 ? '' : ` (${keys.join(', ')})`;
}

function pairs(fields: Fields): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name} ${show(value)}`)
    .join(', ');
}

/** Made harmless for a terminal: names are what peers chose. */
export function show(value: unknown): string {
  return value === null || value === undefined ? '-' : printable(String(value as string | number));
}

export function duration(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} days`;
}

const VERDICT_HEAD = ['time', 'flow', 'client', 'server', 'action', 'reason', 'pinset', 'name'];
/** That a replay names. */
const SERVERS = 10;
/** What most need. */
const VERDICT_WIDTHS = [20, 6, 21, 21, 9, 14, 12, 0].map((width) => ' '.repeat(width));
const VERDICT_STYLES = { 4: actionStyle };
