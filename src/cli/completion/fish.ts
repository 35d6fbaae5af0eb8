/** Completion for fish: a line for each command, option and argument. */
import { allNodes, type CommandNode, oneLine, type OptionNode, type ValueNode } from '../command-tree.ts';

export function fishCompletion(root: CommandNode): string {
  const [name] = root.path as [string];
  const lines = [
    `# fish completion for ${name}, made by \`${name} completion fish\``,
    `complete -c ${name} -f`,
    ...allNodes(root).flatMap((node) => linesOf(node, `complete -c ${name} -n ${quoted(conditionOf(node))}`)),
  ];
  return `${lines.join('\n')}\n`;
}

function linesOf(node: CommandNode, complete: string): string[] {
  return [
    ...node.commands.map((one) => `${complete} -a ${quoted(one.path.at(-1)!)} -d ${quoted(oneLine(one.summary))}`),
    ...node.options.map((option) => `${complete}${namesOf(option)} -d ${quoted(oneLine(option.description))}`),
    ...node.arguments.flatMap((argument) => {
      if (argument.choices.length > 0) return [`${complete} -a ${quoted(argument.choices.join(' '))}`];
      return argument.isFile ? [`${complete} -F`] : [];
    }),
  ];
}

/** Where the command line has come as far as this command and no further. */
function conditionOf({ path, commands }: CommandNode): string {
  const words = path.slice(1).map((word) => `__fish_seen_subcommand_from ${word}`);
  if (path.length === 1) return '__fish_use_subcommand';
  const below = commands.map((one) => one.path.at(-1)!);
  return [...words, ...(below.length === 0 ? [] : [`not __fish_seen_subcommand_from ${below.join(' ')}`])].join(
    '; and ',
  );
}

function namesOf({ names, value }: OptionNode): string {
  const flags = names.map((name) => (name.startsWith('--') ? ` -l ${name.slice(2)}` : ` -s ${name.slice(1)}`));
  return flags.join('') + (value === undefined ? '' : valueOf(value));
}

function valueOf({ choices, isFile }: ValueNode): string {
  if (choices.length > 0) return ` -x -a ${quoted(choices.join(' '))}`;
  return isFile ? ' -r -F' : ' -x';
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
