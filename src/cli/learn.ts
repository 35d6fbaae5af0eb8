/**
 * `tlspin learn`: what was learned of hosts, for people (`show`) and as pinsets to take over (`propose`). Reads the file
 * that the engine keeps, at most some seconds old; changes nothing.
 */
import { existsSync } from 'node:fs';

import { type Command, InvalidArgumentError } from 'commander';

import type { BookLimits } from '../learn/book.ts';
import { plain, type Proposal, proposalsOf } from '../learn/proposal.ts';
import { readState } from '../learn/state-file.ts';
import { LEARN_DEFAULTS } from '../pins/learn-defaults.ts';
import { loadPolicy } from '../pins/load.ts';
import { formatMessage } from '../pins/message.ts';
import { addExamples, asSentence } from './help.ts';

interface Flags {
  readonly state?: string;
  readonly config?: string;
  readonly observations?: number;
  readonly json?: true;
}

export function registerLearn(program: Command): void {
  const learn = program
    .command('learn')
    .summary('show and propose what was learned')
    .description('Show what pinsets in the mode "learn" have recorded, or propose pinsets of it.');
  addExamples(learn, {
    command: 'tlspin learn propose -c /etc/tlspin.json',
    does: 'pinsets of what was learned, to review',
  });
  for (const [name, summary, print, example] of VERBS) {
    const command = learn
      .command(name)
      .summary(summary)
      .description(asSentence(summary))
      .argument('[pinset]', 'the pinset that learned; all unless given')
      .option('--state <file>', 'where it is recorded (learn.file)')
      .option('-c, --config <file>', 'the configuration that says where')
      .option(
        '--observations <number>',
        'times that a key has to be seen, instead of those of the configuration',
        parseCount,
      )
      .option('--json', 'print JSON')
      .action((pinset: string | undefined, flags: Flags, command: Command) => {
        try {
          process.stdout.write(print(proposals(pinset, flags), flags.json === true));
        } catch (error) {
          command.error(`error: ${(error as Error).message}`, { exitCode: 1 });
        }
      });
    addExamples(command, example);
  }
}

function proposals(pinset: string | undefined, flags: Flags): Proposal[] {
  const { file, ...limits } = sourceOf(flags);
  if (!existsSync(file)) throw new Error(`${file} does not exist: nothing has been learned yet`);
  const found = proposalsOf(readState(file), limits, pinset);
  if (pinset !== undefined && found.length === 0)
    throw new Error(`nothing has been learned for "${pinset}" in ${file}`);
  return found;
}

function sourceOf({ state, config, observations }: Flags): BookLimits & { file: string } {
  const learn = config === undefined ? LEARN_DEFAULTS : learnPolicyOf(config);
  const file = state ?? learn.file;
  if (file === null) {
    throw new Error(
      config === undefined ? 'name the file with --state, or the configuration with -c' : `${config} learns nothing`,
    );
  }
  return { ...learn, file, ...(observations === undefined ? {} : { observations }) };
}

function learnPolicyOf(config: string) {
  const loaded = loadPolicy(config);
  if ('policy' in loaded) return loaded.policy.learn;
  throw new Error(loaded.errors.map(formatMessage).join('\n'));
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('expected a number from 1 on.');
  return Number(text);
}

function showText(proposals: readonly Proposal[], isJson: boolean): string {
  if (isJson) return json(proposals.map(({ proposed: _, ...shown }) => shown));
  return proposals.map((each) => `${hostText(each)}\n`).join('');
}

function hostText({ pinset, host, standing, learned, warnings }: Proposal): string {
  const held = learned.promoted?.keys ?? [];
  const row = (
    what: string,
    key: { spki: string; subject: string | null; count: number; firstSeen: string; lastSeen: string },
  ) =>
    `  ${what}  spki-sha256:${key.spki}  ${key.count} × ${key.firstSeen.slice(0, 10)} … ${key.lastSeen.slice(0, 10)}  ${plain(key.subject ?? '?')}`;
  return [
    `${pinset}  ${host}  ${standing}, seen ${learned.observations} ×`,
    ...learned.keys.map((key) => row(held.includes(key.spki) ? 'held  ' : 'leaf  ', key)),
    ...learned.issuers.map((key) => row('issuer', key)),
    ...learned.refused.map((key) => row('denied', key)),
    ...warnings.map((warning) => `  warning: ${plain(warning)}`),
  ].join('\n');
}

/** JSON with comments, as configurations are, so that what speaks against a pin stands next to it. */
function proposeText(proposals: readonly Proposal[], isJson: boolean): string {
  if (isJson) {
    const warnings = proposals.flatMap(({ host, warnings: texts }) => texts.map((warning) => ({ host, warning })));
    return json({ pinsets: proposals.flatMap(({ proposed }) => proposed ?? []), warnings });
  }
  const parts = proposals.flatMap(({ pinset, host, standing, proposed, warnings }) => [
    `  // ${host}, learned by "${plain(pinset)}": ${standing}`,
    ...warnings.map((warning) => `  // warning: ${plain(warning)}`),
    ...(proposed === undefined ? [] : [`${JSON.stringify(proposed, null, 2).replace(/^/gm, '  ')},`]),
  ]);
  return ['[', ...parts, ']', ''].join('\n');
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

const VERBS = [
  [
    'show',
    'what was seen of each host, and what it comes to',
    showText,
    { command: 'tlspin learn show devices -c /etc/tlspin.json', does: 'what the hosts of a pinset have presented' },
  ],
  [
    'propose',
    'pinsets of what was learned, to review: JSON with comments, or with --json plain',
    proposeText,
    { command: 'tlspin learn propose -c /etc/tlspin.json', does: 'a pinset for each host that is steady enough' },
  ],
] as const;
