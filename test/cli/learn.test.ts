import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { parseTree, type ParseError } from 'jsonc-parser';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { registerLearn } from '../../src/cli/learn.ts';
import { LearnBook } from '../../src/learn/book.ts';
import { NOTHING_LEARNED, stateText } from '../../src/learn/state.ts';

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
    expect(out).toContain('CN=?[2Jx??');
    await run('propose', '--state', file);
    expect(out).not.toMatch(/[\u001b\u202e]/);
  });

  it.each([
    ['nobody to ask', ['--control', '/nonexistent/tlspin.sock'], 'control socket /nonexistent/tlspin.sock: there is none'],
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
