/** The part of docs/evasions.md that the game writes: how often the attacker was right, by what he looked at. */
import { readFileSync, writeFileSync } from 'node:fs';

import { ROOT } from '../support/built.ts';

export interface Score {
  readonly name: string;
  readonly pairs: number;
  /** By what was looked at; 0.5 is what a coin has. */
  readonly accuracies: Readonly<Record<string, number>>;
}

export interface Scores {
  readonly first: readonly Score[];
  /** With a decoy. */
  readonly accompanied: readonly Score[];
  /** Where a server is known. */
  readonly again: readonly Score[];
  /** Of clients that ask for nothing. */
  readonly leaving: readonly Score[];
}

export function writePage({ first, accompanied, again, leaving }: Scores): void {
  const page = readFileSync(PAGE, 'utf8');
  const [before, rest = ''] = page.split(BEGIN);
  const tables = [
    tableOf('At a first contact', first),
    tableOf('At a first contact, with `"decoys": 1`', accompanied),
    tableOf('Where the server is asked again', again),
    tableOf('Where the client goes away without asking', leaving),
  ];
  writeFileSync(PAGE, `${before}${BEGIN}\n\n${tables.join('\n\n')}\n\n${rest.slice(rest.indexOf(END))}`);
}

function tableOf(title: string, scores: readonly Score[]): string {
  const features = Object.keys(scores[0]?.accuracies ?? {});
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    row([title, ...scores.map(({ name, pairs }) => `${name} (${pairs})`)]),
    row(['---', ...scores.map(() => '---')]),
    ...features.map((feature) => row([feature, ...scores.map(({ accuracies }) => accuracies[feature]!.toFixed(2))])),
  ].join('\n');
}

const PAGE = `${ROOT}docs/evasions.md`;
const BEGIN = '<!-- npm run game -->';
const END = '<!-- of the game -->';
