/**
 * `tlspin why`: what was decided about a server or a client, by cause, out of log files and of what a running tlspin
 * remembers, and what to do about it. Owns the flags; how causes are told apart is runtime/incident/'s.
 */
import type { Command } from 'commander';

import type { Query } from '../../runtime/incident/query.ts';
import { withControlFlags } from '../control.ts';
import { decisions, type SourceFlags, sourcesOf } from '../ctl/log-sources.ts';
import { since } from '../ctl/since.ts';
import { addExamples } from '../help.ts';
import { Incident, queryOf } from './incident.ts';
import { tellIncident } from './telling.ts';

interface Flags extends SourceFlags {
  /** Milliseconds since the epoch. */
  readonly since?: number;
}

export function registerWhy(program: Command): void {
  const command = withControlFlags(
    program
      .command('why')
      .summary('say what was decided about a server or a client, and why')
      .description(
        'Say what was decided about a server or a client, how often, from when to when, grouped by cause; and what to ' +
          'write into the configuration where a new key is genuine. It reads the log of the running tlspin, what was ' +
          'rotated away included, and what that remembers; or the files that --log names.',
      )
      .argument('<subject>', 'a server name, *.NAME, or an address or network of either end', queryOf),
  )
    .option('--since <time>', 'from then on: 90s, 30m, 2h, 7d ago, or a time such as 2027-01-31T12:00:00Z', since)
    .option('--log <file...>', 'log files, with those that were rotated away (.1, -20270131, .gz); - is standard input')
    .action((query: Query, flags: Flags, self: Command) =>
      why(query, flags).catch((error: unknown) => self.error(`error: ${(error as Error).message}`, { exitCode: 1 })),
    );
  addExamples(
    command,
    { command: 'tlspin why www.bank.example --since 2h', does: 'who was refused there, and why' },
    { command: 'tlspin why 10.1.2.3 --log /var/log/tlspin.json', does: 'what happened to one client, by the log' },
  );
}

async function why(query: Query, flags: Flags): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`tlspin why: ${line}\n`);
  const from = flags.since ?? -Infinity;
  const sources = await sourcesOf(flags, from, say);
  const incident = new Incident(query);
  const read = new Set(sources.files);
  const onTrouble = (line: string, unread = ''): void => {
    say(line);
    read.delete(unread);
  };
  for await (const record of decisions(sources, from, onTrouble)) incident.take(record);
  if (sources.remembered !== undefined) read.add('the running tlspin');
  tellIncident(incident, { since: flags.since, read: [...read], isJson: flags.json === true });
}
