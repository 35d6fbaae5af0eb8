/** The configuration that `-c` names: asked for where it is missing, and all that is said of it on standard error. */
import type { Command } from 'commander';

import { loadPolicy } from '../pins/load.ts';
import { formatMessage } from '../pins/document/message.ts';
import type { Policy } from '../pins/policy.ts';

/** An option for the parser, so that it names a mistyped option before it misses this one. */
export function neededConfig(config: string | undefined, command: Command): string {
  if (config !== undefined) return config;
  return command.error("error: required option '-c, --config <file>' not specified", { exitCode: 2 });
}

/** `consequence`: what does not happen where the file is not valid; exit status 1. */
export function policyOf(file: string, command: Command, consequence: string): Policy {
  const loaded = loadPolicy(file);
  const messages = 'errors' in loaded ? loaded.errors : loaded.warnings;
  process.stderr.write(messages.map((message) => `${formatMessage(message)}\n`).join(''));
  if ('policy' in loaded) return loaded.policy;
  return command.error(`error: ${file} is no valid configuration: ${consequence}`, { exitCode: 1 });
}
