/**
 * `tlspin inbox`: which certificates have changed, for whom, and the answer to it. Owns the flags; what an entry is,
 * runtime/incident/inbox.ts says, and what becomes of an answer, runtime/control/inbox.ts.
 */
import { type Command, InvalidArgumentError } from 'commander';

import { parseDuration } from '../../pins/document/dates.ts';
import { ControlClient } from '../../runtime/control/client.ts';
import type { Acceptance } from '../../runtime/control/inbox.ts';
import { type AnswerKind, answerOf, Inbox, type InboxAnswer, type InboxEntry } from '../../runtime/incident/inbox.ts';
import { socketOf, withControl, withControlFlags } from '../control.ts';
import { decisions, type SourceFlags, sourcesOf } from '../ctl/log-sources.ts';
import { since } from '../ctl/since.ts';
import { addExamples, asSentence, type Example } from '../help.ts';
import { Output } from '../output.ts';
import { acceptedText, showEntries, showEntry } from './text.ts';

interface Flags extends SourceFlags {
  /** Milliseconds since the epoch. */
  readonly since?: number;
  readonly all?: true;
  readonly dryRun?: true;
  readonly comment?: string;
  /** Milliseconds. */
  readonly for?: number;
}

export function registerInbox(program: Command): void {
  const inbox = program
    .command('inbox')
    .summary('say which certificates have changed, and answer it')
    .description(
      'Say which certificates have changed, one entry for each pinset, host and key, and answer: accept the key, or go on denying it.',
    );
  withSources(subcommand(inbox, 'list', 'what waits for an answer', EXAMPLES.list))
    .option('--all', 'what was answered, too')
    .action((flags: Flags, command: Command) => orError(command, () => showAll(flags)));
  withSources(subcommand(inbox, 'show', 'everything about one entry', EXAMPLES.show))
    .argument('<entry>', 'its number, or how that begins')
    .action((id: string, flags: Flags, command: Command) => orError(command, () => showOne(id, flags)));
  for (const [kind, summary] of ANSWERS) {
    const command = withSources(subcommand(inbox, kind, summary, EXAMPLES[kind]))
      .argument('<entry>', kind === 'accept' ? 'its whole number' : 'its number, or how that begins')
      .option('--comment <text>', 'what is to be remembered with it');
    if (kind === 'accept') command.option('--dry-run', 'only say what would become of it');
    if (kind === 'snooze') command.requiredOption('--for <duration>', 'for how long: 30m, 12h, 7d', duration);
    command.action((id: string, flags: Flags, self: Command) => orError(self, () => answer(kind, id, flags, self)));
  }
}

function subcommand(inbox: Command, name: string, summary: string, example: Example): Command {
  const command = inbox
    .command(name, { isDefault: name === 'list' })
    .summary(summary)
    .description(asSentence(summary));
  return addExamples(withControlFlags(command), example);
}

function withSources(command: Command): Command {
  return command
    .option('--since <time>', 'by decisions from then on: 90s, 30m, 2h, 7d ago, or a time', since)
    .option('--log <file...>', 'by log files, with those that were rotated away, besides what tlspin remembers');
}

async function showAll(flags: Flags): Promise<void> {
  const inbox = await inboxOf(flags);
  const entries = inbox.entries(Date.now()).filter(({ state }) => flags.all === true || state === 'open');
  const out = new Output(process.stdout);
  if (flags.json === true) out.json({ entries, displaced: inbox.displaced });
  else showEntries(entries, flags.all === true, out);
}

async function showOne(id: string, flags: Flags): Promise<void> {
  const entry = find(await inboxOf(flags), id);
  const out = new Output(process.stdout);
  if (flags.json === true) out.json(entry);
  else showEntry(entry, out);
}

