/** Real files; the daemon that takes policies is made up. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Policy } from '../../../src/pins/policy.ts';
import { PinsetSnapshot } from '../../../src/pins/match/snapshot.ts';
import { type ConfigurationChange, LiveConfiguration } from '../../../src/runtime/control/configuration.ts';
import {
  asLoaded,
  type LoadedConfiguration,
  readConfiguration,
} from '../../../src/runtime/control/configuration/reading.ts';
import type { ReloadOutcome } from '../../../src/runtime/daemon.ts';
import { PIN_A, PIN_B } from '../../support/configuration.ts';

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);
const C = 'c'.repeat(40);
const BANK = { name: 'bank', match: { hosts: ['www.bank.example'] }, pins: [PIN_A, PIN_B] };

let directory: string;
let file: string;
let applied: Policy[];
let changes: ConfigurationChange[];
let refusal: string | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tlspin-live-'));
  file = join(directory, 'tlspin.json');
  applied = [];
  changes = [];
  refusal = undefined;
});
afterEach(() => rmSync(directory, { recursive: true }));

const write = (name: string, text: string) => writeFileSync(join(directory, name), text);
const text = (name: string) => readFileSync(join(directory, name), 'utf8');
const configure = (document: object) => write('tlspin.json', JSON.stringify({ version: 1, ...document }));

function live(document: object): LiveConfiguration {
  configure(document);
  const loaded = readConfiguration(file);
  if ('errors' in loaded) throw new Error(loaded.errors.map((error) => error.text).join('\n'));
  return new LiveConfiguration({
    file,
    loaded,
    apply: async (policy): Promise<ReloadOutcome> => {
      if (refusal !== undefined) return { isInForce: false, reason: refusal };
      applied.push(policy);
      return { isInForce: true, generation: applied.length + 1, silent: [] };
    },
    onChange: (change) => changes.push(change),
  });
}

const entries = ({ policy }: LiveConfiguration, id = '0') =>
  policy.lists.find((list) => list.id === id)!.entries.map(({ canonical }) => canonical.replace('cert-sha1:', ''));
const add = (...given: string[]) => ({ add: given, remove: [] });
const remove = (...given: string[]) => ({ add: [], remove: given });

describe('a reload', () => {
  it('reads everything anew, and tells what has changed', async () => {
    const configuration = live({ pinsets: [BANK] });
    configure({
      pinsets: [
        { ...BANK, pins: [PIN_A], mode: 'report-only' },
        { ...BANK, name: 'shop', match: {} },
      ],
      ports: [8443],
    });
    const change = await configuration.reload('SIGHUP');
    expect(change).toMatchObject({
      by: 'SIGHUP',
      isInForce: true,
      generation: 2,
      error: null,
      difference: {
        pinsets: {
          added: ['shop'],
          removed: [],
          changed: [
            {
              pinset: 'bank',
              keys: ['mode'],
              pins: { addedCount: 0, removedCount: 1, removed: [expect.stringMatching(/ \(at path\)$/)] },
            },
          ],
        },
        sections: ['ports'],
        rules: ['ports'],
      },
    });
    expect([applied, configuration.generation, changes]).toEqual([[configuration.policy], 2, [change]]);
  });

  it('of a bad file changes nothing, and tells each mistake with its place', async () => {
    const configuration = live({ pinsets: [BANK] });
    const before = configuration.policy;
    write('tlspin.json', '{ "version": 1,\n  "pinset": [],\n  "queues": "x" }');
    const change = await configuration.reload('SIGHUP');
    expect(change).toMatchObject({ isInForce: false, error: `${file} is no valid configuration`, generation: 1 });
    expect(change.messages).toEqual([
      expect.stringMatching(/tlspin\.json:2:3: error: /),
      expect.stringMatching(/tlspin\.json:3:13: error: /),
    ]);
    expect([applied, configuration.policy]).toEqual([[], before]);
    expect(changes).toEqual([change]);
  });

  it('that the daemon cannot take changes nothing', async () => {
    const configuration = live({ pinsets: [BANK] });
    configure({ pinsets: [BANK], failOpen: true });
    refusal = 'failOpen changed';
    expect(await configuration.reload('x')).toMatchObject({ isInForce: false, error: 'failOpen changed' });
    expect(configuration.policy.failOpen).toBe(false);
  });

  it('nor does a change of a list, whose file is as it was', async () => {
    const lists = { 0: { file: 'bad', writable: true }, 1: { file: 'new', writable: true } };
    write('bad', `${A}\n`);
    const configuration = live({ lists });
    refusal = 'another tlspin is taking over';
    const change = configuration.changeList('x', '0', add(B));
    await expect(change).rejects.toThrow('the list "0" is not changed: another tlspin is taking over');
    await expect(configuration.changeList('x', '1', add(B))).rejects.toThrow('the list "1" is not changed');
    expect([text('bad'), entries(configuration)]).toEqual([`${A}\n`, [A]]);
    expect(() => text('new')).toThrow('ENOENT');
  });

  it('that is only tried says what would change and changes nothing', async () => {
    const configuration = live({ pinsets: [BANK] });
    configure({ pinsets: [] });
    expect(await configuration.tryReload('x')).toMatchObject({
      isInForce: false,
      error: null,
      difference: { pinsets: { removed: ['bank'] }, rules: ['pinsets'] },
    });
    configure({ pinsets: [], queues: 7 });
    expect(await configuration.tryReload('x')).toMatchObject({
      error: 'queues changed, which takes a restart (and new rules)',
    });
    write('tlspin.json', '{');
    expect(await configuration.tryReload('x')).toMatchObject({
      error: `${file} is no valid configuration`,
      difference: null,
    });
    expect([applied, changes, configuration.policy.pinsets.length]).toEqual([[], [], 1]);
  });

  it('says so when probes become possible, because only rules of their own let them out', async () => {
    const configuration = live({
      pinsets: [{ ...BANK, tls13: 'deny', resumed: 'deny' }],
      pinned: { tls13: 'deny', resumed: 'deny' },
    });
    configure({ pinsets: [BANK] });
    expect((await configuration.reload('x')).difference!.rules).not.toEqual([]);
  });
});

describe('a list with a file', () => {
  const document = { lists: { 0: { file: '0.list', writable: true } }, rules: [{ fpl: '0', verdict: 'drop' }] };

  it('is written when it is changed, and in force at once', async () => {
    write('0.list', `# known\n${A}\n`);
    const configuration = live(document);
    const answer = await configuration.changeList('x', '0', add(B, `${A.toUpperCase()}  cert.der`));
    expect(answer).toEqual({
      list: '0',
      added: 1,
      removed: 0,
      unchanged: [`cert-sha1:${A}`],
      entries: 2,
      generation: 2,
      file: join(directory, '0.list'),
    });
    expect(text('0.list')).toBe(`# known\n${A}\ncert-sha1:${B}\n`);
    expect(entries(configuration)).toEqual([A, B]);
    expect(await configuration.changeList('x', '0', remove(A))).toMatchObject({
      removed: 1,
      entries: 1,
      generation: 3,
    });
    expect(text('0.list')).toBe(`# known\ncert-sha1:${B}\n`);
  });

  it('has the hash that a restart would give it', async () => {
    write('0.list', '');
    const configuration = live(document);
    await configuration.changeList('x', '0', add(A));
    const again = readConfiguration(file);
    expect('policy' in again && again.policy.hash).toBe(configuration.policy.hash);
  });

  it('need not be there before the first entry', async () => {
    const configuration = live(document);
    await configuration.changeList('x', '0', add(A));
    expect([entries(configuration), text('0.list')]).toEqual([[A], `cert-sha1:${A}\n`]);
  });

  it('is not written, and no generation made, where nothing changes', async () => {
    write('0.list', `${A}\n`);
    const configuration = live(document);
    const { ino } = statSync(join(directory, '0.list'));
    expect(await configuration.changeList('x', '0', add(A))).toMatchObject({ added: 0, generation: 1 });
    expect(await configuration.changeList('x', '0', remove(B))).toMatchObject({
      removed: 0,
      unchanged: [`cert-sha1:${B}`],
    });
    expect([applied, statSync(join(directory, '0.list')).ino]).toEqual([[], ino]);
  });

  it('keeps what somebody else has written meanwhile, and takes it', async () => {
    write('0.list', `${A}\n`);
    const configuration = live(document);
    write('0.list', `${A}\n${C}\n`);
    await configuration.changeList('x', '0', add(B));
    expect(entries(configuration)).toEqual([A, C, B]);
  });

  it('loses nothing to writers at the same time', async () => {
    const configuration = live(document);
    const digests = Array.from({ length: 50 }, (_, i) => i.toString(16).padStart(40, '0'));
    await Promise.all(digests.map((digest) => configuration.changeList('x', '0', add(digest))));
    expect(entries(configuration)).toEqual(digests);
    expect(text('0.list').trimEnd().split('\n')).toHaveLength(50);
  });

  it('does not bring an edit of the document into force that nobody has asked for', async () => {
    write('0.list', '');
    const configuration = live(document);
    configure({ ...document, rules: [] });
    await configuration.changeList('x', '0', add(A));
    expect(configuration.policy.rules).toHaveLength(1);
    write('tlspin.json', 'broken');
    await configuration.changeList('x', '0', add(B));
    expect(entries(configuration)).toEqual([A, B]);
  });

  it('that cannot be written is not changed', async () => {
    const configuration = live({ ...document, lists: { 0: { file: 'nowhere/0.list', writable: true } } });
    await expect(configuration.changeList('x', '0', add(A))).rejects.toThrow(
      '0.list: open: ENOENT (there is no such directory)',
    );
    expect([applied, entries(configuration)]).toEqual([[], []]);
  });

  it('in which somebody has written nonsense is refused with its place, and stays as it was', async () => {
    write('0.list', `${A}\n`);
    const configuration = live(document);
    write('0.list', `${A}\nnonsense\n`);
    await expect(configuration.changeList('x', '0', add(B))).rejects.toThrow(
      /0\.list:2:1: error: "nonsense" is not a pin/,
    );
    expect([text('0.list'), entries(configuration)]).toEqual([`${A}\nnonsense\n`, [A]]);
  });
});

describe('a list without a file', () => {
  const document = { lists: { mem: { entries: [A], writable: true } } };

  it('is had again with what was added, of files that may not be read any more', () => {
    configure({ lists: { mem: { writable: true, entries: [A] }, 0: { file: '0.list' } } });
    write('0.list', `${C}\n`);
    const loaded = readConfiguration(file) as LoadedConfiguration;
    rmSync(file);
    rmSync(join(directory, '0.list'));
    const again = readConfiguration(file, asLoaded(loaded), new Map([['mem', [`cert-sha1:${B}`]]]));
    expect('policy' in again && again.policy.lists.map((list) => list.entries.length)).toEqual([1, 2]);
  });

  it('keeps what is added until it is removed again, reloads included', async () => {
    const configuration = live(document);
    expect(await configuration.changeList('x', 'mem', add(B, C))).toMatchObject({ added: 2, entries: 3, file: null });
    configure({ ...document, ports: [8443] });
    await configuration.reload('x');
    expect(entries(configuration, 'mem')).toEqual([A, B, C]);
    expect(await configuration.changeList('x', 'mem', remove(B))).toMatchObject({ removed: 1, entries: 2 });
    expect(entries(configuration, 'mem')).toEqual([A, C]);
  });

  it('is what it was when the list is not writable any more', async () => {
    const configuration = live(document);
    await configuration.changeList('x', 'mem', add(B));
    configure({ lists: { mem: { entries: [A] } } });
    await configuration.reload('x');
    expect(entries(configuration, 'mem')).toEqual([A]);
  });

  it('cannot lose what is written in the document', async () => {
    const configuration = live(document);
    await expect(configuration.changeList('x', 'mem', remove(A))).rejects.toThrow(
      `cert-sha1:${A} is written in ${file} itself`,
    );
  });
});

describe('refused is', () => {
  const document = {
    lists: { 0: { entries: [A], writable: true }, fixed: { entries: [A] }, k: { kind: 'spki-sha256', writable: true } },
  };
  it.each([
    ['a list that is not there', 'fxed', [A], 'there is no list "fxed": did you mean "fixed"?'],
    ['a list that is not writable', 'fixed', [B], 'the list "fixed" is not writable: set "writable": true in '],
    ['what is no fingerprint', '0', ['nonsense'], '"nonsense" is not a pin'],
    ['one among others that is none', '0', [B, 'nonsense'], 'entry 2: "nonsense" is not a pin'],
    ['another list', '0', ['@fixed'], 'a list cannot hold other lists'],
    ['a digest that does not say of what', '0', ['d'.repeat(64)], '64 hex digits do not say what was hashed'],
    ['a digest of another kind than the list’s', 'k', [A], 'spki-sha256 needs a digest of 32 octets'],
  ])('%s', async (_, id, given, error) => {
    const configuration = live(document);
    await expect(configuration.changeList('x', id, add(...given))).rejects.toThrow(error);
    expect(applied).toEqual([]);
  });

  it('under "strict" what would be warned about, such as a pinset that is left with one pin', async () => {
    const [one, two] = ['1'.repeat(64), '2'.repeat(64)];
    write('0.list', `${one}\n${two}\n`);
    const list = { file: '0.list', writable: true, kind: 'cert-sha256' };
    const configuration = live({ strict: true, lists: { 0: list }, pinsets: [{ ...BANK, pins: ['@0'] }] });
    const removed = configuration.changeList('x', '0', remove(two));
    await expect(removed).rejects.toThrow(/cannot be changed so: .*"bank" enforces with only one usable pin/);
    expect([text('0.list'), applied]).toEqual([`${one}\n${two}\n`, []]);
  });
});

describe('a pinset whose pins are a list', () => {
  const subject = {
    client: { address: new Uint8Array([10, 0, 0, 1]), port: 40_000 },
    server: { address: new Uint8Array([198, 51, 100, 7]), port: 443 },
  };

  it.each([
    ['from the start', {}],
    ['when its last entry goes', { entry: A }],
  ] as const)(
    'and the list is empty %s requires what nobody has, and is no deny list',
    async (_, { entry }: { entry?: string }) => {
      write('0.list', entry ?? '');
      const configuration = live({
        lists: { 0: { file: '0.list', writable: true } },
        pinsets: [{ ...BANK, pins: ['@0'] }],
      });
      if (entry !== undefined) await configuration.changeList('x', '0', remove(entry));
      const { require, deny } = new PinsetSnapshot(configuration.policy).select(subject, 'www.bank.example');
      expect([require.map(({ name }) => name), deny]).toEqual([['bank'], []]);
      await configuration.changeList('x', '0', add(B));
      expect(configuration.policy.pinsets[0]!.pins.map(({ canonical }) => canonical)).toEqual([`cert-sha1:${B}`]);
    },
  );
});
