/** Completion for bash: one function that finds the command among the words, and what may come next. */
import { allNodes, type CommandNode, type ValueNode } from '../command-tree.ts';

export function bashCompletion(root: CommandNode): string {
  const [name] = root.path as [string];
  const nodes = allNodes(root);
  const paths = nodes.slice(1).map((node) => quoted(node.path.join(' ')));
  return `# bash completion for ${name}, made by \`${name} completion bash\`
_${name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} path=${name} i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path \${COMP_WORDS[i]}" in
      ${paths.join(' | ')}) path="$path \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$path $prev" in
${nodes.flatMap(valueCases).join('\n')}
  esac
  if [[ $cur == -* ]]; then
    case "$path" in
${nodes.map((node) => `      ${quoted(node.path.join(' '))}) ${reply(node.options.flatMap((option) => option.names))} ;;`).join('\n')}
    esac
  else
    case "$path" in
${nodes.map((node) => `      ${quoted(node.path.join(' '))}) ${argumentReply(node)} ;;`).join('\n')}
    esac
  fi
}
complete -F _${name} ${name}
`;
}

/** What follows an option that takes a value. */
function valueCases(node: CommandNode): string[] {
  return node.options.flatMap(({ names, value }) => {
    if (value === undefined) return [];
    const patterns = names.map((name) => quoted(`${node.path.join(' ')} ${name}`)).join(' | ');
    return [`    ${patterns}) ${valueReply(value)}; return ;;`];
  });
}

function argumentReply(node: CommandNode): string {
  const words = [...node.commands.map((one) => one.path.at(-1)!), ...node.arguments.flatMap(({ choices }) => choices)];
  if (words.length > 0) return reply(words);
  return node.arguments.some(({ isFile }) => isFile) ? FILES : ':';
}

function valueReply({ choices, isFile }: ValueNode): string {
  if (choices.length > 0) return reply(choices);
  return isFile ? FILES : ':';
}

function reply(words: readonly string[]): string {
  return `mapfile -t COMPREPLY < <(compgen -W ${quoted(words.join(' '))} -- "$cur")`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Readline escapes blanks and adds slashes to folders. */
const FILES = 'compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur")';
