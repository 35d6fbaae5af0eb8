/** The inbox as people read it: a table, an entry, and what became of an accepted key. */
import { printable } from '../../bytes/invisible.ts';
import type { Acceptance } from '../../runtime/control/inbox.ts';
import type { LeafOfRecord } from '../../runtime/incident/causes.ts';
import type { Counted, InboxEntry } from '../../runtime/incident/inbox.ts';
import { timeText } from '../ctl/since.ts';
import type { Output, Style } from '../output.ts';

export function showEntries(entries: readonly InboxEntry[], isAll: boolean, out: Output): void {
  if (entries.length === 0) {
    out.line(
      isAll ? 'no certificate has changed' : 'nothing waits for an answer (tlspin inbox --all: what was answered)',
    );
    return;
  }
  const rows = entries.map((entry) => [
    entry.id,
    entry.state,
    entry.host,
    entry.pinset,
    String(entry.refused),
    timeText(entry.first),
    timeText(entry.last),
    worstOf(entry),
  ]);
  out.table(['entry', 'state', 'host', 'pinset', 'refused', 'first', 'last', 'what differs'], rows);
}

export function showEntry(entry: InboxEntry, out: Output): void {
  const { id, host, pinset, mode, state, answer, before, reason, meaning, action, would } = entry;
  out.line(`${out.paint('bold', printable(host))}, pinset ${printable(pinset)} (${mode}): ${state}, entry ${id}`);
  out.line(`  ${would === null ? action : `${action} (would: ${would})`}, ${reason}: ${meaning}`);
  out.line(
    `  ${entry.count} times, ${entry.refused} refused; first ${timeText(entry.first)}, last ${timeText(entry.last)}`,
  );
  out.line(`  clients: ${countedText(entry.clients)}`);
  out.line(`  servers: ${countedText(entry.servers)}`);
  showLeaf('before', before?.leaf ?? null, out);
  showLeaf('now', entry.chain[0]!, out);
  for (const { level, text } of entry.differences) out.line(`  ${out.paint(STYLES[level], MARKS[level])} ${text}`);
  out.line(`  ${out.paint('note', entry.key)}`);
  if (answer !== null) {
    const comment = answer.comment === null ? '' : `: ${printable(answer.comment)}`;
    out.line(`  ${answer.answer}, ${timeText(answer.at)}, by ${printable(answer.by)}${comment}`);
  }
  out.line(`  a key is no proof of anything: ask the owner of ${printable(host)} whether it was changed`);
  out.line(`  then: tlspin inbox accept ${id} | deny ${id} | snooze ${id} --for 12h`);
}

export function acceptedText({ host }: InboxEntry, accepted: Acceptance, isDry: boolean): string {
  const { pin, list, file, pinsets, hosts, hosts_count: count, replay } = accepted;
  const where = list === null ? 'what was learned' : `the list ${list}`;
  const kept = file === null ? ', until tlspin is restarted: it has no file' : ` (${file})`;
  const lines = [
    `${isDry ? 'would go' : 'accepted'}: ${pin} into ${where}${printable(kept)}`,
    `${isDry ? 'it would let' : 'it lets'} ${printable(host)} pass, and whoever else has that key, for ${pinsets.map(printable).join(', ')}: ${hostsText(hosts, count)}`,
    ...(replay === null
      ? []
      : [`of the last ${replay.replayed} decisions ${replay.newly_accepted} that were denied would pass`]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function hostsText(hosts: readonly string[], count: number): string {
  if (count === 0) return 'whatever the host';
  const shown = hosts.slice(0, SHOWN).map(printable).join(', ');
  return count > SHOWN ? `${shown} and ${count - Math.min(SHOWN, hosts.length)} more` : shown;
}

/** What is most suspicious. */
function worstOf({ differences }: InboxEntry): string {
  const worst = differences.find(({ level }) => level === 'bad') ?? differences.find(({ level }) => level === 'warn');
  return (worst ?? differences[0])?.text ?? '';
}

function showLeaf(when: string, leaf: LeafOfRecord | null, out: Output): void {
  if (leaf === null) return;
  const { subject, issuer, not_before: from, not_after: until, spki_sha256: spki } = leaf;
  out.line(`  ${when}: ${printable(subject ?? 'unreadable')}, issued by ${printable(issuer ?? 'unreadable')}`);
  out.line(`    valid from ${from?.slice(0, 10) ?? '?'} until ${until?.slice(0, 10) ?? '?'} (UTC)`);
  if (spki !== null) out.line(`    spki-sha256:${spki}`);
}

function countedText({ known, more }: Counted): string {
  const shown = known.slice(0, SHOWN).map(({ value, count }) => `${printable(value)} (${count})`);
  const rest = known.length - shown.length;
  const others = more ? ['and others'] : rest > 0 ? [`${rest} more`] : [];
  return [...shown, ...others].join(', ');
}

type Level = InboxEntry['differences'][number]['level'];
const STYLES: Readonly<Record<Level, Style>> = { bad: 'bad', warn: 'warn', note: 'faint' };
const MARKS: Readonly<Record<Level, string>> = { bad: '!!', warn: '! ', note: '- ' };
const SHOWN = 5;
