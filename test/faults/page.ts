/** docs/failures.md: a line for each fault and setting. Made of what was played; lines of faults that were not stay as they are. */
import { readFileSync, writeFileSync } from 'node:fs';

import { ROOT } from '../support/built.ts';
import type { Fault } from './fault.ts';
import { FAULTS } from './kinds/all.ts';
import { type Played, WITHIN } from './play.ts';
import { KINDS } from '../support/lab/visitors.ts';
import { type Setting, SETTINGS } from './stage.ts';

const PAGE = `${ROOT}docs/failures.md`;

export function lineOf(fault: Fault, setting: Setting, { during, established, said }: Played): string {
  const open = during.established === '' ? '–' : [...new Set([during.established, established])].join(', then ');
  const cells = [...KINDS.map((kind) => during[kind]), open, said.join('<br>') || '–'];
  return `${beginningOf(fault, setting)} ${fault.what} | ${cells.join(' | ')} | ${fault.within ?? WITHIN} s |`;
}

/** Whether this is what the page's line says: connections fare so, and at least so much is said. */
export function agrees(line: string, known: string): boolean {
  const [cells, knownCells] = [line, known].map((text) => text.split(' | '));
  const isSame = (at: number): boolean => cells!.at(at) === knownCells!.at(at);
  const said = knownCells!.at(SAID)!.split('<br>');
  return FARED.every(isSame) && said.every((sentence) => sentence === '–' || cells!.at(SAID)!.includes(sentence));
}

/** The line that the page has; undefined where it has none. */
export function knownLine(fault: Fault, setting: Setting): string | undefined {
  return lines().find((line) => line.startsWith(beginningOf(fault, setting)));
}

/** The whole page, with these lines new. */
export function writePage(fresh: readonly string[]): void {
  const known = lines();
  const lineFor = (beginning: string): string | undefined =>
    [...fresh, ...known].find((line) => line.startsWith(beginning));
  const groups = Object.entries(FAULTS).map(([title, faults]) => {
    const rows = faults.flatMap((fault) => SETTINGS.map((setting) => lineFor(beginningOf(fault, setting))));
    return [`## ${title}`, '', ...COLUMNS, ...rows.filter((row) => row !== undefined), ''].join('\n');
  });
  writeFileSync(PAGE, `${[INTRODUCTION, ...groups].join('\n').trimEnd()}\n`);
}

function beginningOf(fault: Fault, setting: Setting): string {
  return `| ${fault.name} | ${setting} |`;
}

function lines(): string[] {
  try {
    return readFileSync(PAGE, 'utf8').split('\n');
  } catch {
    return [];
  }
}

/** Cells from the end: what is said, and how connections fare. */
const SAID = -2;
const FARED = [-6, -5, -4, -3];

const COLUMNS = [
  '| fault | setting | what happens | genuine | forged | unpinned | open before | said | well within |',
  '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
];

const INTRODUCTION = `# Failures

What happens to connections while something is wrong, and what is said. \`npm run faults\` makes this page of what it sees: each
fault is played on the kernel's own queue, and visitors ask a pinned genuine server, a pinned forged one and one that nobody
has pinned, over TLS 1.2 and 1.3, while it lasts. \`npm run faults -- --check\` fails where the page is not what happens any more; a
part of it is checked by \`npm run test:e2e\`.

* **setting**: \`closed\` is the default; \`open\` has \`failOpen\` and rules with \`--queue-bypass\`.
* **genuine**, **forged**, **unpinned**: what a new connection comes to while it lasts: \`served\`, \`alert\` (refused, in words that the
  client understands), \`reset\`, \`silence\` (nothing within four seconds). Where the versions of TLS differ, both are said.
* **open before**: what comes of connections that were open: \`go on\`, \`reset\` (told at once), \`silence\`, and what becomes of that.
* **said**: lines of standard error, and the codes of conditions and \`anomaly\` records: at least these.
* **well within**: from the fault's end on, the seconds within which new connections of every kind are what they should be.
`;
