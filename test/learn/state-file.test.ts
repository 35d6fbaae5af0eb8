import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { LearnBook } from '../../src/learn/book.ts';
import { NOTHING_LEARNED, stateText } from '../../src/learn/state.ts';
import { readState, StateFile } from '../../src/learn/state-file.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tlspin-learn-'));
  file = join(folder, 'learned.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

function someState() {
  const book = new LearnBook(NOTHING_LEARNED, { observations: 1, spacing: 0, hosts: 9, keys: 9 });
  const leaf = { spki: Buffer.alloc(32, 'k').toString('base64'), subject: 'CN=x' };
  book.observe('p', 'x.example:443', { leaf, issuers: [], unseenIssuer: null, isPublic: false, carriesName: true }, 0);
  return book.state;
}

describe('reading', () => {
  it('nothing is known where there is no file', () => {
    expect(readState(file)).toEqual(NOTHING_LEARNED);
  });

  it('a file cut short anywhere is an error with the cure, and stays as it is', () => {
    const text = stateText(someState());
    for (let length = 0; length < text.length - 1; length++) {
      writeFileSync(file, text.slice(0, length));
      expect(() => readState(file)).toThrow(`${file} is not what tlspin learned`);
    }
    expect(() => readState(file)).toThrow('move it away to learn everything anew');
    expect(readFileSync(file, 'utf8')).toBe(text.slice(0, text.length - 2));
  });

  it.each([
    ['another version', { version: 2, pinsets: {} }],
    ['a key nobody knows', { version: 1, pinsets: {}, shared: {}, more: 1 }],
    ['a host without its keys', { version: 1, pinsets: { p: { 'x:443': { observations: 1 } } }, shared: {} }],
    ['no document', []],
  ])('%s is refused', (_what, value) => {
    writeFileSync(file, JSON.stringify(value));
    expect(() => readState(file)).toThrow('is not what tlspin learned');
  });

  it('a file that cannot be read is not taken for none', () => {
    expect(() => readState(folder)).toThrow('EISDIR');
  });
});

describe('writing', () => {
  it('replaces the file whole, for its owner alone, and leaves nothing beside it', async () => {
    const state = someState();
    const kept = new StateFile(
      file,
      () => state,
      () => {},
    );
    kept.touch();
    await Promise.all([kept.save(), kept.save()]);
    expect(readState(file)).toEqual(state);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['learned.json']);
  });

  it('writes nothing where nothing has changed', async () => {
    await new StateFile(file, someState, () => {}).save();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('that fails is said once, and tried again', async () => {
    const said: string[] = [];
    const target = join(folder, 'none', 'learned.json');
    const kept = new StateFile(target, someState, (line) => said.push(line));
    kept.touch();
    await kept.save();
    await kept.save();
    expect(said).toEqual([expect.stringContaining(`cannot be written to ${target}: ENOENT`)]);
  });
});
