/** A configuration of several files, one a team: put together, with every message at the place that it is about. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { formatMessage } from '../../src/pins/document/message.ts';
import { loadPolicy } from '../../src/pins/load.ts';
import { readConfiguration } from '../../src/runtime/control/configuration/reading.ts';
import { fixturePath } from '../support/certificates.ts';
import { PIN_A, PIN_B } from '../support/configuration.ts';

let folder: string;
let main: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tlspin-include-'));
  main = join(folder, 'tlspin.json');
  mkdirSync(join(folder, 'pinsets.d'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const pinset = (name: string, more: object = {}) => ({
  name,
  match: { hosts: [`${name}.example`] },
  pins: [PIN_A, { pin: PIN_B, role: 'backup' }],
  ...more,
});
/** A line for each of its values. */
const write = (name: string, document: object | string): void =>
  writeFileSync(join(folder, name), typeof document === 'string' ? document : JSON.stringify(document, null, 1));
const team = (name: string, ...pinsets: object[]): void => write(`pinsets.d/${name}`, { version: 1, pinsets });

function messages(): string[] {
  const loaded = loadPolicy(main);
  return ('errors' in loaded ? loaded.errors : loaded.warnings).map((message) =>
    formatMessage(message).replaceAll(`${folder}/`, ''),
  );
}

function names(): string[] {
  const loaded = loadPolicy(main);
  if ('errors' in loaded) throw new Error(messages().join('\n'));
  return loaded.policy.pinsets.map(({ name }) => name);
}

it('a folder’s files are read in the order of their names, behind the pinsets of the file itself', () => {
  write('tlspin.json', { version: 1, include: 'pinsets.d', pinsets: [pinset('own')] });
  team('20-shop.json', pinset('shop'), pinset('till'));
  team('10-bank.json', pinset('bank'));
  write('pinsets.d/.hidden.json', 'nonsense');
  write('pinsets.d/30-old.json.dpkg-old', 'nonsense');
  expect(names()).toEqual(['own', 'bank', 'shop', 'till']);
});

it('files and folders can be named one by one, and count once', () => {
  write('tlspin.json', { version: 1, include: ['pinsets.d/b.json', 'pinsets.d', 'pinsets.d/b.json'] });
  team('a.json', pinset('a'));
  team('b.json', pinset('b'));
  expect(names()).toEqual(['b', 'a']);
});

it('files that a team names are beside its own file, and its lists are everybody’s', () => {
  write('tlspin.json', { version: 1, include: 'pinsets.d', pinsets: [pinset('own', { pins: ['@bad', PIN_A] })] });
  cpSync(fixturePath('root'), join(folder, 'pinsets.d', 'root.der'));
  write('pinsets.d/bad.list', `${'a'.repeat(40)}\n`);
  write('pinsets.d/a.json', {
    version: 1,
    lists: { bad: { file: 'bad.list' } },
    pinsets: [pinset('a', { pins: [{ file: 'root.der' }] })],
  });
  expect(names()).toEqual(['own', 'a']);
  const loaded = readConfiguration(main);
  if ('errors' in loaded) throw new Error();
  expect(loaded.policy.lists).toMatchObject([{ id: 'bad', entries: [{}], file: join(folder, 'pinsets.d/bad.list') }]);
  expect([...loaded.contents.keys()]).toEqual(
    expect.arrayContaining(['pinsets.d/', 'pinsets.d/a.json', 'pinsets.d/root.der'].map((each) => join(folder, each))),
  );
});

describe('what is wrong is said with its file, its line and its column', () => {
  beforeEach(() => write('tlspin.json', { version: 1, include: ['pinsets.d'], pinsets: [pinset('own')] }));

  it('the shape', () => {
    team('a.json', pinset('a'), pinset('b', { match: { host: ['b.example'] } }));
    expect(messages()[0]).toMatch(/^pinsets\.d\/a\.json:22:5: error: unknown key "host": did you mean "hosts"\?$/);
  });

  it('the syntax', () => {
    write('pinsets.d/a.json', '{ "version": 1,\n  "pinsets": [ }');
    team('b.json', pinset('b', { mode: 'watch' }));
    expect(messages()).toEqual([
      expect.stringMatching(/^pinsets\.d\/a\.json:2:16: error: /),
      expect.stringMatching(/a closing \] is missing/),
      expect.stringMatching(/a closing \} is missing/),
      expect.stringMatching(/^pinsets\.d\/b\.json:18:12: error: "mode" must be "enforce"/),
    ]);
  });

  it('the values', () => {
    team('a.json', pinset('a', { pins: ['sha256//short'] }));
    expect(messages()).toEqual([expect.stringMatching(/^pinsets\.d\/a\.json:12:5: error: /)]);
  });

  it('keys that are for the whole', () => {
    write('pinsets.d/a.json', { version: 1, failOpen: true });
    expect(messages()).toEqual([
      'pinsets.d/a.json:3:2: error: unknown key "failOpen": $schema, version, pinsets and lists are known here',
    ]);
  });

  it('names and matches that another team has', () => {
    team('a.json', pinset('own', { match: { hosts: ['other.example'] } }));
    team('b.json', pinset('b', { match: { hosts: ['own.example'] } }));
    const [repeated] = messages();
    expect(repeated).toBe(
      `pinsets.d/a.json:5:12: error: "own" is the name of the pinset at line 8 of tlspin.json already`,
    );
    rmSync(join(folder, 'pinsets.d/a.json'));
    expect(messages()).toEqual([
      expect.stringMatching(
        /^pinsets\.d\/b\.json:6:13: error: "b" is as specific as "own" at line \d+ of tlspin\.json/,
      ),
    ]);
  });

  it('lists of the same name', () => {
    const lists = { bad: { entries: ['a'.repeat(40)] } };
    write('pinsets.d/a.json', { version: 1, lists });
    write('pinsets.d/b.json', { version: 1, lists });
    expect(messages()).toEqual([
      expect.stringMatching(/^pinsets\.d\/b\.json:4:10: error: there is a list "bad" in pinsets\.d\/a\.json already$/),
    ]);
  });

  it('warnings, which strict makes errors', () => {
    team('a.json', pinset('a', { pins: [PIN_A] }));
    expect(messages()).toEqual([expect.stringMatching(/^pinsets\.d\/a\.json:11:12: warning: .*backup/)]);
    write('tlspin.json', { version: 1, strict: true, include: 'pinsets.d' });
    expect(loadPolicy(main)).toHaveProperty('errors');
  });

  it('what is no configuration, or is not there', () => {
    write('pinsets.d/a.json', '-----BEGIN CERTIFICATE-----\n');
    expect(messages()).toEqual([
      expect.stringMatching(/^pinsets\.d\/a\.json:1:1: error: this is a certificate in PEM/),
    ]);
    write('tlspin.json', { version: 1, include: ['pinsets.d', 'absent.d'] });
    expect(messages()[0]).toMatch(/^tlspin\.json:5:3: error: cannot read absent\.d: ENOENT/);
  });
});

it('a change in any of them is another hash, and so is a file that is new', () => {
  const hash = () => {
    const loaded = loadPolicy(main);
    return 'policy' in loaded ? loaded.policy.hash : '';
  };
  write('tlspin.json', { version: 1, include: 'pinsets.d' });
  const hashes = [hash()];
  team('a.json', pinset('a'));
  hashes.push(hash());
  team('a.json', pinset('a', { mode: 'report-only' }));
  hashes.push(hash());
  write('pinsets.d/b.json', { version: 1 });
  hashes.push(hash());
  expect(new Set(hashes).size).toBe(4);
  expect(hashes).not.toContain('');
});
