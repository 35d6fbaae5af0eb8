/** The parts of docs/evasions.md that the game writes: how often the attacker was right, by what he looked at. */
import { readFileSync, writeFileSync } from 'node:fs';

import { ROOT } from '../support/built.ts';

export interface Score {
  readonly name: string;
  readonly pairs: number;
  /** By what was looked at; 0.5 is what a coin has. */
  readonly accuracies: Readonly<Record<string, number>>;
}

/** In the place of the table that was there by that name. */
export function writeTable(name: string, title: string, scores: readonly Score[]): void {
  const page = readFileSync(PAGE, 'utf8');
  const begin = `<!-- npm run game: ${name} -->`;
  const [before, rest] = page.split(begin);
  if (rest === undefined) throw new Error(`docs/evasions.md has no place for the table ${name}`);
  writeFileSync(PAGE, `${before}${begin}\n\n${tableOf(title, scores)}\n\n${rest.slice(rest.indexOf(END))}`);
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
const END = '<!-- of the game -->';
