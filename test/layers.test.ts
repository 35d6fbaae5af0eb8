/** The house's plan, held by reading the imports of every file: they go downwards only. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

/** Folder by folder, from the ground up, what a file there may import from besides its own folder. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  bytes: [],
  packet: ['bytes'],
  tcp: ['bytes', 'packet (types)'],
  tls: ['bytes'],
  starttls: ['bytes'],
  quic: ['bytes'],
  x509: ['bytes'],
  minisign: ['bytes'],
  pins: ['bytes', 'x509', 'minisign'],
  judge: ['bytes', 'packet (types)', 'tls', 'x509', 'pins'],
  connection: ['bytes', 'packet', 'tcp', 'tls', 'starttls', 'x509', 'pins', 'judge'],
  datagram: ['bytes', 'packet', 'tcp', 'tls', 'quic', 'x509', 'pins', 'judge', 'connection'],
  engine: ['bytes', 'packet', 'tcp', 'pins', 'judge', 'connection', 'datagram'],
  import: ['bytes', 'x509', 'pins'],
  source: ['bytes', 'packet', 'tcp', 'judge (types)'],
  probe: ['bytes', 'tls', 'x509', 'pins/probe', 'pins (types)', 'judge (types)'],
  report: ['bytes', 'packet', 'tls', 'x509', 'pins (types)', 'judge (types)'],
  learn: ['bytes', 'x509', 'pins', 'judge (types)'],
  fleet: ['bytes', 'minisign', 'pins'],
  runtime: [
    'bytes',
    'minisign',
    'packet',
    'tcp',
    'tls',
    'starttls',
    'x509',
    'pins',
    'judge (types)',
    'connection (types)',
    'engine',
    'source',
    'probe',
    'report',
    'learn',
    'fleet',
  ],
  web: ['bytes', 'pins', 'report', 'learn', 'runtime'],
  cli: [
    'bytes',
    'minisign',
    'tls',
    'x509',
    'pins',
    'import',
    'judge (types)',
    'source',
    'probe',
    'report',
    'learn',
    'fleet',
    'runtime',
    'web',
  ],
};

/** More files than that in one flat folder, and nobody finds anything. */
const FILES_IN_A_FOLDER = 25;
/** More lines than that in one file, and it has more than one subject. */
const LINES_IN_A_FILE = 400;

/** What runs there. */
const PACKET_THREADS = ['engine/engine.ts', 'runtime/queue/worker.ts'];

/** Packages that stay off the packet threads: whatever a worker loads must not reach them. */
const CONTROL_PLANE_ONLY = ['zod', 'commander', 'pino', 'prom-client', 'pkijs', 'asn1js', 'jsonc-parser', '@nats-io'];

interface Import {
  readonly file: string;
  readonly specifier: string;
  readonly typeOnly: boolean;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
const imports = files.flatMap(importsOf);

function linesOf(path: string): number {
  return readFileSync(path, 'utf8').trimEnd().split('\n').length;
}

function importsOf(file: string): Import[] {
  return importsIn(readFileSync(join(SRC, file), 'utf8'), file);
}

function importsIn(text: string, file: string): Import[] {
  const found = text.matchAll(/^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm);
  const dynamic = text.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g);
  return [
    ...[...found].map(([whole, type, specifier = '']) => ({
      file,
      specifier,
      typeOnly: type !== undefined || /\{\s*(type\s+\w+(\s+as\s+\w+)?\s*,?\s*)+\}/.test(whole),
    })),
    ...[...dynamic].map(([, specifier = '']) => ({ file, specifier, typeOnly: false })),
  ];
}

/** `x509/fingerprint` for an own file, undefined for packages and node's modules. */
function target({ file, specifier }: Import): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  return relative(SRC, join(SRC, dirname(file), specifier)).replace(/\.ts$/, '');
}

const folderOf = (path: string): string => path.split('/')[0] ?? '';

function allowed(from: string, to: string, typeOnly: boolean): boolean {
  const rules = MAY_IMPORT[from] ?? [];
  const folder = folderOf(to);
  return (
    folder === from || rules.includes(folder) || rules.includes(to) || (typeOnly && rules.includes(`${folder} (types)`))
  );
}

