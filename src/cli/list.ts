/**
 * `tlspin list`: the lists of a running tlspin, shown and changed. Reads fingerprints as the usual programs print them:
 *
 *   openssl s_client -connect HOST:443 </dev/null | openssl x509 -outform DER | sha1sum | tlspin list 0 add -
 */
import { readFileSync } from 'node:fs';

import type { Command } from 'commander';

import type { ControlClient } from '../runtime/control/client.ts';
import { type ControlFlags, withControl, withControlFlags } from './control.ts';
import { type Fields, show, TEXTS } from './ctl/text.ts';
import { addExamples } from './help.ts';
import { Output } from './output.ts';

export function registerList(program: Command): void {
  const registered = withControlFlags(
    program
      .command('list')
      .summary('show and change the lists of a running tlspin')
      .description('Show and change the lists of a running tlspin, which take effect at once.')
      .argument('[list]', 'name or number; without one all are named')
      .argument('[action]', 'show, add or rm', 'show')
      .argument('[fingerprints...]', 'in any spelling; - reads them from standard input, one a line'),
  ).action(async (list: string | undefined, action: string, given: string[], flags: ControlFlags, command: Command) => {
    if (!ACTIONS.includes(action)) command.error(`error: what is "${action}"? show, add or rm`, { exitCode: 2 });
    const changes = action !== 'show';
    if (changes && given.length === 0) {
      command.error(`error: missing argument 'fingerprints': name some, or - for standard input`, { exitCode: 2 });
    }
    if (!changes && given.length > 0) command.error('error: show takes no fingerprints', { exitCode: 2 });
    await withControl(flags, command, async (client) => {
      if (list === undefined) return print(await client.ask({ command: 'lists' }), flags, TEXTS['lists']!);
      if (!changes) return showAll(client, list, flags);
      const entries = given.flatMap((text) => (text === '-' ? linesOf(readFileSync(0, 'utf8')) : [text]));
      await change(client, list, action, entries, flags);
    });
  });
  addExamples(
    registered,
    {
      command: 'openssl x509 -in cert.pem -outform DER | sha1sum | tlspin list 0 add -',
      does: 'a certificate into list 0, at once',
    },
    { command: 'tlspin list 0', does: 'what is on it' },
    { command: 'tlspin list 0 show | tlspin list 0 rm -', does: 'nothing is on it any more' },
  );
}

/** Page after page. */
async function showAll(client: ControlClient, list: string, flags: ControlFlags): Promise<void> {
  const entries: string[] = [];
  for (let after: unknown = 0; after !== null;) {
    const page = await client.ask({ command: 'list', list, action: 'show', after });
    entries.push(...(page['entries'] as string[]));
    after = page['next'];
  }
  print({ list, entries }, flags, () => entries.map((entry) => `${entry}\n`).join(''));
}

/** Many go in several requests, each of which is done or not done. */
async function change(client: ControlClient, list: string, action: string, entries: string[], flags: ControlFlags) {
  if (entries.length === 0) throw new Error('there are no fingerprints to read');
  let last: Fields = {};
  let [added, removed] = [0, 0];
  const unchanged: string[] = [];
  for (const part of partsOf(entries)) {
    last = await client.ask({ command: 'list', list, action, entries: part });
    added += Number(last['added']);
    removed += Number(last['removed']);
    unchanged.push(...(last['unchanged'] as string[]));
  }
  const answer = { ...last, added, removed, unchanged };
  print(answer, flags, () => changeText(answer, action));
}

/** As many at a time as a request holds. */
function* partsOf(entries: readonly string[]): Iterable<string[]> {
  let part: string[] = [];
  let octets = 0;
  for (const entry of entries) {
    const more = Buffer.byteLength(JSON.stringify(entry)) + 1;
    if (part.length > 0 && octets + more > OCTETS_A_REQUEST) {
      yield part;
      [part, octets] = [[], 0];
    }
    part.push(entry);
    octets += more;
  }
  yield part;
}

function changeText(answer: Fields, action: string): string {
  const { list, added, removed, unchanged, entries, file } = answer;
  const count = (unchanged as string[]).length;
  const there = action === 'add' ? 'there already' : 'not there';
  const done = action === 'add' ? `${show(added)} added` : `${show(removed)} removed`;
  const kept = file === null ? 'until tlspin is restarted: the list has no file' : `written to ${show(file)}`;
  return `list ${show(list)}: ${done}${count === 0 ? '' : `, ${count} ${there}`}; ${show(entries)} now; ${kept}\n`;
}

/** Without what is empty or a comment. */
function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '');
}

function print(answer: Fields, flags: ControlFlags, text: (answer: Fields, out: Output) => string): void {
  const out = new Output(process.stdout);
  if (flags.json === true) out.json(answer);
  else out.write(text(answer, out));
}

const ACTIONS = ['show', 'add', 'rm'];
/** The server takes a MiB. */
const OCTETS_A_REQUEST = 900_000;
