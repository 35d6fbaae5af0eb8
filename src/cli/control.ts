/** The flags by which commands find the control socket of a running tlspin, and the conversation with it. */
import type { Command } from 'commander';

import { readConfiguration } from '../runtime/control/configuration/reading.ts';
import { ControlClient } from '../runtime/control/client.ts';

export interface ControlFlags {
  readonly control?: string;
  readonly config?: string;
  readonly json?: true;
}

export const DEFAULT_SOCKET = '/run/tlspin.sock';

export function withControlFlags(command: Command): Command {
  return command
    .option('--control <socket>', `the control socket (otherwise $TLSPIN_CONTROL, or ${DEFAULT_SOCKET})`)
    .option('-c, --config <file>', 'the configuration that names the control socket')
    .option('--json', 'print the answer as it is');
}

export interface Asking {
  /** Where the answer is an error, or none comes. */
  readonly exitCode?: number;
  /** Milliseconds until an answer has to be there. */
  readonly patienceMs?: number;
}

/** Asks, and ends with exit status 1 and the sentence where the answer is an error. */
export async function withControl(
  flags: ControlFlags,
  command: Command,
  use: (client: ControlClient) => Promise<void>,
  { exitCode = 1, patienceMs }: Asking = {},
): Promise<void> {
  let client: ControlClient | undefined;
  try {
    client = await ControlClient.connect(socketOf(flags), patienceMs);
    await use(client);
  } catch (error) {
    command.error(`error: ${(error as Error).message}`, { exitCode });
  } finally {
    client?.close();
  }
}

/** Where the flags say that it is; throws a sentence where the configuration that they name does not tell. */
export function socketOf({ control, config }: ControlFlags): string {
  if (control !== undefined) return control;
  if (config === undefined) return process.env['TLSPIN_CONTROL'] || DEFAULT_SOCKET;
  const read = readConfiguration(config);
  const socket = 'policy' in read ? read.policy.control.socket : undefined;
  if (socket === undefined) throw new Error(`${config} is no valid configuration: see tlspin check ${config}`);
  if (socket === null) throw new Error(`${config} names no control socket: add "control": { "socket": … }`);
  return socket;
}
