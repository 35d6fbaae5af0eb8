/**
 * The commands, their options and arguments, as plain data: read from what the parser itself goes by, so that completion
 * and manual pages cannot say anything else. Knows commander and no shell.
 */
import type { Argument, Command, Option } from 'commander';

import { type Example, examplesOf, exitStatusesOf } from './help.ts';

export interface CommandNode {
  /** From the program's name on. */
  readonly path: readonly string[];
  readonly summary: string;
  readonly description: string;
  readonly usage: string;
  readonly options: readonly OptionNode[];
  readonly arguments: readonly ArgumentNode[];
  readonly commands: readonly CommandNode[];
  readonly examples: readonly Example[];
  readonly exitStatuses: readonly (readonly [number, string])[];
}

export interface OptionNode {
  /** With dashes; the short one first. */
  readonly names: readonly string[];
  /** As --help writes it, such as `-c, --config <file>`. */
  readonly flags: string;
  readonly description: string;
  /** Undefined for a switch. */
  readonly value: ValueNode | undefined;
  readonly defaultValue: string | undefined;
}

export interface ArgumentNode extends ValueNode {
  readonly description: string;
  readonly isRequired: boolean;
  readonly isVariadic: boolean;
}

export interface ValueNode {
  readonly name: string;
  readonly choices: readonly string[];
  /** Whether it names a file. */
  readonly isFile: boolean;
}

export function commandTree(command: Command, above: readonly string[] = []): CommandNode {
  const help = command.createHelp();
  const path = [...above, command.name()];
  return {
    path,
    summary: firstLine(command.summary() || command.description()),
    description: command.description(),
    usage: command.usage(),
    options: help.visibleOptions(command).map(optionNode),
    arguments: command.registeredArguments.map(argumentNode),
    commands: help.visibleCommands(command).map((one) => commandTree(one, path)),
    examples: examplesOf(command),
    exitStatuses: exitStatusesOf(command),
  };
}

/** The node of a path below the program, such as `['list', 'add']`; undefined where there is none. */
export function findNode(root: CommandNode, path: readonly string[]): CommandNode | undefined {
  let node: CommandNode | undefined = root;
  for (const word of path) node = node?.commands.find((one) => one.path.at(-1) === word);
  return node;
}

export function allNodes(root: CommandNode): CommandNode[] {
  return [root, ...root.commands.flatMap(allNodes)];
}

/** Running text: the line ends of a description are for terminals. */
export function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

function optionNode(option: Option): OptionNode {
  const { short, long, flags, description, defaultValue } = option;
  const [, name] = /[<[]([^>\]]+)[>\]]/.exec(flags) ?? [];
  return {
    names: [short, long].filter((each) => each !== undefined && each !== null),
    flags,
    description,
    value: name === undefined ? undefined : valueNode(name, option.argChoices),
    defaultValue: name === undefined || typeof defaultValue !== 'string' ? undefined : defaultValue,
  };
}

function argumentNode(argument: Argument): ArgumentNode {
  return {
    ...valueNode(argument.name(), argument.argChoices),
    description: argument.description,
    isRequired: argument.required,
    isVariadic: argument.variadic,
  };
}

function valueNode(name: string, choices: readonly string[] | undefined): ValueNode {
  const plain = name.replace(/\.\.\.$/, '');
  return { name: plain, choices: choices ?? [], isFile: FILES.has(plain) };
}

function firstLine(text: string): string {
  return text.split('\n')[0]!.replace(/[.:]$/, '');
}

/** What arguments and values are called that name files. */
const FILES: ReadonlySet<string> = new Set(['file', 'capture', 'source', 'socket']);
