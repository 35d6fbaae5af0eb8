/** Real files, real processes: one of them keeps the file, and no longer than it lives. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { StateLock } from '../../src/runtime/state-lock.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tlspin-lock-'));
  file = join(folder, 'learned.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('a file that is kept', () => {
  it('is nobody else’s, until it is released; nothing stays beside it', async () => {
    const lock = await StateLock.take(file);
    await expect(StateLock.take(file)).rejects.toThrow(`${file} is kept by a tlspin that runs`);
    await expect(StateLock.take(file)).rejects.toThrow('--control SOCKET');
    await lock.release();
    await (await StateLock.take(file)).release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is free again when whoever kept it was killed', async () => {
    const held = `import('node:net').then(({ createServer }) => createServer().listen(process.argv[1], () => console.log('kept')))`;
    const other = spawn(process.execPath, ['-e', held, join(folder, '.learned.json.lock')]);
    await once(other.stdout, 'data');
    await expect(StateLock.take(file)).rejects.toThrow('is kept');
    other.kill('SIGKILL');
    await once(other, 'exit');
    expect(readdirSync(folder)).toEqual(['.learned.json.lock']);
    await (await StateLock.take(file)).release();
  });

  it('may lie deep', async () => {
    const deep = join(folder, ...Array.from({ length: 20 }, () => 'a'.repeat(30)));
    mkdirSync(deep, { recursive: true });
    const lock = await StateLock.take(join(deep, 'learned.json'));
    await expect(StateLock.take(join(deep, 'learned.json'))).rejects.toThrow('is kept');
    await lock.release();
  });

  it('and what lies in the place of its lock are told of by names that people know', async () => {
    const lock = join(folder, '.learned.json.lock');
    writeFileSync(lock, '');
    await expect(StateLock.take(file)).rejects.toThrow(`lock ${lock}: there is a file of that name: remove it`);
  });

  it('needs a folder', async () => {
    await expect(StateLock.take(join(folder, 'none', 'learned.json'))).rejects.toThrow(
      /none cannot be opened \(ENOENT\): make that folder/,
    );
  });
});
