/** Lists of gateways with real files, over a carrier in memory. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { LiveConfiguration } from '../../../src/runtime/control/configuration.ts';
import { readConfiguration } from '../../../src/runtime/control/configuration/reading.ts';
import { FleetLists } from '../../../src/runtime/fleet/lists.ts';
import { Protection } from '../../../src/runtime/protection/protection.ts';
import { type FakeBroker, FakeCarrier } from '../../support/fake-broker.ts';

const entry = (character: string) => `cert-sha1:${character.repeat(40)}`;
const patience = { timeout: 20_000, interval: 20 };

let folder: string;
let carrier: FakeCarrier;
let running: FleetLists[];

interface Gateway {
  readonly broker: FakeBroker;
  readonly configuration: LiveConfiguration;
  readonly protection: Protection;
  readonly file: string;
  readonly lists: FleetLists;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tlspin-fleet-'));
  carrier = new FakeCarrier();
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map((lists) => lists.stop()));
  rmSync(folder, { recursive: true });
});

/** With these entries in its file; a name that is known is a gateway that starts again. */
function start(name: string, entries?: readonly string[]): Gateway {
  const file = join(folder, `${name}.list`);
  if (entries !== undefined) writeFileSync(file, entries.map((each) => `${each}\n`).join(''));
  const document = join(folder, `${name}.json`);
  writeFileSync(document, JSON.stringify({ version: 1, lists: { 0: { file: `${name}.list`, writable: true } } }));
  const loaded = readConfiguration(document);
  if ('errors' in loaded) throw new Error(loaded.errors.map(({ text }) => text).join('\n'));
  let generation = 1;
  let lists: FleetLists | undefined = undefined;
  const configuration = new LiveConfiguration({
    ...{ file: document, loaded },
    apply: async () => ({ isInForce: true, generation: ++generation, silent: [] }),
    onChange: ({ isInForce, policy }) => isInForce && (lists as FleetLists | undefined)?.adopt(policy),
  });
  const protection = new Protection({ log: { write: () => {} }, say: () => {} });
  const broker = carrier.connect();
  const key = Buffer.alloc(32, 1);
  lists = new FleetLists({
    broker,
    fleet: 'office',
    gateway: name,
    key,
    lists: ['0'],
    configuration,
    protection,
    againMs: 200,
  });
  lists.start();
  running.push(lists);
  return { broker, configuration, protection, file, lists };
}

const add = ({ configuration }: Gateway, ...entries: string[]) =>
  configuration.changeList('control', '0', { add: entries, remove: [] });
const remove = ({ configuration }: Gateway, ...entries: string[]) =>
  configuration.changeList('control', '0', { add: [], remove: entries });
const inForce = ({ configuration }: Gateway) =>
  configuration.policy.lists[0]!.entries.map(({ canonical }) => canonical).sort();
const inFile = ({ file }: Gateway) => readFileSync(file, 'utf8').split('\n').filter(Boolean).sort();
const haveAll = (gateways: readonly Gateway[], ...entries: string[]) =>
  expect.poll(() => gateways.map(inForce), patience).toEqual(gateways.map(() => entries));

it('what one adds or removes, or what is edited and loaded, is in force and in the file of all', async () => {
  const [a, b] = [start('a', [entry('a')]), start('b', [entry('b')])];
  await haveAll([a, b], entry('a'), entry('b'));
  await add(a, entry('c'));
  await haveAll([a, b], entry('a'), entry('b'), entry('c'));
  await remove(b, entry('a'));
  await haveAll([a, b], entry('b'), entry('c'));
  writeFileSync(b.file, `${entry('c')}\n${entry('d')}\n`);
  await b.configuration.reload('SIGHUP');
  await haveAll([a, b], entry('c'), entry('d'));
  expect([inFile(a), inFile(b)]).toEqual(Array(2).fill([entry('c'), entry('d')]));
  expect(a.protection.conditions).toEqual([]);
});

it('what is changed apart is changed together afterwards, after a restart too', async () => {
  const [a, b] = [start('a', [entry('a')]), start('b', [])];
  await haveAll([a, b], entry('a'));
  b.broker.cutOff();
  await add(a, entry('c'));
  await remove(a, entry('a'));
  await add(b, entry('d'));
  await haveAll([b], entry('a'), entry('d'));
  await b.lists.stop();
  const again = start('b');
  await haveAll([a, again], entry('c'), entry('d'));
});

it('a list that cannot be written is told of, and tried again until it can be', async () => {
  const [a, b] = [start('a', []), start('b', [])];
  await add(a, entry('a'));
  await haveAll([a, b], entry('a'));
  b.configuration.changeList = () => Promise.reject(new Error('cannot write b.list'));
  await add(a, entry('b'));
  await expect
    .poll(() => b.protection.conditions.map(({ code, detail }) => `${code}: ${detail}`), patience)
    .toEqual(['fleet.list: cannot write b.list']);
  Reflect.deleteProperty(b.configuration, 'changeList');
  await haveAll([a, b], entry('a'), entry('b'));
  await expect.poll(() => b.protection.conditions, patience).toEqual([]);
});