describe('folders', () => {
  it('stay small enough to be read at a glance', () => {
    const counts = new Map<string, number>();
    for (const file of files) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1);
    expect([...counts].filter(([, count]) => count > FILES_IN_A_FOLDER)).toEqual([]);
  });
});

describe('files', () => {
  it('stay short enough to have one subject', () => {
    expect(files.filter((name) => linesOf(join(SRC, name)) > LINES_IN_A_FILE)).toEqual([]);
  });
});

describe('the console’s page', () => {
  const PAGE = fileURLToPath(new URL('../web', import.meta.url));
  const sources = readdirSync(PAGE, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));

  it('has short files in small folders, too', () => {
    expect(sources.length).toBeGreaterThan(10);
    expect(sources.filter((name) => linesOf(join(PAGE, name)) > LINES_IN_A_FILE)).toEqual([]);
    expect(sources.filter((name) => dirname(name) === '.').length).toBeLessThanOrEqual(FILES_IN_A_FOLDER);
  });

  it('knows of the program what the console’s interface says, and runs nothing of it', () => {
    const foreign = sources.flatMap((name) =>
      importsIn(readFileSync(join(PAGE, name), 'utf8'), name)
        .filter(({ specifier }) => relative(PAGE, join(PAGE, dirname(name), specifier)).startsWith('..'))
        .map(({ specifier, typeOnly }) => `${typeOnly ? 'types of ' : ''}${specifier.replace(/^(\.\.\/)+/, '')}`),
    );
    expect([...new Set(foreign)]).toEqual(['types of src/web/api.ts']);
  });
});

describe('imports', () => {
  it('are read at all', () => {
    expect(imports.length).toBeGreaterThan(10);
  });

  it('come from folders that the plan knows', () => {
    expect(files.filter((file) => MAY_IMPORT[folderOf(file)] === undefined)).toEqual([]);
  });

  it('go downwards only', () => {
    const wrong = imports
      .map((one) => ({ ...one, to: target(one) }))
      .filter(({ file, to, typeOnly }) => to !== undefined && !allowed(folderOf(file), to, typeOnly))
      .map(({ file, to, typeOnly }) => `${file} imports ${typeOnly ? 'types of ' : ''}${to}`);
    expect(wrong).toEqual([]);
  });

  it('name own files with their extension', () => {
    expect(imports.filter(({ specifier }) => specifier.startsWith('.') && !specifier.endsWith('.ts'))).toEqual([]);
  });

  it('of the packet threads never reach what belongs to the main thread', () => {
    const reached = reachable(PACKET_THREADS);
    // A root that is renamed would reach nothing.
    expect(files).toEqual(expect.arrayContaining(PACKET_THREADS));
    expect([...reached]).toEqual(
      expect.arrayContaining(['pins/match/snapshot.ts', 'x509/presented.ts', 'x509/proof.ts']),
    );
    const loaded = imports.filter(({ file, typeOnly }) => reached.has(file) && !typeOnly);
    const wrong = loaded.filter(({ specifier }) => CONTROL_PLANE_ONLY.includes(specifier.split('/')[0] ?? ''));
    expect(wrong.map(({ file, specifier }) => `${file} loads ${specifier}`)).toEqual([]);
  });

  it('leave no circle between files, those of types included', () => {
    const circular = files.filter((file) => reachable(next(file, true), true).has(file));
    expect(circular).toEqual([]);
  });
});

/** Files that a file loads; types vanish before anything runs. */
function next(file: string, withTypes = false): string[] {
  return imports
    .filter((one) => one.file === file && (withTypes || !one.typeOnly))
    .map(target)
    .filter((to) => to !== undefined)
    .map((to) => `${to}.ts`);
}

function reachable(roots: readonly string[], withTypes = false): Set<string> {
  const seen = new Set<string>();
  const queue = [...roots];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    queue.push(...next(file, withTypes));
  }
  return seen;
}
