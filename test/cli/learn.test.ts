import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { parseTree, type ParseError } from 'jsonc-parser';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { registerLearn } from '../../src/cli/learn/learn.ts';
import { LearnBook } from '../../src/learn/book.ts';
import { findHosts } from '../../src/learn/forget.ts';
import { NOTHING_LEARNED, stateText } from '../../src/learn/state.ts';
import { readState } from '../../src/learn/state-file.ts';
import { answerCommands, type CommandHost } from '../../src/runtime/control/commands.ts';
import { Learning } from '../../src/runtime/control/learning.ts';
import { ControlServer } from '../../src/runtime/control/server.ts';
import { StateLock } from '../../src/runtime/state-lock.ts';

let folder: string;
let file: string;
let out: string;
let err: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tlspin-learn-'));
  file = join(folder, 'learned.json');
  out = '';
  err = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((out += String(text)), true));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

async function run(...args: string[]): Promise<number> {
  const program = new Command().exitOverride().configureOutput({ writeErr: (text) => void (err += text) });
  registerLearn(program);
  const learn = program.commands[0]!;
  for (const command of [learn, ...learn.commands]) {
    command.exitOverride().configureOutput({ writeErr: (text) => void (err += text) });
  }
  try {
    await program.parseAsync(['learn', ...args], { from: 'user' });
    return 0;
  } catch (error) {
    return (error as { exitCode: number }).exitCode;
  }
}

const LEAF = Buffer.alloc(32, 'a').toString('base64');

function learned(subject = 'CN=www.bank.example'): void {
  const book = new LearnBook(NOTHING_LEARNED, { observations: 20, spacing: 0, hosts: 9, keys: 9 });
  const chain = { leaf: { spki: LEAF, subject }, issuers: [], unseenIssuer: null, isPublic: false, carriesName: true };
  for (let i = 0; i < 20; i++) book.observe('bank', 'www.bank.example:443', chain, 0);
  writeFileSync(file, stateText(book.state));
}

describe('tlspin learn', async () => {
  it('show says of each host what was seen and what it comes to', async () => {
    learned();
    expect(await run('show', '--state', file)).toBe(0);
    expect(out).toContain('bank  www.bank.example:443  settled, seen 20 ×');
    expect(out).toContain(`leaf    spki-sha256:${LEAF}  20 × 1970-01-01`);
  });

  it('propose prints JSON with comments, and with --json plain', async () => {
    learned();
    expect(await run('propose', '--state', file)).toBe(0);
    const problems: ParseError[] = [];
    parseTree(out, problems, { allowTrailingComma: true });
    expect(problems).toEqual([]);
    expect(out).toContain('// warning: there is no issuer');
    out = '';
    expect(await run('propose', 'bank', '--state', file, '--json')).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      pinsets: [{ name: 'www.bank.example' }],
      warnings: [{ host: 'www.bank.example:443' }],
    });
  });

  it('takes the file and the count from a configuration', async () => {
    learned();
    const config = join(folder, 'tlspin.json');
    const pinset = { name: 'bank', match: { hosts: ['www.bank.example'] }, mode: 'learn' };
    writeFileSync(
      config,
      JSON.stringify({ version: 1, learn: { file: 'learned.json', observations: 21 }, pinsets: [pinset] }),
    );
    expect(await run('show', '-c', config)).toBe(0);
    expect(out).toContain('learning, seen 20 ×');
  });

  it('shows no terminal what a server wrote into its certificate as it is', async () => {
    learned('CN=\u001b[2Jx\n\u202e');
    await run('show', '--state', file);
    expect(out).toContain('CN=\\x1b[2Jx\\x0a\\x202e');
    await run('propose', '--state', file);
    expect(out).not.toMatch(/[\u001b\u202e]/);
  });

  it.each([
    [
      'nobody to ask',
      ['--control', '/nonexistent/tlspin.sock'],
      'control socket /nonexistent/tlspin.sock: there is none',
    ],
    ['no file there', ['--state', '/nonexistent/learned.json'], 'nothing has been learned yet'],
  ])('exits 1 with %s', async (_what, args, text) => {
    expect(await run('show', ...args)).toBe(1);
    expect(err).toContain(text);
  });

  it('exits 1 with a damaged file, and says what to do', async () => {
    writeFileSync(file, '{');
    expect(await run('show', '--state', file)).toBe(1);
    expect(err).toContain('move it away to learn everything anew');
  });

  it('exits 1 for a pinset that has learned nothing', async () => {
    learned();
    expect(await run('propose', 'other', '--state', file)).toBe(1);
    expect(err).toContain('nothing has been learned for "other"');
  });
});

