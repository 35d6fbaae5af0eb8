import { beforeEach, expect, it } from 'vitest';

import type { NamedConnection } from '../../../src/tcp/flow-names.ts';
import { GivenMarks } from '../../../src/runtime/protection/given-marks.ts';
import { Protection } from '../../../src/runtime/protection/protection.ts';
import type { Policy } from '../../../src/pins/policy.ts';
import type { Heard } from '../../../src/source/netlink.ts';
import { policy } from '../../support/policy.ts';

/** What Linux 6.18 tells of `conntrack -U -m 0x1000000`, of a connection from port 51036 to port 443 of 127.0.0.1. */
const UPDATED = Buffer.from(
  'cc0000000001000000000000b21ce7e1020000003400018014000180080001007f000001080002007f0000011c000280050001000600000006000200c75c00000600030001bb00003400028014000180080001007f000001080002007f0000011c00028005000100060000000600020001bb000006000300c75c000008000c0038298368080003000000000e080007000006977e300004802c0001800500010003000000050002000a000000050003000a000000060004002b000000060005002b0000000800080001000000',
  'hex',
);

let heard: Heard;
let asked: readonly NamedConnection[];
let accepted: readonly number[];
let events: string | undefined;
let protection: Protection;
let pair: Policy['pair'];
let marks: GivenMarks;

beforeEach(() => {
  heard = { octets: [], isLossy: false };
  protection = new Protection({ log: { write: () => {} }, say: () => {} });
  [asked, accepted, events, pair] = [[], [], '2', undefined];
  marks = of({ heard: () => heard });
});

const of = (news: { heard(): Heard } | undefined) =>
  new GivenMarks({
    protection,
    policy: () => policy({ pair }),
    acceptedOf: async (named) => {
      asked = named;
      return new Set(accepted);
    },
    news,
    read: (path) => (path === '/proc/sys/net/netfilter/nf_conntrack_events' ? events : undefined),
  });

async function look(): Promise<void> {
  marks.look();
  await Promise.resolve();
}

const said = () => protection.conditions.map(({ code, detail }) => `${code}: ${detail}`);

function marked(mark: number): Buffer {
  const copy = Buffer.from(UPDATED);
  copy.writeUInt32BE(mark, copy.length - 4);
  return copy;
}

it('says nothing while nobody asks the kernel to change a connection', async () => {
  await look();
  expect(said()).toEqual([]);
});

it('says nothing in a pair, whose other gateway gives marks by conntrackd, as many as there are', async () => {
  heard = { octets: [UPDATED], isLossy: true };
  await look();
  expect(said()).toHaveLength(1);
  pair = { device: 'eth2', address: '10.9.0.1', peer: '10.9.0.2', gateway: null };
  await look();
  expect(said()).toEqual([]);
});

it('tells of connections that are given the accept mark, whatever other bits they have', async () => {
  heard = { octets: [UPDATED, marked(0x1000_0007)], isLossy: false };
  await look();
  expect(said()).toEqual([
    'marks.given: a program has given a connection the accept mark (the last one to 127.0.0.1 port 443)',
  ]);
  heard = { octets: [marked(0x100_0007)], isLossy: false };
  await look();
  expect(said()).toEqual([expect.stringContaining('has given 2 connections')]);
});

it.each([0x200_0000, 0x300_0000, 0, 0x5])('does not of the mark %i', async (mark) => {
  heard = { octets: [marked(mark)], isLossy: false };
  await look();
  expect(said()).toEqual([]);
});

it('asks who was accepted here by the name of conntrack, and by the ends as the rules see them', async () => {
  heard = { octets: [UPDATED], isLossy: false };
  await look();
  const host = Buffer.from([127, 0, 0, 1]);
  expect(asked).toEqual([{ id: 0x3829_8368, client: host, clientPort: 51036, server: host, serverPort: 443 }]);
});

it('tells of none that was accepted here anyway', async () => {
  heard = { octets: [UPDATED, marked(0x1000_0007), marked(0x100_0007)], isLossy: false };
  accepted = [0];
  await look();
  expect(said()).toEqual([expect.stringContaining('has given a connection the accept mark')]);
  protection.end('marks.given', '');
  accepted = [0, 1, 2];
  await look();
  expect(said()).toEqual([]);
});

it('tells where the kernel does not tell, as long as that lasts', async () => {
  events = '0';
  await look();
  expect(said()).toEqual([
    'marks.unheard: the kernel tells nobody of changes to connections (net.netfilter.nf_conntrack_events is 0)',
  ]);
  events = '1';
  await look();
  expect(said()).toEqual([]);
  marks = of(undefined);
  await look();
  expect(said()).toEqual([
    'marks.unheard: the kernel tells nobody of changes to connections (netlink of connection tracking)',
  ]);
});

it('tells of more than there was room for', async () => {
  heard = { octets: [], isLossy: true };
  await look();
  expect(said()).toEqual(['marks.given: a program has given more connections than can be counted the accept mark']);
});

it('is not led astray by what is cut short', async () => {
  for (let length = 0; length < UPDATED.length; length++) {
    heard = { octets: [UPDATED.subarray(0, length)], isLossy: false };
    await look();
  }
  expect(said()).toEqual([]);
});
