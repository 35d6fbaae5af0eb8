/** Completion for zsh: a function a command, each of `_arguments`. */
import {
  allNodes,
  type ArgumentNode,
  type CommandNode,
  oneLine,
  type OptionNode,
  type ValueNode,
} from '../command-tree.ts';

export function zshCompletion(root: CommandNode): string {
  const [name] = root.path as [string];
  return `#compdef ${name}
# zsh completion for ${name}, made by \`${name} completion zsh\`

${allNodes(root).map(functionOf).join('\n')}
if [ "$funcstack[1]" = ${functionName(root)} ]; then
  ${functionName(root)} "$@"
else
  compdef ${functionName(root)} ${name}
fi
`;
}

function functionOf(node: CommandNode): string {
  const options = node.options.map(optionSpec);
  if (node.commands.length === 0) {
    const words = node.arguments.map(argumentSpec);
    return `${functionName(node)}() {\n  _arguments -s -S${specs([...options, ...words])}\n}\n`;
  }
  const commands = node.commands.map((one) => quoted(`${one.path.at(-1)!}:${oneLine(one.summary)}`));
  const cases = node.commands.map((one) => `        ${quoted(one.path.at(-1)!)}) ${functionName(one)} ;;`);
  return `${functionName(node)}() {
  local context state state_descr line
  local -a commands
  typeset -A opt_args
  _arguments -C${specs([...options, quoted('1:command:->command'), quoted('*::argument:->argument')])}
  case $state in
    command)
      commands=(
        ${commands.join('\n        ')}
      )
      _describe command commands
      ;;
    argument)
      case $line[1] in
${cases.join('\n')}
      esac
      ;;
  esac
}
`;
}

/** Continued lines, one a specification. */
function specs(all: readonly string[]): string {
  return all.map((one) => ` \\\n    ${one}`).join('');
}

function optionSpec({ names, description, value }: OptionNode): string {
  const about = quoted(
    `[${escaped(oneLine(description))}]${value === undefined ? '' : `:${value.name}:${actionOf(value)}`}`,
  );
  if (names.length === 1) return `${names[0]!}${about}`;
  return `${quoted(`(${names.join(' ')})`)}{${names.join(',')}}${about}`;
}

function argumentSpec(argument: ArgumentNode): string {
  const { name, isRequired, isVariadic } = argument;
  const place = isVariadic ? '*' : isRequired ? '' : ':';
  return quoted(`${place}:${name}:${actionOf(argument)}`);
}

function actionOf({ choices, isFile }: ValueNode): string {
  if (choices.length > 0) return `(${choices.join(' ')})`;
  return isFile ? '_files' : ' ';
}

function functionName({ path }: CommandNode): string {
  return `_${path.join('_').replaceAll('-', '_')}`;
}

function escaped(text: string): string {
  return text.replace(/[[\]\\:]/g, '\\$&');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
