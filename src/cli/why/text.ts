/** What was decided about somebody, by cause, as people read it. Knows nothing of where it was read. */
import { printable } from '../../bytes/invisible.ts';
import { hostPort } from '../../report/endpoint.ts';
import { meaningOf } from '../../report/reasons.ts';
import { type Cause, isDenied, type LeafOfRecord, type Tally } from '../../runtime/incident/causes.ts';
import { remedyFor } from '../../runtime/incident/remedy.ts';
import { timeText } from '../ctl/since.ts';
import type { Output } from '../output.ts';
import type { Incident } from './incident.ts';

export function showIncident(
  { subject, causes, others }: Incident,
  since: number | undefined,
  read: readonly string[],
  out: Output,
): void {
  const from = since === undefined ? '' : ` since ${timeText(new Date(since).toISOString())}`;
  const count = (some: readonly Cause[]): number => some.reduce((total, cause) => total + cause.count, 0);
  const denied = count(causes.filter(isDenied));
  out.line(
    `${out.paint('bold', printable(subject))}${from}: ${many(count(causes), 'decision')}, ${denied} of them denied`,
  );
  out.line(out.paint('faint', `read: ${read.map(printable).join(', ') || 'nothing'}`));
  if (causes.length === 0) out.line(`\n${whatThereIs(others)}`);
  for (const cause of causes) showCause(cause, out);
}

function whatThereIs(others: Tally): string {
  if (others.sorted.length === 0) return 'no decision about anybody was found there';
  return `decisions about others were found: ${tallyText(others)}`;
}

function showCause(cause: Cause, out: Output): void {
  const { action, would, reason, pinset, fault, leaf, flow_id: flow } = cause;
  const { advice, paste } = remedyFor(cause);
  const style = isDenied(cause) ? (action === 'accept' ? 'warn' : 'bad') : 'good';
  const done = would === null || would === action ? action : `${action} (would: ${would})`;
  out.line();
  out.line(
    `${out.paint(style, `${done}, ${reason}`)}, ${pinset === null ? 'no pinset' : `pinset ${printable(pinset)}`}: ${times(cause.count)}`,
  );
  out.line(`  ${meaningOf(reason)}`);
  if (fault !== null) out.line(`  what was wrong: ${printable(fault)}`);
  out.line(`  first ${timeText(cause.first)}, last ${timeText(cause.last)}`);
  out.line(`  clients: ${tallyText(cause.clients)}`);
  out.line(`  servers: ${tallyText(cause.servers, serverText)}`);
  if (cause.names.sorted.length > 0) out.line(`  names: ${tallyText(cause.names)}`);
  if (cause.gateways.sorted.length > 0) out.line(`  gateways: ${tallyText(cause.gateways)}`);
  if (leaf !== null) showLeaf(leaf, out);
  if (advice !== 'nothing') out.line(`  to do: ${advice.replace(/`([^`]*)`/g, quoted)}`);
  if (paste !== null) {
    out.line(`  where that key is genuine, into "pins" of the pinset "${printable(paste.pinset)}":`);
    out.line(`    ${out.paint('note', printable(paste.line))}`);
  }
  const isHere = cause.gateways.sorted.length === 0;
  if (isDenied(cause) && isHere) out.line(`  more of the last one: tlspin ctl explain ${flow}`);
}

function showLeaf(
  { subject, issuer, not_before: from, not_after: until, spki_sha256: spki }: LeafOfRecord,
  out: Output,
): void {
  out.line(`  shown: ${printable(subject ?? 'unreadable')}, issued by ${printable(issuer ?? 'unreadable')}`);
  out.line(`    valid from ${from?.slice(0, 10) ?? '?'} until ${until?.slice(0, 10) ?? '?'} (UTC)`);
  if (spki !== null) out.line(`    spki-sha256:${spki}`);
}

function serverText(server: string): string {
  const [address = '', port = ''] = server.split(' ');
  return hostPort(address, Number(port));
}

function tallyText(tally: Tally, textOf: (value: string) => string = (value) => value): string {
  const { sorted } = tally;
  const shown = sorted.slice(0, SHOWN).map(([value, count]) => `${printable(textOf(value))} (${count})`);
  const more = sorted.length - shown.length;
  return [...shown, ...(more > 0 ? [`${tally.isFull ? 'at least ' : ''}${more} more`] : [])].join(', ');
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

function many(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** What has quotes of its own needs no others. */
function quoted(_: string, code: string): string {
  return code.includes('"') ? code : `"${code}"`;
}

const SHOWN = 5;
