/**
 * `npm run simulate`: a fleet of a thousand gateways in one process, over a carrier in memory, and what a change costs: in
 * messages and octets that the carrier has to move, and in time, which is that of one process that does the work of all:
 * each gateway verifies, unfolds and merges as a real one does. The table is the one of docs/fleet.md; `GATEWAYS=100 npm run simulate` is a shorter one.
 */
import { expect, it } from 'vitest';

import { packageOctets } from '../../src/fleet/package.ts';
import { Member } from '../../src/fleet/member.ts';
import { push, type Push } from '../../src/fleet/publisher.ts';
import { SharedList } from '../../src/fleet/shared-list.ts';
import { createKeyFiles, parseSecretKey, type SecretKey } from '../../src/minisign/keys.ts';
import { FakeCarrier } from '../support/fake-broker.ts';

const GATEWAYS = Number(process.env['GATEWAYS'] ?? 1_000);
const PINSETS = [10, 1_000];
const ENTRIES = [100, 1_000];
const SECRET = parseSecretKey(createKeyFiles().secret) as SecretKey;
const LIST_KEY = Buffer.alloc(32, 1);
const patience = { timeout: 300_000, interval: 10 };

const rows: string[][] = [];

it.each(PINSETS)('a document of %i pinsets is pushed', async (pinsets) => {
  const carrier = new FakeCarrier();
  const trusted = [SECRET.publicKey];
  let inForce = 0;
  const members = Array.from({ length: GATEWAYS }, (_, number) => {
    return new Member({
      ...{
        name: 'office',
        gateway: `gw${number}`,
        software: '0.1.0',
        standing: STANDING,
        trusted,
        broker: carrier.connect(),
      },
      state: { seen: { all: null, canary: null }, accepted: null },
      keep: async () => {},
      apply: async () => {
        inForce++;
        return { isInForce: true };
      },
      onRefused: () => {},
      onUnkept: () => {},
    });
  });
  for (const member of members) member.start();
  await quiet(carrier);
  const fleet = { broker: carrier.connect(), name: 'office', trusted };
  const octets = packageOctets(documentOf(pinsets));
  await measured(carrier, `push of ${pinsets} pinsets (${kib(octets.length)})`, async () => {
    await push(fleet, octets, SECRET, TERMS);
    await expect.poll(() => inForce, patience).toBe(GATEWAYS);
  });
  await Promise.all(members.map((member) => member.stop()));
});

it.each(ENTRIES)('a list of %i entries is changed', async (count) => {
  const carrier = new FakeCarrier();
  const entries = Array.from({ length: count }, (_, number) => `cert-sha1:${number.toString(16).padStart(40, '0')}`);
  const had = new Set<number>();
  const join = (number: number, own: readonly string[] = []) => {
    const list = new SharedList({
      ...{ broker: carrier.connect(), fleet: 'office', list: '0', gateway: `gw${number}`, key: LIST_KEY, entries: own },
      onChange: ({ added }) => {
        if (added.includes(NEW)) had.add(number);
      },
      onTrouble: () => {},
    });
    list.start();
    return list;
  };
  const lists = [join(0, entries)];
  await expect.poll(() => lists[0]!.isCarried, patience).toBe(true);
  await quiet(carrier);
  await measured(carrier, `a new gateway has a list of ${count}`, async () => {
    lists.push(join(1));
    await expect.poll(() => [...lists[1]!].length, patience).toBe(count);
  });
  for (let number = 2; number < GATEWAYS; number++) lists.push(join(number));
  await expect.poll(() => lists.every((list) => [...list].length === count), patience).toBe(true);
  await quiet(carrier);
  await measured(carrier, `one entry into a list of ${count}`, async () => {
    lists[0]!.change({ added: [NEW], removed: [] });
    await expect.poll(() => had.size, patience).toBe(GATEWAYS - 1);
  });
  await Promise.all(lists.map((list) => list.stop()));
});

it('is a table', () => {
  const heading = ['change', 'messages', 'octets', 'of it a gateway', 'until all have it'];
  const lines = [heading, heading.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  process.stdout.write(`\n${GATEWAYS} gateways:\n\n${lines.join('\n')}\n`);
  expect(rows).toHaveLength(PINSETS.length + 2 * ENTRIES.length);
});

async function measured(carrier: FakeCarrier, change: string, work: () => Promise<void>): Promise<void> {
  const { messages, octets } = carrier;
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1000;
  await quiet(carrier);
  const moved = carrier.octets - octets;
  const each = change.startsWith('a new') ? moved : moved / GATEWAYS;
  rows.push([change, String(carrier.messages - messages), kib(moved), kib(each), `${seconds.toFixed(1)} s`]);
}

/** Nothing is on its way any more. */
async function quiet(carrier: FakeCarrier): Promise<void> {
  for (let before = -1; before !== carrier.messages;) {
    before = carrier.messages;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Names and pins of their own, which do not fold up well. */
function documentOf(count: number) {
  const pinsets = Array.from({ length: count }, (_, number) => ({
    name: `site-${number}`,
    match: { hosts: [`www.site-${number}.example`] },
    pins: [0, 1].map(() => `sha256//${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')}`),
  }));
  const bytes = Buffer.from(JSON.stringify({ version: 1, pinsets }));
  return { file: 'office.json', files: new Map([['office.json', { bytes, modifiedMs: 0 }]]) };
}

function kib(octets: number): string {
  return octets < 10_240 ? `${Math.round(octets)} B` : `${Math.round(octets / 1024)} KiB`;
}

const STANDING = { network: 'office', answers: false };
const NEW = 'cert-sha1:new';
const TERMS: Push = {
  ...{ expires: Date.now() + 86_400_000, by: 'simulation', canary: null },
  ...{ isReportOnly: false, isForced: false, restores: null },
};
