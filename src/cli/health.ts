/**
 * `tlspin health`: whether a running tlspin protects what it is to protect, for people and for what watches machines. Its
 * exit status is the answer; what may be lacking is runtime/protection/conditions.ts.
 */
import type { Command } from 'commander';

import { printable } from '../bytes/invisible.ts';
import type { healthOf } from '../runtime/control/health.ts';
import { type ControlFlags, withControl, withControlFlags } from './control.ts';
import { duration } from './ctl/text.ts';
import { addExamples, setExitStatuses } from './help.ts';
import { Output, type Style } from './output.ts';

export type Health = ReturnType<typeof healthOf>;

export function registerHealth(program: Command): void {
  const command = withControlFlags(
    program
      .command('health')
      .summary('say whether a running tlspin protects')
      .description('Say whether a running tlspin protects what it is to protect, and since when it does not.'),
  ).action((flags: ControlFlags, command: Command) => health(flags, command));
  setExitStatuses(command, [
    [STATUS.protected, 'Protected.'],
    [STATUS.degraded, 'Degraded: pins are held to, or not by choice, but something wants attention.'],
    [STATUS.unprotected, 'Not protected: connections may pass unseen. Also: the command line was not understood.'],
    [NO_ENGINE, 'There is no engine, or none that answers within 5 seconds.'],
  ]);
  addExamples(
    command,
    { command: 'tlspin health', does: 'whether the tlspin of this host protects' },
    { command: 'tlspin health --json | jq -r .health.conditions[].code', does: 'what is lacking, for programs' },
  );
}

async function health(flags: ControlFlags, command: Command): Promise<void> {
  await withControl(
    flags,
    command,
    async (client) => {
      const answer = await client.ask({ command: 'health' });
      const found = answer['health'] as Health;
      const out = new Output(process.stdout);
      if (flags.json === true) out.json(answer);
      else out.write(healthText(found, out));
      process.exitCode = STATUS[found.state];
    },
    { exitCode: NO_ENGINE, patienceMs: PATIENCE_MS },
  );
}

/** Line by line: how it stands, and then what is lacking. */
export function healthText({ state, conditions }: Health, out: Output): string {
  const lines = conditions.flatMap(({ code, severity, meaning, mend, detail, since, age }) => [
    `${out.paint(STYLES[severity], code)}  ${printable(detail)}`,
    `    since ${since} (${duration(age)})`,
    `    ${meaning}`,
    `    To mend it: ${mend}`,
  ]);
  return [out.paint(STYLES[state], WORDS[state]), ...lines].map((text) => `${text}\n`).join('');
}

const STATUS: Readonly<Record<Health['state'], number>> = { protected: 0, degraded: 1, starting: 1, unprotected: 2 };
const NO_ENGINE = 3;
const PATIENCE_MS = 5_000;
const WORDS: Readonly<Record<Health['state'], string>> = {
  protected: 'protected',
  starting: 'starting: whether it protects is not known yet',
  degraded: 'degraded',
  unprotected: 'NOT PROTECTED',
};
const STYLES: Readonly<Record<Health['state'], Style>> = {
  protected: 'good',
  degraded: 'warn',
  starting: 'warn',
  unprotected: 'bad',
};
