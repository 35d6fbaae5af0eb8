/** `tlspin completion`: prints what makes a shell complete commands, options and their values. */
import { Argument, type Command } from 'commander';

import { commandTree } from './command-tree.ts';
import { bashCompletion } from './completion/bash.ts';
import { fishCompletion } from './completion/fish.ts';
import { zshCompletion } from './completion/zsh.ts';
import { addExamples } from './help.ts';

export function registerCompletion(program: Command): void {
  const completion = program
    .command('completion')
    .summary('make a shell complete tlspin’s commands')
    .description('Print what makes a shell complete commands, options and the values that they take.')
    .addArgument(new Argument('<shell>', 'for which').choices(Object.keys(SHELLS)))
    .action((shell: keyof typeof SHELLS) => {
      process.stdout.write(SHELLS[shell](commandTree(program)));
    });
  addExamples(
    completion,
    { command: 'source <(tlspin completion bash)', does: 'in this shell; in ~/.bashrc for all of them' },
    { command: 'tlspin completion zsh > "${fpath[1]}/_tlspin"', does: 'for zsh, from the next shell on' },
    { command: 'tlspin completion fish > ~/.config/fish/completions/tlspin.fish', does: 'for fish' },
  );
}

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;
