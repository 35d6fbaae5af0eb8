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

const binding = {
  subscribe: () => waiting.push([]) - 1,
  sendDescriptors: (fd: number, request: Buffer) => {
    waiting[fd]!.push(Buffer.concat(devices.map(described)));
    return request.length;
  },
  receiveDescriptors: (fd: number, into: Buffer) => {
    const next = waiting[fd]!.shift() ?? -constants.errno.EAGAIN;
    return { octets: typeof next === 'number' ? next : next.copy(into), descriptors: [] };
  },
};

/** RTM_NEWLINK with IFLA_IFNAME, IFLA_STATS64, which is another one each time, and IFLA_XDP. */
function described({ name, program }: (typeof devices)[number]): Buffer {
  const attributes = [attribute(3, `${name}\0`), attribute(23, `${++counted}`), ...(program === undefined ? [] : [attribute(43, program)])]; // prettier-ignore
  const body = Buffer.concat([Buffer.alloc(16), ...attributes]);
  const header = new Uint32Array([16 + body.length, 0, 1, 0]);
  new Uint16Array(header.buffer)[2] = 16;
  return Buffer.concat([new Uint8Array(header.buffer), body]);
}

function attribute(type: number, text: string): Buffer {
  const whole = Buffer.alloc((4 + text.length + 3) & ~3);
  whole.set(new Uint8Array(new Uint16Array([4 + text.length, type]).buffer));
  whole.write(text, 4);
  return whole;
}

let news: NonNullable<ReturnType<typeof rulesNews>>;

beforeEach(() => {
  [waiting, devices, counted, legacy] = [[], [{ name: 'lo' }], 0, false];
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
  ['a device’s program', () => (devices = [{ name: 'lo', program: 'xdp' }])],
])('%s may have changed, once', (_, happens) => {
  happens();
  expect(news.mayHaveChanged()).toBe(true);
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
  const { sendDescriptors, receiveDescriptors, subscribe } = loadBinding();
  const heardOnly = { sendDescriptors, receiveDescriptors, subscribe: () => subscribe(PROTOCOL.route, 0, false) };
  const real = rulesNews(heardOnly, () => false)!;
  expect(real.mayHaveChanged()).toBe(true);
  await expect.poll(() => real.mayHaveChanged()).toBe(false);
});
