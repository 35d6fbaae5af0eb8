/**
 * `tlspin learn`: what was learned of hosts, for people (`show`), as pinsets to take over (`propose`), and unlearned
 * (`forget`). Owns the flags; where it is asked for and where it is kept is learn-source.ts.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';

import { type Proposal, proposalsOf } from '../../learn/proposal.ts';
import { withControlFlags } from '../control.ts';
import { addExamples, asSentence } from '../help.ts';
import { forgetLearned, type LearnFlags, readLearned } from './source.ts';
import { forgottenText, proposeText, showText } from './text.ts';

interface Flags extends LearnFlags {
  readonly observations?: number;
  readonly pinset?: string;
}

export function registerLearn(program: Command): void {
  const learn = program
    .command('learn')
    .summary('show, propose and forget what was learned')
    .description(
      'Show what pinsets in the mode "learn" have recorded, propose pinsets of it, or have hosts forgotten.',
    );
  addExamples(
    learn,
    { command: 'tlspin learn propose -c /etc/tlspin.json', does: 'pinsets of what was learned, to review' },
    { command: 'tlspin learn forget www.bank.example', does: 'learn the keys of a host anew' },
  );
  for (const [name, summary, print, example] of VERBS) {
    const command = withSourceFlags(learn.command(name).summary(summary).description(asSentence(summary)))
      .argument('[pinset]', 'the pinset that learned; all unless given')
      .option('--observations <number>', 'times that a key has to be seen, instead of those that are set', parseCount)
      .action((pinset: string | undefined, flags: Flags, command: Command) =>
        orError(command, async () => print(await proposals(pinset, flags), flags.json === true)),
      );
    addExamples(command, example);
  }
  const forget = withSourceFlags(
    learn
      .command('forget')
      .summary('forget hosts, or pinsets with all that they learned')
      .description(
        'Forget hosts, or pinsets with all that they learned: what they show next is learned anew. In a running tlspin, or in the file where none runs.',
      ),
  )
    .argument('[what...]', 'hosts, such as www.bank.example or www.bank.example:443, and names of pinsets')
    .option('--pinset <pinset>', 'hosts of this pinset only; all of them unless some are named')
    .action((targets: string[], flags: Flags, command: Command) => {
      if (targets.length === 0 && flags.pinset === undefined) {
        command.error('error: name what is to be forgotten: hosts, or pinsets', { exitCode: 2 });
      }
      return orError(command, async () =>
        forgottenText(await forgetLearned(flags, { targets, pinset: flags.pinset }), flags.json === true),
      );
    });
  addExamples(forget, { command: 'tlspin learn forget www.bank.example', does: 'its new key may be learned' });
}

function withSourceFlags(command: Command): Command {
  return withControlFlags(command).addOption(
    new Option('--state <file>', 'the file where it is kept, instead of a running tlspin').conflicts('control'),
  );
}

async function orError(command: Command, text: () => Promise<string>): Promise<void> {
  try {
    process.stdout.write(await text());
  } catch (error) {
    command.error(`error: ${(error as Error).message}`, { exitCode: 1 });
  }
}

async function proposals(pinset: string | undefined, flags: Flags): Promise<Proposal[]> {
  const { state, limits, elsewhere, from } = await readLearned(flags);
  const { observations = limits.observations } = flags;
  const found = proposalsOf(state, { ...limits, observations }, pinset);
  if (pinset !== undefined && found.length === 0) {
    throw new Error(`nothing has been learned for "${pinset}" (${from})`);
  }
  return found.map((each) => {
    const told = elsewhere.get(`${each.pinset} ${each.host}`);
    return told === undefined ? each : { ...each, warnings: [...each.warnings, told] };
  });
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('expected a number from 1 on.');
  return Number(text);
}

const VERBS = [
  [
    'show',
    'what was seen of each host, and what it comes to',
    showText,
    { command: 'tlspin learn show devices', does: 'what the hosts of a pinset have presented' },
  ],
  [
    'propose',
    'pinsets of what was learned, to review: JSON with comments, or with --json plain',
    proposeText,
    { command: 'tlspin learn propose', does: 'a pinset for each host that is steady enough' },
  ],
] as const;
