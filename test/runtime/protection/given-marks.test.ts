import { beforeEach, expect, it } from 'vitest';

import { GivenMarks } from '../../../src/runtime/protection/given-marks.ts';
import { Protection } from '../../../src/runtime/protection/protection.ts';
import type { Heard } from '../../../src/source/netlink.ts';
import { policy } from '../../support/policy.ts';

/** What Linux 6.18 tells of `conntrack -U -m 0x1000000`, of a connection from port 51036 to port 443 of 127.0.0.1. */
const UPDATED = Buffer.from('cc0000000001000000000000b21ce7e1020000003400018014000180080001007f000001080002007f0000011c000280050001000600000006000200c75c00000600030001bb00003400028014000180080001007f000001080002007f0000011c00028005000100060000000600020001bb000006000300c75c000008000c0038298368080003000000000e080007000006977e300004802c0001800500010003000000050002000a000000050003000a000000060004002b000000060005002b0000000800080001000000', 'hex'); // prettier-ignore

let heard: Heard;
let protection: Protection;
let marks: GivenMarks;

beforeEach(() => {
  heard = { octets: [], isLossy: false };
  protection = new Protection({ log: { write: () => {} }, say: () => {} });
  marks = new GivenMarks({ protection, policy: () => policy({}), news: { heard: () => heard } });
});

const said = () => protection.conditions.map(({ code, detail }) => `${code}: ${detail}`);

function marked(mark: number): Buffer {
  const copy = Buffer.from(UPDATED);
  copy.writeUInt32BE(mark, copy.length - 4);
  return copy;
}

it('says nothing while nobody asks the kernel to change a connection', () => {
  marks.look();
  expect(said()).toEqual([]);
});

it('tells of connections that are given the accept mark, whatever other bits they have', () => {
  heard = { octets: [UPDATED, marked(0x1000_0007)], isLossy: false };
  marks.look();
  expect(said()).toEqual([
    'marks.given: a program has given a connection the accept mark (the last one to 127.0.0.1 port 443)',
  ]);
  heard = { octets: [marked(0x100_0007)], isLossy: false };
  marks.look();
  expect(said()).toEqual([expect.stringContaining('has given 2 connections')]);
});

it.each([0x200_0000, 0x300_0000, 0, 0x5])('does not of the mark %i', (mark) => {
  heard = { octets: [marked(mark)], isLossy: false };
  marks.look();
  expect(said()).toEqual([]);
});

it('tells of more than there was room for', () => {
  heard = { octets: [], isLossy: true };
  marks.look();
  expect(said()).toEqual(['marks.given: a program has given more connections than can be counted the accept mark']);
});

it('is not led astray by what is cut short', () => {
  for (let length = 0; length < UPDATED.length; length++) {
    heard = { octets: [UPDATED.subarray(0, length)], isLossy: false };
    marks.look();
  }
  expect(said()).toEqual([]);
});
