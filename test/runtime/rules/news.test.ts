import { constants } from 'node:os';
import { beforeEach, expect, it } from 'vitest';

import { rulesNews } from '../../../src/runtime/rules/news.ts';
import { loadBinding } from '../../../src/source/binding.ts';
import { PROTOCOL } from '../../../src/source/netlink.ts';

/** By descriptor, in the order in which sockets are made: what comes next, octets or a negated errno. */
let waiting: (Buffer | number)[][];
let devices: readonly { readonly name: string; readonly program?: string }[];
let counted: number;
let legacy: boolean | undefined;
let attached: number;

const binding = {
  subscribe: () => waiting.push([]) - 1,
  sendDescriptors: (fd: number, request: Buffer) => {
    waiting[fd]!.push(Buffer.concat(devices.map(described)));
    return request.length;
  },
  bpfPrograms: () => attached,
  receiveDescriptors: (fd: number, into: Buffer) => {
    const next = waiting[fd]!.shift() ?? -constants.errno.EAGAIN;
    return { octets: typeof next === 'number' ? next : next.copy(into), descriptors: [] };
  },
};

/** RTM_NEWLINK with IFLA_IFNAME, IFLA_STATS64, which is another one each time, and IFLA_XDP with IFLA_XDP_ATTACHED. */
function described({ name, program }: (typeof devices)[number]): Buffer {
  const attributes = [
    attribute(3, `${name}\0`),
    attribute(23, `${++counted}`),
    ...(program === undefined ? [] : [attribute(43, program)]),
  ];
  const body = Buffer.concat([Buffer.alloc(16), ...attributes]);
  return message(16, body);
}

function message(type: number, body: Buffer): Buffer {
  const header = new Uint32Array([16 + body.length, 0, 1, 0]);
  new Uint16Array(header.buffer)[2] = type;
  return Buffer.concat([new Uint8Array(header.buffer), body]);
}

/** RTM_NEWROUTE with a type (RTN_UNICAST, RTN_LOCAL) and who has made it (RTPROT_KERNEL, RTPROT_BOOT). */
function routeOf(type: number, protocol: number): Buffer {
  return message(24, Buffer.from([2, 24, 0, 0, 255, protocol, 0, type, 0, 0, 0, 0]));
}

function attribute(type: number, text: string): Buffer {
  const whole = Buffer.alloc((4 + text.length + 3) & ~3);
  whole.set(new Uint8Array(new Uint16Array([4 + text.length, type]).buffer));
  whole.write(text, 4);
  return whole;
}

let news: NonNullable<ReturnType<typeof rulesNews>>;

beforeEach(() => {
  [waiting, devices, counted, legacy, attached] = [[], [{ name: 'lo' }], 0, false, 0];
  news = rulesNews(binding, () => legacy)!;
  news.mayHaveChanged();
});

it('while nothing is told and read, nothing has changed', () => {
  expect(news.mayHaveChanged()).toBe(false);
});

it.each([
  ['rules', () => waiting[0]!.push(Buffer.from('NEWGEN'))],
  ['more rules than there is room for', () => waiting[0]!.push(-constants.errno.ENOBUFS)],
  ['rules that cannot be heard of', () => waiting[0]!.push(-constants.errno.EBADF)],
  ['queueing disciplines and filters', () => waiting[1]!.push(Buffer.from('NEWTFILTER'))],
  ['devices', () => (devices = [{ name: 'lo' }, { name: 'left0' }])],
  ['a device’s program', () => (devices = [{ name: 'lo', program: '\x05\0\x02\0\x01' }])],
  ['a program by way of tcx', () => (attached = 1)],
  ['routes to this host', () => waiting[2]!.push(routeOf(2, 3))],
  ['rules of routing', () => waiting[2]!.push(message(32, Buffer.alloc(12)))],
  ['more routes than there is room for', () => waiting[2]!.push(-constants.errno.ENOBUFS)],
])('%s may have changed, once', (_, happens) => {
  happens();
  expect(news.mayHaveChanged()).toBe(true);
  expect(news.mayHaveChanged()).toBe(false);
});

it.each([
  ['to elsewhere', routeOf(1, 3)],
  ['of this host’s addresses', routeOf(2, 2)],
])('routes %s are no news', (_, route) => {
  waiting[2]!.push(route);
  expect(news.mayHaveChanged()).toBe(false);
});

it.each([true, undefined])('of rules of the legacy kind nobody can know (there are some: %s)', (has) => {
  legacy = has;
  expect(news.mayHaveChanged()).toBeUndefined();
});

it('devices may have changed whenever they cannot be asked for', () => {
  news = rulesNews({ ...binding, sendDescriptors: () => -constants.errno.EBUSY }, () => false)!;
  expect([news.mayHaveChanged(), news.mayHaveChanged()]).toEqual([true, true]);
});

it('there is none where the kernel does not let us hear of it', () => {
  const refusing = () => {
    throw new Error('EPERM');
  };
  expect(rulesNews({ ...binding, subscribe: refusing })).toBeUndefined();
});

it('devices that stay as they are have not changed, as the kernel itself tells of them', async () => {
  const { sendDescriptors, receiveDescriptors, subscribe, bpfPrograms } = loadBinding();
  const heardOnly = {
    sendDescriptors,
    receiveDescriptors,
    bpfPrograms,
    subscribe: () => subscribe(PROTOCOL.route, 0, false),
  };
  const real = rulesNews(heardOnly, () => false)!;
  expect(real.mayHaveChanged()).toBe(true);
  await expect.poll(() => real.mayHaveChanged()).toBe(false);
});
