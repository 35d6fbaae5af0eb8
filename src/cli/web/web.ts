/**
 * `tlspin web`: the console in a browser, as a process of its own that talks to a running tlspin over its control socket.
 * Owns the flags; the console is src/web/.
 */
import { fstatSync } from 'node:fs';

import type { Command } from 'commander';

import type { AskFleet } from '../../web/elsewhere.ts';
import type { ListenOptions } from '../../web/listen.ts';
import type { ServeOptions } from '../../web/serve.ts';
import { readConfiguration } from '../../runtime/control/configuration/reading.ts';
import { type ControlFlags, socketOf } from '../control.ts';
import { addExamples } from '../help.ts';
import { packageVersion } from '../version.ts';
import { askServer } from './asking.ts';
import { fleetView } from './fleet-view.ts';

interface Flags extends ListenOptions, Pick<ControlFlags, 'control' | 'config'> {
  readonly allowChanges?: true;
  readonly tokenFile?: string;
}

export function registerWeb(program: Command): void {
  const command = program
    .command('web')
    .summary('show a running tlspin in a browser')
    .description(
      'Show a running tlspin in a browser: which certificates have changed, what is decided, whether it protects. It is a process of its own, and needs no privileges but to use the control socket.',
    )
    .option('--control <socket>', 'the control socket (otherwise $TLSPIN_CONTROL, or /run/tlspin.sock)')
    .option('-c, --config <file>', 'the configuration that names the control socket, and the fleet to be shown')
    .option('--listen <address:port>', 'where browsers find it', '127.0.0.1:8477')
    .option('--allow-changes', 'let changed certificates be answered; otherwise it only shows')
    .option('--token-file <file>', 'where the token is written (otherwise $XDG_RUNTIME_DIR/tlspin-web-PORT.token)')
    .option('--tls-cert <file>', 'certificate chain in PEM; other addresses than loopback take TLS and a password')
    .option('--tls-key <file>', 'its key')
    .option('--password-file <file>', 'whose first line signs in, besides the token')
    .action((flags: Flags, self: Command) =>
      web(flags).catch((error: unknown) => self.error(`error: ${(error as Error).message}`, { exitCode: 1 })),
    );
  addExamples(
    command,
    { command: 'tlspin web', does: 'prints the link to open' },
    { command: 'tlspin web --allow-changes', does: 'the same; changed certificates may be answered' },
  );
}

async function web(flags: Flags): Promise<void> {
  const [{ listening }, { serve }] = await Promise.all([import('../../web/listen.ts'), import('../../web/serve.ts')]);
  const { allowChanges, tokenFile, config } = flags;
  const served = await serve({
    listening: listening(flags),
    ...{ socket: socketOf(flags), allowsChanges: allowChanges === true, tokenFile, version: packageVersion() },
    ...{ askServer, ...fleetOf(config) },
  });
  const { state, error } = served.console.engine;
  // What the journal has, more people read than the token is for.
  if (isJournal(1)) say(`${served.url} takes the token`);
  else process.stdout.write(`${served.link}\n`);
  say(`the token is in ${served.tokenFile}; ${allowChanges === true ? 'answers are taken' : 'it only shows'}`);
  if (state === 'gone') say(`${error}; waiting for it`);
  const stop = (): void => void served.stop().then(() => process.exit(0));
  process.once('SIGTERM', stop).once('SIGINT', stop);
}

/** Nothing where the configuration names none; what other gateways decide, where it names their key. */
function fleetOf(config: string | undefined): Pick<ServeOptions, 'fleet' | 'askFleet'> {
  const read = config === undefined ? undefined : readConfiguration(config);
  if (read === undefined || 'errors' in read || read.policy.fleet === undefined) return {};
  const { policy } = read;
  const askFleet: AskFleet = async (host) => {
    const { seenElsewhere } = await import('./elsewhere.ts');
    return seenElsewhere(config!, policy, host);
  };
  return { fleet: () => fleetView(config!, policy), askFleet: policy.fleet!.key === null ? undefined : askFleet };
}

/** systemd.exec(5): which stream the journal reads. */
function isJournal(descriptor: number): boolean {
  const { JOURNAL_STREAM } = process.env;
  if (JOURNAL_STREAM === undefined) return false;
  const { dev, ino } = fstatSync(descriptor, { bigint: true });
  return JOURNAL_STREAM === `${dev}:${ino}`;
}

function say(line: string): void {
  process.stderr.write(`tlspin web: ${line}\n`);
}