async function answer(kind: AnswerKind, id: string, flags: Flags, command: Command): Promise<void> {
  // Whoever has one host show key after key has one of them begin as the one that was looked at.
  if (kind === 'accept' && !WHOLE.test(id)) {
    throw new Error(`"${id}" is not the whole number of an entry, which accepting takes: see tlspin inbox show ${id}`);
  }
  const entry = find(await inboxOf(flags), id);
  const { sha1, sha256 } = entry.chain[0]!;
  await withControl(flags, command, async (client) => {
    const answered = await client.ask({
      ...{ command: 'inbox', action: kind, pinset: entry.pinset, host: entry.host, key: entry.key, sha1, sha256 },
      ...(flags.comment === undefined ? {} : { comment: flags.comment }),
      ...(flags.dryRun === true ? { dry_run: true } : {}),
      ...(flags.for === undefined ? {} : { until: new Date(Date.now() + flags.for).toISOString() }),
    });
    const out = new Output(process.stdout);
    if (flags.json === true) return out.json(answered);
    const accepted = answered['accepted'] as Acceptance | null;
    if (accepted !== null) return out.write(acceptedText(entry, accepted, flags.dryRun === true));
    out.line(`${entry.id}: ${DONE[kind]}`);
  });
}

/** Out of the log, of what a running tlspin remembers, and of the answers in either. */
async function inboxOf(flags: Flags): Promise<Inbox> {
  const say = (line: string): void => void process.stderr.write(`tlspin inbox: ${line}\n`);
  const from = flags.since ?? -Infinity;
  const sources = await sourcesOf(flags, from, say);
  const inbox = new Inbox();
  for await (const record of decisions(sources, from, say, (answered) => inbox.answer(answerOf(answered)))) {
    inbox.add(record);
  }
  if (sources.remembered !== undefined) for (const each of await rememberedAnswers(flags)) inbox.answer(each);
  return inbox;
}

async function rememberedAnswers(flags: Flags): Promise<readonly InboxAnswer[]> {
  const client = await ControlClient.connect(socketOf(flags));
  try {
    return (await client.ask({ command: 'inbox' }))['answers'] as readonly InboxAnswer[];
  } finally {
    client.close();
  }
}

function find(inbox: Inbox, id: string): InboxEntry {
  if (id === '') throw new Error('say which entry: its number, or how that begins');
  const fitting = inbox.entries(Date.now()).filter((entry) => entry.id.startsWith(id));
  const [entry] = fitting;
  if (entry === undefined) throw new Error(`there is no entry ${id}: see tlspin inbox list --all`);
  if (fitting.length > 1) throw new Error(`${fitting.length} entries begin with ${id}: write more of it`);
  return entry;
}

async function orError(command: Command, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    command.error(`error: ${(error as Error).message}`, { exitCode: 1 });
  }
}

function duration(text: string): number {
  const millis = parseDuration(text);
  if (millis === undefined || millis <= 0)
    throw new InvalidArgumentError('expected a duration such as 30m, 12h or 7d.');
  return millis;
}

const WHOLE = /^[0-9a-f]{12}$/;

const ANSWERS = [
  ['accept', 'let this key pass from now on'],
  ['deny', 'go on denying it, and ask no more'],
  ['snooze', 'go on denying it, and ask again later'],
  ['reopen', 'take an answer back: it waits for another one'],
] as const satisfies readonly (readonly [AnswerKind, string])[];

const DONE: Readonly<Record<AnswerKind, string>> = {
  accept: 'accepted',
  deny: 'denied from now on as before',
  snooze: 'denied as before; it will be asked again',
  reopen: 'waits for an answer again',
};

const EXAMPLES: Readonly<Record<AnswerKind | 'list' | 'show', Example>> = {
  list: { command: 'tlspin inbox', does: 'what waits for an answer' },
  show: { command: 'tlspin inbox show 3f9c', does: 'the old key and the new one, who saw it, and what is suspicious' },
  accept: {
    command: 'tlspin inbox accept 3f9c1d20a7be --comment "asked their hotline"',
    does: 'its key passes from now on; --dry-run says what that would do',
  },
  deny: { command: 'tlspin inbox deny 3f9c', does: 'nothing changes, and it is off the list' },
  snooze: { command: 'tlspin inbox snooze 3f9c --for 12h', does: 'nothing changes, until tomorrow' },
  reopen: { command: 'tlspin inbox reopen 3f9c', does: 'it is on the list again' },
};
