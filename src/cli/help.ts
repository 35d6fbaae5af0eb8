/**
 * What a command's help says besides its options: examples, told once and shown by --help and by the manual page alike.
 */
import type { Command } from 'commander';

export interface Example {
  /** As it is typed. */
  readonly command: string;
  /** What it does, as a short phrase. */
  readonly does: string;
}

/** Adds them to the command, and to what its --help prints. */
export function addExamples(command: Command, ...examples: readonly Example[]): Command {
  EXAMPLES.set(command, examples);
  const lines = examples.map((example) => `  ${example.command}\n      ${example.does}`);
  return command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}

export function examplesOf(command: Command): readonly Example[] {
  return EXAMPLES.get(command) ?? [];
}

/** A summary as a description: with its capital and its full stop. */
export function asSentence(phrase: string): string {
  return `${phrase.charAt(0).toUpperCase()}${phrase.slice(1)}`.replace(/\.?$/, '.');
}

type ExitStatuses = readonly (readonly [number, string])[];

/** For a command that ends with others than all do. */
export function setExitStatuses(command: Command, statuses: ExitStatuses): void {
  OWN_STATUSES.set(command, statuses);
}

export function exitStatusesOf(command: Command): ExitStatuses {
  return OWN_STATUSES.get(command) ?? EXIT_STATUSES;
}

/** What the commands end with. */
const EXIT_STATUSES: ExitStatuses = [
  [0, 'Done.'],
  [1, 'What was asked about is wrong or could not be had.'],
  [2, 'The command line was not understood.'],
];

const OWN_STATUSES = new WeakMap<Command, ExitStatuses>();
const EXAMPLES = new WeakMap<Command, readonly Example[]>();
