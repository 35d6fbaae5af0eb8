/** `tlspin check`: says everything that is wrong with a configuration file, and nothing else. */
import type { Command } from 'commander';
import { loadPolicy } from '../pins/load.ts';
import type { LoadResult } from '../pins/load.ts';
import { formatMessage } from '../pins/message.ts';
import type { Policy } from '../pins/policy.ts';
import { configurationJsonSchema } from '../pins/schema.ts';

export function registerCheck(program: Command): void {
  program
    .command('check')
    .description('validate a configuration file; exit status 0, or 1 with file:line:column messages')
    .argument('[file]', 'configuration file')
    .option('--schema', 'print the JSON Schema of configuration files, for editors')
    .action((file: string | undefined, options: { schema?: true }, command: Command) => {
      if (options.schema === true) {
        process.stdout.write(`${JSON.stringify(configurationJsonSchema(), null, 2)}\n`);
      } else if (file === undefined) {
        command.error("error: missing argument 'file': name a configuration file, or ask for --schema", {
          exitCode: 2,
        });
      } else {
        const { text, summary, status } = describeCheck(file, loadPolicy(file));
        process.stderr.write(text);
        process.stdout.write(summary);
        process.exitCode = status;
      }
    });
}

/** What is said about a loaded file: messages for stderr, one line for stdout, and the exit status. */
export function describeCheck(file: string, result: LoadResult): { text: string; summary: string; status: 0 | 1 } {
  const errors = 'errors' in result ? result.errors : [];
  const messages = [...errors, ...result.warnings, ...result.notes];
  const text = messages.map((message) => `${formatMessage(message)}\n`).join('');
  if ('policy' in result) return { text, summary: `${file}: valid: ${describePolicy(result.policy)}\n`, status: 0 };
  return { text, summary: '', status: 1 };
}

function describePolicy(policy: Policy): string {
  const pins = policy.pinsets.reduce((sum, pinset) => sum + pinset.pins.length + pinset.deny.length, 0);
  return [
    count(policy.pinsets.length, 'pinset'),
    count(pins, 'pin'),
    ...(policy.lists.length > 0 ? [count(policy.lists.length, 'list')] : []),
    ...(policy.rules.length > 0 ? [count(policy.rules.length, 'rule')] : []),
    policy.hash,
  ].join(', ');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
