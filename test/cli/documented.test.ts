/** The commands that the pages name: each is one, and has the options that it is given there. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Command } from 'commander';
import { describe, expect, it } from 'vitest';

import { commandTree, type CommandNode } from '../../src/cli/command-tree.ts';
import { ROOT } from '../support/built.ts';

const PAGES = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const tree = commandTree(await wholeProgram());

describe.each(PAGES)('%s', (page) => {
  it('names no command and no option that is not there', () => {
    expect(commandsIn(readFileSync(join(ROOT, page), 'utf8')).flatMap(faultsOf)).toEqual([]);
  });
});

it('the README has the ones of going live', () => {
  const named = commandsIn(readFileSync(join(ROOT, 'README.md'), 'utf8'));
  expect(named).toEqual(
    expect.arrayContaining(['rules --apply -c /etc/tlspin.json', 'ctl verdicts --denied', 'rules --apply --remove']),
  );
});

async function wholeProgram(): Promise<Command> {
  const program = new Command('tlspin').option('--version').option('--help');
  const folder = join(ROOT, 'src/cli');
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  for (const name of names) {
    const text = readFileSync(join(folder, name), 'utf8');
    const [, register] = /^export function (register\w+)\(program: Command\)/m.exec(text) ?? [];
    if (register === undefined) continue;
    const module = (await import(join(folder, name))) as Record<string, (program: Command) => void>;
    module[register]!(program);
  }
  return program;
}

/** Behind the program's name, in blocks for a shell, at prompts and between backquotes, up to what ends a command there. */
function commandsIn(text: string): string[] {
  const scripts = [...text.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block]) => block!.split('\n'));
  const prompts = [...text.matchAll(/^ *\$ (.+)$/gm)].map(([, line]) => line!);
  const spans = [...text.replace(/^```.*?^```/gms, '').matchAll(/`([^`]+)`/g)].map(([, span]) =>
    span!.replace(/\s+/g, ' '),
  );
  return [...scripts, ...prompts, ...spans].flatMap((line) =>
    [...line.matchAll(/(?:^|[$(|;&] ?|sudo )tlspin( [^#|;&`)>]+)/g)].map(([, command]) => command!.trim()),
  );
}

function faultsOf(command: string): string[] {
  const words = command.split(' ');
  let node: CommandNode | undefined = tree;
  while (node !== undefined && node.commands.length > 0 && words.length > 0 && !words[0]!.startsWith('-')) {
    const name: string = words.shift()!;
    // A word in capitals stands for any of them.
    if (/^[A-Z[]/.test(name)) return [];
    node = node.commands.find(({ path }) => path.at(-1) === name);
  }
  if (node === undefined) return [`tlspin ${command}: there is no such command`];
  const known = new Set(['--help', '--version', ...node.options.flatMap(({ names }) => names)]);
  const unknown = words.filter((word) => /^--?[a-z]/.test(word) && !known.has(word));
  return unknown.map((option) => `tlspin ${command}: there is no ${option}`);
}
