/**
 * docs/matrix.md, a grid for each version of TLS, and docs/matrix-starttls.md, a list: made of what was played; what was not
 * stays as it was.
 */
import { readFileSync, writeFileSync } from 'node:fs';

import { ROOT } from '../support/built.ts';
import type { Client } from './clients.ts';
import { explanationOf, type Grid, MARKS, markOf, type Outcome, outcomeOfMark, triplesOf } from './grid.ts';
import { type Version, VERSIONS } from './place.ts';
import { type Program, system, versionOf } from './program.ts';
import type { Server } from './servers.ts';

export interface Page {
  readonly path: string;
  /** The page with what this grid says. */
  write(grid: Grid): void;
  /** What it says of a triple. */
  read(client: Client, server: Server, version: Version): Outcome | undefined;
}

export const GRIDS: Page = {
  path: 'docs/matrix.md',
  write(grid) {
    const opening = `# Clients and servers

\`npm run matrix\` makes this page of what it sees: each client asks each server for its page, through a gateway with tlspin, whose
one pinset is for the server's name. The forged server is the same one with a certificate for the same name by another authority,
which every client trusts too. [What begins TLS inside another protocol](matrix-starttls.md) has a page of its own.`;
    write(this, [opening, ...summary(grid), ...VERSIONS.map((version) => gridOf(grid, version)), programs(grid)]);
  },
  read(client, server, version) {
    const lines = linesOf(this);
    const head = lines.find((line) => line.startsWith(`| TLS ${version} |`));
    const rows = head === undefined ? [] : lines.slice(lines.indexOf(head));
    const row = rows.find((line) => line.startsWith(`| ${client.name} |`));
    const column = cellsOf(head ?? '').indexOf(server.name);
    return row === undefined || column < 0 ? undefined : outcomeOfMark(cellsOf(row)[column] ?? '');
  },
};

export const LIST: Page = {
  path: 'docs/matrix-starttls.md',
  write(grid) {
    const opening = `# Clients and servers of STARTTLS

\`npm run matrix\` makes this page as it makes [that of HTTPS](matrix.md), but with a pinset for the server's address: clients of
MariaDB say no name.`;
    const rows = grid.servers.flatMap((server) =>
      grid.clients
        .filter(({ speaks }) => speaks === server.speaks)
        .map(
          (client) =>
            `| ${server.name} | ${client.name} | ${VERSIONS.map((version) => markAt(grid, client, server, version)).join(' | ')} |`,
        ),
    );
    const table = ['| server | client | TLS 1.2 | TLS 1.3 |', '| --- | --- | :-: | :-: |', ...rows].join('\n');
    write(this, [opening, ...summary(grid), table, programs(grid)]);
  },
  read(client, server, version) {
    const row = linesOf(this).find((line) => line.startsWith(`| ${server.name} | ${client.name} |`));
    return row === undefined ? undefined : outcomeOfMark(cellsOf(row)[2 + VERSIONS.indexOf(version)]!);
  },
};

function summary(grid: Grid): string[] {
  const triples = triplesOf(grid);
  const count = (...outcomes: readonly Outcome[]): number =>
    triples.filter(({ outcome }) => outcomes.includes(outcome)).length;
  const explained = new Set(triples.map(explanationOf).filter((each) => each !== undefined));
  return [
    `Played on ${new Date().toISOString().slice(0, 10)}, on ${system()}, Linux ${kernel()}, under Node.js ${process.version}.
All settings are the defaults. The servers know the names of whoever comes, since mail servers wait for a resolver otherwise. Pairs
that the last run did not play keep what was seen of them before.`,
    `Of ${triples.length} triples of client, server and version ${triples.length - count('none')} speak with each other without tlspin. With it ${count('passes', 'resumes')} of them reach
the genuine server, ${count('resumes')} over a resumed session too. From the forged one ${count('delivered')} of all ${triples.length} get an octet of what it serves.`,
    [
      `* **${MARKS.passes}**: the genuine server is reached, and nothing comes from the forged one.`,
      `* **${MARKS.resumes}**: the same, and a session was resumed.`,
      `* **${MARKS.none}**: these two do not speak this version with each other without tlspin either; nothing comes from the forged one.`,
      '* Nothing: not played.',
      ...[...explained].map(({ letter, why }) => `* **${letter}**: ${why}`),
    ].join('\n'),
  ];
}

function gridOf(grid: Grid, version: Version): string {
  const head = `| TLS ${version} | ${grid.servers.map(({ name }) => name).join(' | ')} |`;
  const rows = grid.clients.map((client) => {
    const marks = grid.servers.map((server) => markAt(grid, client, server, version));
    return `| ${client.name} | ${marks.join(' | ')} |`;
  });
  return [`## TLS ${version}`, '', head, `| --- |${' :-: |'.repeat(grid.servers.length)}`, ...rows].join('\n');
}

function markAt(grid: Grid, client: Client, server: Server, version: Version): string {
  const outcome = grid.outcomeOf(client, server, version);
  return outcome === undefined ? '' : markOf({ client, server, version, outcome });
}

function programs({ clients, servers }: Grid): string {
  const list = (kind: string, some: readonly Program[]): string => {
    const lines = some.map((each) => `| ${each.name} | ${versionOf(each) ?? ''} | ${each.debian} |`);
    return [`| ${kind} | version | packages |`, '| --- | --- | --- |', ...new Set(lines)].join('\n');
  };
  return ['## Programs', list('client', clients), list('server', servers)].join('\n\n');
}

function write({ path }: Page, sections: readonly string[]): void {
  writeFileSync(ROOT + path, `${sections.join('\n\n')}\n`);
}

function linesOf({ path }: Page): string[] {
  try {
    return readFileSync(ROOT + path, 'utf8').split('\n');
  } catch {
    return [];
  }
}

function cellsOf(row: string): string[] {
  return row
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

function kernel(): string {
  return readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
}
