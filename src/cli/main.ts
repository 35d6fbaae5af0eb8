#!/usr/bin/env node
/**
 * The command line: finds the command, loads only what it needs, and turns its end into an exit status: 0 done, 1 what
 * was asked about is wrong or could not be had, 2 usage. Errors are one sentence on standard error.
 */
import { readFileSync } from 'node:fs';

import { Command, CommanderError } from 'commander';

type Register = (program: Command) => void;

/** In the order in which help shows them. */
const COMMANDS: Readonly<Record<string, () => Promise<Register>>> = {
  run: async () => (await import('./run.ts')).registerRun,
  check: async () => (await import('./check.ts')).registerCheck,
  inspect: async () => (await import('./inspect.ts')).registerInspect,
  pin: async () => (await import('./pin.ts')).registerPin,
  learn: async () => (await import('./learn.ts')).registerLearn,
  rules: async () => (await import('./rules.ts')).registerRules,
  demo: async () => (await import('./demo.ts')).registerDemo,
};

async function main(args: readonly string[]): Promise<void> {
  const program = new Command('tlspin')
    .description('TLS certificate pinning at the netfilter level')
    .version(versionOf(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .exitOverride();
  // A command that is named is loaded alone; help and suggestions need them all.
  const named = COMMANDS[args.find((arg) => !arg.startsWith('-')) ?? ''];
  const wanted = named === undefined || args.includes('help') ? Object.values(COMMANDS) : [named];
  for (const load of wanted) (await load())(program);
  await program.parseAsync(args, { from: 'user' });
}

function versionOf(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** Commands end with statuses of their own; what the parser objects to is usage. */
function statusOf(error: CommanderError): number {
  if (error.code === 'commander.error') return error.exitCode;
  return error.exitCode === 0 ? 0 : 2;
}

// Whoever reads a part of the output only, such as head, has what they want.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(process.exitCode);
  throw error;
});

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = statusOf(error);
  } else {
    process.stderr.write(`tlspin: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
