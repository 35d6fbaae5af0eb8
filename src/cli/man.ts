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

export function registerMan(program: Command): void {
  const man = program
    .command('man')
    .summary('print manual pages')
    .description('Print the manual page of the program or of one of its commands, for man(1) to show.')
    .argument('[command...]', 'whose page')
    .action((path: string[], _: object, command: Command) => {
      const root = commandTree(program);
      const node = findNode(root, path);
      if (node !== undefined) {
        process.stdout.write(manualPage(node, root, program.version() ?? ''));
        return;
      }
      const known = root.commands.map((one) => one.path.at(-1)!);
      const meant = nearest(path.join(' '), known);
      const cure = meant === undefined ? '' : `\n(Did you mean ${meant}?)`;
      command.error(`error: unknown command '${path.join(' ')}'${cure}`, { exitCode: 2 });
    });
  addExamples(
    man,
    { command: 'tlspin man | man -l -', does: 'the program’s page' },
    { command: 'tlspin man pin | man -l -', does: 'the page of `tlspin pin`' },
  );
}

export function manualPage(node: CommandNode, root: CommandNode, version: string): string {
  const name = node.path.join('-');
  const isProgram = node === root;
  const sections: (readonly [string, readonly string[]])[] = [
    ['NAME', [`${escaped(name)} \\- ${escaped(oneLine(node.summary))}`]],
    ['SYNOPSIS', [`.B ${escaped(node.path.join(' '))}`, ...(node.usage === '' ? [] : [text(node.usage)])]],
    ['DESCRIPTION', paragraphs(node.description)],
    ['COMMANDS', node.commands.flatMap((one) => tagged(bold(one.path.slice(1).join(' ')), one.summary))],
    ['ARGUMENTS', node.arguments.flatMap((one) => tagged(italic(one.name), withChoices(one.description, one.choices)))],
    ['OPTIONS', node.options.flatMap((option) => tagged(flagsOf(option), aboutOption(option)))],
    ['EXIT STATUS', node.exitStatuses.flatMap(([status, meaning]) => tagged(bold(`${status}`), meaning))],
    ['EXAMPLES', node.examples.flatMap(({ command, does }) => tagged(bold(command), `${does}.`))],
    ['SEE ALSO', [seeAlso(node, root)]],
  ];
  const kept = sections.filter(
    ([title, lines]) => lines.length > 0 && !(isProgram && title === 'SEE ALSO' && node.commands.length === 0),
  );
  return `.TH "${escaped(name.toUpperCase())}" "1" "${builtOn()}" "${escaped(`${root.path[0]!} ${version}`)}" "User Commands"
${kept.map(([title, lines]) => `.SH ${title}\n${lines.join('\n')}`).join('\n')}
`;
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

function tagged(tag: string, about: string): string[] {
  return ['.TP', tag, text(oneLine(about))];
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

function bold(part: string): string {
  return part === '' ? '' : `\\fB${escaped(part)}\\fR`;
}

function italic(part: string): string {
  return `\\fI${escaped(part)}\\fR`;
}

/** A line of running text: what begins with a dot or an apostrophe would be a request. */
function text(line: string): string {
  return escaped(line).replace(/^[.']/, '\\&$&');
}

/** groff_char(7): characters that have a meaning of their own, and those that are no ASCII. */
function escaped(part: string): string {
  return part
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('’', '\\(cq')
    .replaceAll('…', '...')
    .replace(
      /[^\x20-\x7e]/g,
      (character) => `\\[u${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`,
    );
}

/** The day on which this program was made, as far as it can be told. */
function builtOn(): string {
  const { mtime } = statSync(fileURLToPath(import.meta.url));
  return mtime.toISOString().slice(0, 10);
}
