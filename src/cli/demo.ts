/** `tlspin demo`: puts the demonstration into namespaces of its own and turns its outcome into an exit status. */
import { Option } from 'commander';
import type { Command } from 'commander';

import { runDemo } from '../runtime/demo/demo.ts';
import { requirePrograms, runPrivately } from '../runtime/demo/private.ts';
import { Screen } from '../runtime/demo/screen.ts';
import { addExamples } from './help.ts';

export function registerDemo(program: Command): void {
  const command = program
    .command('demo')
    .summary('see a forged certificate being stopped')
    .description(
      'Build a private network with real rules and a real engine, visit a genuine and a forged server, and show what ' +
        'happens. Needs no root where ordinary users may make namespaces; exit status 0 only if all went as it should.',
    )
    .addOption(new Option('--inside').hideHelp())
    .action(async (flags: { inside?: boolean }, command: Command) => {
      process.exitCode = await demo(flags.inside === true).catch((error: unknown) =>
        command.error(`error: ${error instanceof Error ? error.message : String(error)}`, { exitCode: 1 }),
      );
    });
  addExamples(command, { command: 'tlspin demo', does: 'a genuine and a forged server, and what becomes of both' });
}

async function demo(inside: boolean): Promise<number> {
  const tlspin = [process.execPath, process.argv[1] ?? ''];
  if (inside) return (await runDemo({ tlspin, screen: new Screen(process.stdout) })) ? 0 : 1;
  requirePrograms(PROGRAMS);
  return runPrivately([...tlspin, 'demo', '--inside']);
}

/** Program -> the package that has it, as Debian names it. */
export const PROGRAMS = {
  unshare: 'util-linux',
  ip: 'iproute2',
  iptables: 'iptables',
  ip6tables: 'iptables',
  openssl: 'openssl',
  curl: 'curl',
};
