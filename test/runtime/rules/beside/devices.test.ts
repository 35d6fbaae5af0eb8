import { constants } from 'node:os';

import { expect, it } from 'vitest';

import { Devices } from '../../../../src/runtime/rules/beside/devices.ts';

/** linux/netlink.h, linux/rtnetlink.h. */
const [NLM_F_MULTI, NLM_F_DUMP_INTR, RTM_NEWLINK] = [0x2, 0x10, 16];

/** A message of netlink about the device, in the machine's order of octets. */
function link(index: number, name: string, flags = NLM_F_MULTI): Buffer {
  const attribute = Buffer.concat([u16(4 + name.length + 1), u16(3), Buffer.from(`${name}\0`)]);
  const padded = Buffer.concat([attribute, Buffer.alloc(-attribute.length & 3)]);
  const body = Buffer.concat([u32(0), u32(index), u32(0), u32(0), padded]);
  return Buffer.concat([u32(16 + body.length), u16(RTM_NEWLINK), u16(flags), u32(0), u32(0), body]);
}

const u16 = (value: number) => Buffer.from(Uint16Array.of(value).buffer);
const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);

/** A kernel that answers each question with the next of these datagrams, and an error where there is none. */
function kernel(...answers: (Buffer | number)[]): Devices {
  let waiting: (Buffer | number)[] = [];
  return new Devices({
    subscribe: () => 3,
    bpfPrograms: () => 0,
    sendDescriptors: (_, octets) => {
      waiting = answers.splice(0, 1);
      return octets.length;
    },
    receiveDescriptors: (_, into) => {
      const next = waiting.shift() ?? -constants.errno.EAGAIN;
      if (typeof next === 'number') return { octets: next, descriptors: [] };
      into.set(next);
      return { octets: next.length, descriptors: [] };
    },
  });
}

const names = (devices: Devices) => devices.read()?.map(({ name }) => name);

it('are asked for again where some came or went while the kernel told of them', () => {
  const cut = Buffer.concat([link(1, 'lo'), link(3, 'eth1', NLM_F_MULTI | NLM_F_DUMP_INTR)]);
  expect(names(kernel(cut, Buffer.concat([link(1, 'lo'), link(2, 'br0')])))).toEqual(['lo', 'br0']);
});

it('are those of the last whole answer while none is whole', () => {
  const whole = Buffer.concat([link(1, 'lo'), link(2, 'br0')]);
  const cut = link(1, 'lo', NLM_F_MULTI | NLM_F_DUMP_INTR);
  const full = -constants.errno.ENOBUFS;
  const devices = kernel(whole, cut, full, cut);
  expect(names(devices)).toEqual(['lo', 'br0']);
  expect(names(devices)).toEqual(['lo', 'br0']);
});

it('are not known where no answer was ever whole', () => {
  const cut = link(1, 'lo', NLM_F_DUMP_INTR);
  expect(names(kernel(cut, cut, cut, cut))).toBeUndefined();
});
