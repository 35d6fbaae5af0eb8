/** `tlspin doctor`: looks once at everything around tlspin. What is looked at is runtime/doctor/. */
import { existsSync } from 'node:fs';

import type { Command } from 'commander';

import { printable } from '../bytes/invisible.ts';
import { loadPolicy } from '../pins/load.ts';
import type { Policy } from '../pins/policy.ts';
import { lookAround } from '../runtime/doctor/doctor.ts';
import type { Finding, Gravity } from '../runtime/doctor/finding.ts';
import { policyOf } from './configuration.ts';
import { addExamples, setExitStatuses } from './help.ts';
import { Output, type Style } from './output.ts';

interface Flags {
  readonly config?: string;
  readonly json?: true;
}

export function registerDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .summary('look for what is wrong around tlspin')
    .description(
      'Look once at the rules in the kernel, the marks that others use, and the machine, and say what is wrong and how to mend it. Changes nothing.',
    )
    .option('-c, --config <file>', `the configuration that all is held against (otherwise ${USUAL_FILE}, or none)`)
    .option('--json', 'print what was found as one JSON document')
    .action(async (flags: Flags, command: Command) => {
      const file = flags.config ?? (existsSync(USUAL_FILE) ? USUAL_FILE : undefined);
      const policy = file === undefined ? defaults() : policyOf(file, command, 'nothing was looked at');
      const findings = await lookAround(policy);
      const out = new Output(process.stdout);
      if (flags.json === true) out.json({ findings });
      else out.write(findings.map((finding) => findingText(finding, out)).join(''));
      process.exitCode = findings.reduce((worst, { gravity }) => Math.max(worst, STATUS[gravity]), 0);
    });
  setExitStatuses(command, [
    [STATUS.fine, 'Nothing is wrong.'],
    [STATUS.degraded, 'Something wants attention, or the configuration is not valid.'],
    [STATUS.unprotected, 'Connections may pass unseen. Also: the command line was not understood.'],
  ]);
  addExamples(
    command,
    { command: 'sudo tlspin doctor -c /etc/tlspin.json', does: 'what is wrong, the worst first' },
    {
      command: 'sudo tlspin doctor -c /etc/tlspin.json --json | jq .findings[].mend',
      does: 'the same for programs',
    },
  );
}

/** As of a configuration that says nothing. */
function defaults(): Policy {
  const empty = { bytes: new TextEncoder().encode('{ "version": 1 }'), modifiedMs: 0 };
  const loaded = loadPolicy('nothing', () => empty);
  if ('policy' in loaded) return loaded.policy;
  throw new Error(loaded.errors.map(({ text }) => text).join('; '));
}

function findingText({ code, gravity, detail, mend }: Finding, out: Output): string {
  const line = `${out.paint(STYLES[gravity], WORDS[gravity].padEnd(WIDTH))}  ${printable(detail)} (${code})\n`;
  return mend === undefined ? line : `${line}${' '.repeat(WIDTH)}  To mend it: ${mend}\n`;
}

const USUAL_FILE = '/etc/tlspin.json';
const STATUS: Readonly<Record<Gravity, number>> = { fine: 0, note: 0, degraded: 1, unprotected: 2 };
const WORDS: Readonly<Record<Gravity, string>> = {
  fine: 'fine',
  note: 'note',
  degraded: 'wrong',
  unprotected: 'NOT PROTECTED',
};
const WIDTH = WORDS.unprotected.length;
const STYLES: Readonly<Record<Gravity, Style>> = { fine: 'good', note: 'note', degraded: 'warn', unprotected: 'bad' };
