/**
 * The command line: finds the command, loads only what it needs, and turns its end into an exit status: 0 done, 1 what
 * was asked about is wrong or could not be had, 2 usage. Errors are one sentence on standard error.
 */
import { Command, CommanderError } from 'commander';

import { printableLines } from '../bytes/invisible.ts';
import { packageVersion } from './version.ts';

type Register = (program: Command) => void;

/** In the order in which help shows them. */
const COMMANDS: Readonly<Record<string, () => Promise<Register>>> = {
  run: async () => (await import('./run.ts')).registerRun,
  check: async () => (await import('./check.ts')).registerCheck,
  inspect: async () => (await import('./inspect.ts')).registerInspect,
  explain: async () => (await import('./explain/explain.ts')).registerExplain,
  pin: async () => (await import('./pin.ts')).registerPin,
  audit: async () => (await import('./audit/audit.ts')).registerAudit,
  import: async () => (await import('./import.ts')).registerImport,
  log: async () => (await import('./log.ts')).registerLog,
  ctl: async () => (await import('./ctl/ctl.ts')).registerCtl,
  doctor: async () => (await import('./doctor.ts')).registerDoctor,
  why: async () => (await import('./why/why.ts')).registerWhy,
  inbox: async () => (await import('./inbox/inbox.ts')).registerInbox,
  health: async () => (await import('./health.ts')).registerHealth,
  top: async () => (await import('./top.ts')).registerTop,
  web: async () => (await import('./web/web.ts')).registerWeb,
  list: async () => (await import('./list.ts')).registerList,
  learn: async () => (await import('./learn/learn.ts')).registerLearn,
  rules: async () => (await import('./rules.ts')).registerRules,
  fleet: async () => (await import('./fleet.ts')).registerFleet,
  demo: async () => (await import('./demo.ts')).registerDemo,
  completion: async () => (await import('./completion.ts')).registerCompletion,
  man: async () => (await import('./man.ts')).registerMan,
};

/** They speak of all others. */
const NEED_ALL: ReadonlySet<string> = new Set(['completion', 'help', 'man']);

/** Never rejects. */
export async function runProgram(args: readonly string[]): Promise<void> {
  // Whoever reads a part of the output only, such as head, has what they want.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode);
    throw error;
  });
  try {
    await parse(args);
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = statusOf(error);
    } else {
      process.stderr.write(`tlspin: ${printableLines(error instanceof Error ? error.message : String(error))}\n`);
      process.exitCode = 1;
    }
  }
}

async function parse(args: readonly string[]): Promise<void> {
  const program = new Command('tlspin')
    .description('TLS certificate pinning at the netfilter level')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    // What a command takes is its own help's to say: here it would leave no room in 80 columns.
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .exitOverride();
  // A command that is named is loaded alone; suggestions need them all.
  const name = args.find((arg) => !arg.startsWith('-')) ?? '';
  const named = Object.hasOwn(COMMANDS, name) && !NEED_ALL.has(name) ? COMMANDS[name] : undefined;
  const wanted = named === undefined ? Object.values(COMMANDS) : [named];
  for (const load of wanted) (await load())(program);
  await program.parseAsync(args, { from: 'user' });
}

/** Commands end with statuses of their own; what the parser objects to is usage. */
function statusOf(error: CommanderError): number {
  if (error.code === 'commander.error') return error.exitCode;
  return error.exitCode === 0 ? 0 : 2;
}
