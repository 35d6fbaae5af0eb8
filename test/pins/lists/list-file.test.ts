import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

import { editList, writeListFile } from '../../../src/pins/lists/list-file.ts';
import { ROOT } from '../../support/built.ts';

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);
const pin = (digest: string): string => `cert-sha1:${digest}`;
const change = (add: string[], remove: string[] = []) => ({ add: new Set(add), remove: new Set(remove) });

describe('the text of a list', () => {
  it.each([
    ['grows at its end', `${A}\n`, change([pin(B)]), `${A}\n${pin(B)}\n`],
    ['gets the newline that it lacks', A, change([pin(B)]), `${A}\n${pin(B)}\n`],
    ['may be empty', '', change([pin(A)]), `${pin(A)}\n`],
    ['does not say a thing twice, whatever the spelling', `${A}  cert.der\n`, change([pin(A)]), `${A}  cert.der\n`],
    ['loses every spelling of what goes', `${A}\n# why\nSHA1 Fingerprint=${A}\n`, change([], [pin(A)]), '# why\n'],
    ['keeps its comments and its order', `# a\n${A} # b\n\n${B}\n`, change([], [pin(B)]), `# a\n${A} # b\n\n`],
    ['keeps what it cannot read', `nonsense\n${A}\n`, change([], [pin(A)]), 'nonsense\n'],
    ['keeps the ends of its lines', `${A}\r\n${B}\r\n`, change([], [pin(A)]), `${B}\r\n`],
    ['stays as it is where there is nothing to do', A, change([], [pin(B)]), A],
  ])('%s', (_, text, edit, expected) => {
    expect(editList(text, null, edit)).toBe(expected);
  });
});

const directory = mkdtempSync(join(tmpdir(), 'tlspin-list-'));
afterAll(() => rmSync(directory, { recursive: true }));

describe('the file of a list', () => {
  it('keeps its mode and its owner', () => {
    const path = join(directory, 'mode');
    writeFileSync(path, 'old');
    chmodSync(path, 0o664);
    const { uid } = statSync(path);
    if (uid === 0) chownSync(path, 0, 1);
    const before = statSync(path);
    writeListFile(path, 'new\n');
    const after = statSync(path);
    expect([after.mode & 0o777, after.uid, after.gid]).toEqual([0o664, before.uid, before.gid]);
    expect(readFileSync(path, 'utf8')).toBe('new\n');
  });

  it('that is not there yet is made, and not for everybody', () => {
    const path = join(directory, 'made');
    writeListFile(path, 'x\n');
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  it('behind a symbolic link is written where it is', () => {
    const [path, link] = [join(directory, 'target'), join(directory, 'link')];
    writeFileSync(path, 'old');
    symlinkSync('target', link);
    writeListFile(link, 'new');
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe('new');
  });

  it('is another file afterwards, so that whoever reads the old one reads it to its end', () => {
    const path = join(directory, 'inode');
    writeFileSync(path, 'old');
    const { ino } = statSync(path);
    writeListFile(path, 'new');
    expect(statSync(path).ino).not.toBe(ino);
  });

  it('stays as it is where it cannot be written, and nothing is left beside it', () => {
    const path = join(directory, 'sub');
    expect(() => writeListFile(join(path, 'x'), 'new')).toThrow(
      `cannot write ${join(path, 'x')}: open: ENOENT (there is no such directory)`,
    );
    symlinkSync('round', join(directory, 'round'));
    expect(() => writeListFile(join(directory, 'round'), 'new')).toThrow(/^cannot write .*round: stat: ELOOP/);
    // A directory of that name: the rename fails.
    const taken = join(directory, 'taken');
    const inside = mkdtempSync(`${taken}-`);
    expect(() => writeListFile(inside, 'new')).toThrow(/^cannot write .*: rename: /);
    expect(readdirSync(directory).filter((name) => name.includes('tlspin-new'))).toEqual([]);
  });

  it('replaces what a process left that ended in the middle', () => {
    const path = join(directory, 'again');
    writeFileSync(join(directory, '.again.tlspin-new'), 'half');
    writeListFile(path, 'whole');
    expect(readFileSync(path, 'utf8')).toBe('whole');
    expect(existsSync(join(directory, '.again.tlspin-new'))).toBe(false);
  });

  it('is whole at every moment, and holds what was said to be written, wherever the writer is killed', async () => {
    const path = join(directory, 'killed');
    const module = `${ROOT}dist/pins/lists/list-file.js`;
    const script = `
      import { writeListFile } from ${JSON.stringify(module)};
      for (let n = 1; ; n++) {
        writeListFile(${JSON.stringify(path)}, (String(n).padStart(8, '0') + '\\n').repeat(20_000));
        process.stdout.write(n + '\\n');
      }`;
    for (let round = 0; round < 6; round++) {
      const writer = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let said = '';
      writer.stdout.on('data', (text: Buffer) => (said += text.toString()));
      await expect.poll(() => said.length, { timeout: 20_000, interval: 5 }).toBeGreaterThan(round * 3);
      await new Promise((resolve) => setTimeout(resolve, round * 2));
      const gone = new Promise((resolve) => writer.once('close', resolve));
      writer.kill('SIGKILL');
      await gone;
      const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
      expect([lines.length, new Set(lines).size]).toEqual([20_000, 1]);
      expect(Number(lines[0])).toBeGreaterThanOrEqual(Number(said.trimEnd().split('\n').at(-1)));
    }
  });
});
