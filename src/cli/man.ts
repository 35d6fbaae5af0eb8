/**
 * `tlspin man`: the manual pages, in the language of man(7), out of the same commands and options that the parser goes
 * by. What a command does is not told here.
 */
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import type { Command } from 'commander';

import { nearest } from '../pins/document/message.ts';
import { commandTree, type CommandNode, findNode, oneLine, type OptionNode } from './command-tree.ts';
import { addExamples, asSentence } from './help.ts';
import { configurationPage } from './man/configuration-page.ts';
import { bold, escaped, italic, page, type Section, tagged, text } from './man/roff.ts';

export function registerMan(program: Command): void {
  const man = program
    .command('man')
    .summary('print manual pages')
    .description(
      'Print the manual page of the program, of one of its commands, or of the configuration (tlspin.json), for man(1) to show.',
    )
    .argument('[command...]', 'whose page')
    .action((path: string[], _: object, command: Command) => {
      const root = commandTree(program);
      if (path.length === 1 && path[0] === CONFIGURATION) {
        process.stdout.write(configurationPage(program.version() ?? '', builtOn()));
        return;
      }
      const node = findNode(root, path);
      if (node !== undefined) {
        process.stdout.write(manualPage(node, root, program.version() ?? ''));
        return;
      }
      const known = [...root.commands.map((one) => one.path.at(-1)!), CONFIGURATION];
      const meant = nearest(path.join(' '), known);
      const cure = meant === undefined ? '' : `\n(Did you mean ${meant}?)`;
      command.error(`error: unknown command '${path.join(' ')}'${cure}`, { exitCode: 2 });
    });
  addExamples(
    man,
    { command: 'tlspin man | man -l -', does: 'the program’s page' },
    { command: 'tlspin man pin | man -l -', does: 'the page of `tlspin pin`' },
    { command: 'tlspin man tlspin.json | man -l -', does: 'every key of the configuration' },
  );
}

export function manualPage(node: CommandNode, root: CommandNode, version: string): string {
  const name = node.path.join('-');
  const isProgram = node === root;
  const sections: Section[] = [
    ['NAME', [`${escaped(name)} \\- ${escaped(oneLine(node.summary))}`]],
    ['SYNOPSIS', [`.B ${escaped(node.path.join(' '))}`, ...(node.usage === '' ? [] : [text(node.usage)])]],
    ['DESCRIPTION', paragraphs(node.description)],
    ['COMMANDS', node.commands.flatMap((one) => tagged(bold(one.path.slice(1).join(' ')), oneLine(one.summary)))],
    [
      'ARGUMENTS',
      node.arguments.flatMap((one) => tagged(italic(one.name), oneLine(withChoices(one.description, one.choices)))),
    ],
    ['OPTIONS', node.options.flatMap((option) => tagged(flagsOf(option), oneLine(aboutOption(option))))],
    ['EXIT STATUS', node.exitStatuses.flatMap(([status, meaning]) => tagged(bold(`${status}`), oneLine(meaning)))],
    ['EXAMPLES', node.examples.flatMap(({ command, does }) => tagged(bold(command), `${does}.`))],
    ['SEE ALSO', [seeAlso(node, root)]],
  ];
  const kept = sections.filter(([title]) => !(isProgram && title === 'SEE ALSO' && node.commands.length === 0));
  return page([name.toUpperCase(), '1', builtOn(), `${root.path[0]!} ${version}`, 'User Commands'], kept);
}

function seeAlso(node: CommandNode, root: CommandNode): string {
  const others = node === root ? node.commands : [root, ...node.commands];
  return others
    .map((one) => `.BR ${escaped(one.path.join('-'))} (1)`)
    .join(' ,\n')
    .replaceAll(' ,', '');
}

/** Lines that begin with blanks are to be typed; the others run on. */
function paragraphs(description: string): string[] {
  const lines = description.split('\n').filter((line) => line.trim() !== '');
  return lines.flatMap((line, index) => {
    if (!/^\s/.test(line)) return [text(line)];
    return ['.PP', '.EX', text(line), '.EE', ...(index === lines.length - 1 ? [] : ['.PP'])];
  });
}

function flagsOf({ flags }: OptionNode): string {
  return flags
    .split(/([<[][^>\]]+[>\]])/)
    .map((part) => (/^[<[]/.test(part) ? italic(part.replace(/[<>]/g, '')) : bold(part)))
    .join('');
}

function aboutOption({ description, value, defaultValue }: OptionNode): string {
  const about = withChoices(description, value?.choices ?? []);
  return defaultValue === undefined ? about : `${about} Default: ${defaultValue}.`;
}

function withChoices(description: string, choices: readonly string[]): string {
  const sentence = asSentence(description);
  return choices.length === 0 ? sentence : `${sentence} One of ${choices.join(', ')}.`;
}

/** The day on which this program was made, as far as it can be told. */
function builtOn(): string {
  const { mtime } = statSync(fileURLToPath(import.meta.url));
  return mtime.toISOString().slice(0, 10);
}

const CONFIGURATION = 'tlspin.json';
