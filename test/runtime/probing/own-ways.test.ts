import { openSync } from 'node:fs';
import { constants } from 'node:os';

import { expect, it } from 'vitest';

import { leadsThere, ownWays, wayRequest } from '../../../src/runtime/probing/own-ways.ts';
import { attribute, attributesOf, changeRequest, messagesOf } from '../../../src/source/netlink.ts';

const { ENETUNREACH } = constants.errno;
const [RTM_NEWROUTE, RTA_PREFSRC, RTA_OIF] = [24, 7, 4];

function route(source?: readonly number[]): Buffer {
  const from = source === undefined ? [] : [attribute(RTA_PREFSRC, [Buffer.from(source)])];
  return changeRequest(RTM_NEWROUTE, 0, Buffer.alloc(12), [attribute(RTA_OIF, 2), ...from]);
}

function acknowledged(errno: number): Buffer {
  return changeRequest(2, 0, Buffer.from(new Int32Array([-errno]).buffer), [Buffer.alloc(16)]);
}

const six = (first: number, second: number) => [first, second, ...Array<number>(13).fill(0), 9];

it.each([
  ['an address', [192, 0, 2, 1], true],
  ['an address', six(0xfd, 0), true],
  ['a link’s own', six(0xfe, 0x80), false],
  ['a link’s own', [169, 254, 1, 1], false],
  ['one of this host alone', [127, 0, 0, 1], false],
  ['none', [0, 0, 0, 0], false],
  ['none', undefined, false],
])('a route that would be left by with %s (%j) leads there: %s', (_, source, leads) => {
  expect(leadsThere([route(source), acknowledged(0)])).toBe(leads);
});

it('what the kernel refuses leads nowhere, and what it does not tell of may', () => {
  expect(leadsThere([acknowledged(ENETUNREACH)])).toBe(false);
  expect(leadsThere([acknowledged(0)])).toBe(true);
  expect(leadsThere([])).toBe(true);
});

it('it is asked of each address, with the mark of what would leave', () => {
  const { type, body } = messagesOf(wayRequest(Uint8Array.of(198, 51, 100, 7), 0x40_0000))[0]!;
  const asked = attributesOf(body.subarray(12));
  expect([type, body[0], body[1], [...asked.get(1)!]]).toEqual([26, 2, 32, [198, 51, 100, 7]]);
  expect(new Uint32Array(Uint8Array.from(asked.get(16)!).buffer)[0]).toBe(0x40_0000);
  expect([...messagesOf(wayRequest(Uint8Array.from(six(0xfd, 0)), 1))[0]!.body.subarray(0, 2)]).toEqual([10, 128]);
});

it('where it cannot be asked, it may be', () => {
  const binding = {
    subscribe: () => {
      throw new Error('no');
    },
    sendDescriptors: () => 0,
    receiveDescriptors: () => ({ octets: -constants.errno.EAGAIN, descriptors: [] }),
  };
  expect(ownWays(binding, () => 1)(Uint8Array.of(1, 2, 3, 4))).toBe(true);
  expect(ownWays({ ...binding, subscribe: () => openSync('/dev/null', 'r') }, () => 1)(Uint8Array.of(1, 2, 3, 4))).toBe(
    true,
  );
});
