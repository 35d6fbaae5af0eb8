/** `tlspin log`: what the records of the log are made of, for those who read them. */
import type { Command } from 'commander';

import { recordJsonSchema } from '../report/schema.ts';
import { addExamples } from './help.ts';
import { Output } from './output.ts';

export function registerLog(program: Command): void {
  const log = program
    .command('log')
    .summary('describe the records of the log')
    .description('Describe the records that `tlspin run` and `tlspin inspect` write.')
    .requiredOption('--schema', 'print their JSON Schema')
    .action(() => new Output(process.stdout).json(recordJsonSchema()));
  addExamples(log, {
    command: 'tlspin log --schema > tlspin-log.schema.json',
    does: 'what a program needs to check, or to make types for, the records',
  });
}