describe('tlspin learn forget', () => {
  it('takes hosts out of the file where nobody keeps it, and says which', async () => {
    learned();
    expect(await run('forget', 'www.bank.example', '--state', file)).toBe(0);
    expect(out).toBe('forgotten: www.bank.example:443 (bank), seen 20 ×\n');
    expect(readState(file).pinsets).toEqual({});
  });

  it('prints JSON', async () => {
    learned();
    expect(await run('forget', '--pinset', 'bank', '--state', file, '--json')).toBe(0);
    expect(JSON.parse(out)).toEqual({
      forgotten: [{ pinset: 'bank', host: 'www.bank.example:443', observations: 20, held: null }],
    });
  });

  it('changes nothing where a host is unknown, and says which is near', async () => {
    learned();
    const before = readState(file);
    expect(await run('forget', 'www.bank.example', 'www.bonk.example', '--state', file)).toBe(1);
    expect(err).toContain('nothing was learned of "www.bonk.example": did you mean "www.bank.example"?');
    expect(readState(file)).toEqual(before);
  });

  it('changes nothing beside an engine that keeps the file, and says how to ask that one', async () => {
    learned();
    const lock = await StateLock.take(file);
    expect(await run('forget', 'www.bank.example', '--state', file)).toBe(1);
    expect(err).toBe(`error: ${file} is kept by a tlspin that runs: ask that one, with --control SOCKET\n`);
    expect(await run('show', '--state', file)).toBe(0);
    await lock.release();
    expect(Object.keys(readState(file).pinsets)).toEqual(['bank']);
  });

  it('wants to know what', async () => {
    expect(await run('forget', '--state', file)).toBe(2);
    expect(err).toContain('name what is to be forgotten');
  });
});

describe('a tlspin that runs', () => {
  const HOSTS = 700;
  let server: ControlServer;
  let asked: unknown[];
  beforeEach(async () => {
    const book = new LearnBook(NOTHING_LEARNED, { observations: 2, spacing: 5, hosts: 1_000, keys: 9 });
    const leaf = { spki: LEAF, subject: 'CN=x' };
    const chain = { leaf, issuers: [], unseenIssuer: null, isPublic: false, carriesName: true };
    for (let i = 0; i < HOSTS; i++) book.observe('bank', `h${i}.example:443`, chain, 0);
    asked = [];
    const learning = new Learning({
      learner: { limits: book.limits, shared: book.shared, hosts: () => book.hosts(), elsewhere: () => undefined },
      forget: (request) => Promise.resolve({ forgotten: findHosts(book, request), generation: 7 }),
      onForgotten: (by, forgotten, generation) => asked.push([by, forgotten.map(({ host }) => host), generation]),
      onRefused: (by, error) => asked.push([by, error]),
    });
    const answer = answerCommands({ learning } as unknown as CommandHost);
    const binding = { peerCredentials: () => ({ uid: 0, gid: 0, pid: 4711 }) };
    server = new ControlServer({ path: join(folder, 'control.sock'), mode: 0o600, answer, binding });
    await server.start();
  });
  afterEach(() => server.stop());
  const control = () => ['--control', join(folder, 'control.sock')];

  it('is asked for everything, page after page, and by what limits it learns', async () => {
    expect(await run('show', '--json', ...control())).toBe(0);
    const shown = JSON.parse(out) as { host: string; warnings: string[] }[];
    expect(shown.map(({ host }) => host)).toEqual(Array.from({ length: HOSTS }, (_, i) => `h${i}.example:443`));
    out = '';
    expect(await run('propose', 'bank', ...control())).toBe(0);
    expect(out).toContain('signs for h0.example and h1.example');
  });

  it('is asked where the configuration says that it listens; the file is read where it does not run', async () => {
    learned();
    const config = join(folder, 'tlspin.json');
    const pinset = { name: 'bank', match: { hosts: ['www.bank.example'] }, mode: 'learn' };
    const written = {
      version: 1,
      control: { socket: 'control.sock' },
      learn: { file: 'learned.json' },
      pinsets: [pinset],
    };
    writeFileSync(config, JSON.stringify(written));
    await run('show', '-c', config);
    expect(out).toMatch(/^bank {2}h0\.example:443 {2}withheld, seen 1 ×/);
    await server.stop();
    out = '';
    await run('show', '-c', config);
    expect(out).toContain('www.bank.example:443  settled, seen 20 ×');
  });

  it('forgets, knows who asked, and refuses what it does not know', async () => {
    expect(await run('forget', 'h1.example', 'h2.example:443', ...control())).toBe(0);
    expect(out).toContain('forgotten: h1.example:443 (bank), seen 1 ×');
    expect(await run('forget', 'g1.example', ...control())).toBe(1);
    expect(err).toMatch(/^error: nothing was learned of "g1\.example": did you mean/);
    const by = 'control (uid 0, pid 4711)';
    expect(asked).toMatchObject([
      [by, ['h1.example:443', 'h2.example:443'], 7],
      [by, expect.stringContaining('g1.example')],
    ]);
  });

  it('is not asked beside a file', async () => {
    expect(await run('show', '--state', file, ...control())).not.toBe(0);
    expect(err).toContain('cannot be used with');
  });
});
