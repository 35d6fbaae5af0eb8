import { openSync } from 'node:fs';
import { constants, endianness } from 'node:os';

import { expect, it, vi } from 'vitest';

import { Bridging, BridgeSockets, type BridgingOptions } from '../../../src/runtime/probing/bridging.ts';
import { linkRequest, routeRequests, ruleRequests } from '../../../src/runtime/probing/tunnel.ts';
import type { Device } from '../../../src/runtime/rules/beside/devices.ts';
import { attributesOf, messagesOf } from '../../../src/source/netlink.ts';

const { EBUSY, EEXIST, EPERM, EOPNOTSUPP } = constants.errno;
const [RTM_NEWLINK, RTM_NEWRULE] = [16, 32];

/** A kernel that makes the device, unless it is told otherwise, and answers each request with an errno. */
function kernel({
  tunnel = 0,
  answer = () => 0,
}: { tunnel?: number; answer?: (type: number, family: number) => number } = {}) {
  const told = { made: 0, fd: -1, sent: [] as unknown[][], asked: [] as Buffer[] };
  const waiting: Buffer[] = [];
  const binding = {
    openTunnel: () => {
      if (tunnel !== 0) throw Object.assign(new Error('no'), { errno: tunnel });
      told.made++;
      told.fd = openSync('/dev/null', 'r');
      return { fd: told.fd, ifindex: 9 };
    },
    subscribe: () => openSync('/dev/null', 'r'),
    sendDescriptors: (_: number, request: Buffer) => {
      told.asked.push(Buffer.from(request));
      const { type, body } = messagesOf(request)[0]!;
      const acknowledged = Buffer.alloc(36);
      const write = (value: number, at: number) =>
        endianness() === 'LE' ? acknowledged.writeInt32LE(value, at) : acknowledged.writeInt32BE(value, at);
      write(36, 0);
      acknowledged.set(new Uint8Array(new Uint16Array([2]).buffer), 4);
      write(-answer(type, body[0]!), 16);
      waiting.push(acknowledged);
      return request.length;
    },
    receiveDescriptors: (_: number, into: Buffer) => {
      const next = waiting.shift();
      next?.copy(into);
      return { octets: next?.length ?? -constants.errno.EAGAIN, descriptors: [] };
    },
    bpfPrograms: () => 0,
    sendFrame: (...args: unknown[]) => (told.sent.push(args), 0),
    writePacket: (...args: unknown[]) => (told.sent.push(args), 0),
    discardPackets: (...args: unknown[]) => void told.sent.push(args),
  };
  return { binding, told };
}

const bridging = (options: Partial<BridgingOptions> & Pick<BridgingOptions, 'binding'>) =>
  new Bridging({ frames: 7, mark: () => 0x8, devices: () => [], read: () => undefined, ...options });

it('the device is made when it is first needed, once, and packet threads know of it then', () => {
  const { binding, told } = kernel();
  const made = bridging({ binding });
  const sockets = new BridgeSockets(binding, made.shared);
  expect([told.made, sockets.ifindex]).toEqual([0, 0]);
  expect([made.open('ipv4'), made.open('ipv6')]).toEqual([{ ifindex: 9 }, { ifindex: 9 }]);
  expect([told.made, sockets.ifindex]).toEqual([1, 9]);
  sockets.send(3, Uint8Array.of(1));
  sockets.receive(Uint8Array.of(2));
  sockets.discard();
  expect(told.sent).toEqual([[7, 3, Uint8Array.of(1)], [told.fd, Uint8Array.of(2)], [told.fd]]);
});

const VLANS = [{ name: 'br0', filtersVlans: true } as Device];
it.each<[string, Partial<BridgingOptions>, Parameters<typeof kernel>[0], RegExp]>([
  ['frames cannot be sent', { frames: -EPERM }, {}, /CAP_NET_RAW/],
  ['frames may have tags', { read: (path) => (path.endsWith('vlan-tagged') ? '1' : undefined) }, {}, /VLAN tag/],
  ['a bridge has VLANs', { devices: () => VLANS }, {}, /br0 filters VLANs/],
  ['another process has it', {}, { tunnel: EBUSY }, /^the device tlspin0 cannot be made \(EBUSY\)$/],
  ['it cannot be set up', {}, { answer: (type) => (type === RTM_NEWLINK ? EPERM : 0) }, /cannot be set up \(EPERM\)$/],
])('there is none where %s, and it says so', (_, options, settings, why) => {
  const { binding } = kernel(settings);
  expect(bridging({ binding, ...options }).open('ipv4')).toEqual({ missing: expect.stringMatching(why) as string });
});

it('a family that has no route to it has none, and the other one has', () => {
  const { binding } = kernel({ answer: (type, family) => (type !== RTM_NEWLINK && family === 10 ? EOPNOTSUPP : 0) });
  const made = bridging({ binding });
  expect(made.open('ipv6')).toHaveProperty('missing');
  expect(made.open('ipv4')).toEqual({ ifindex: 9 });
});

it('what the kernel is told: the device is up, and to wherever it leads', () => {
  const { type, flags, body } = messagesOf(linkRequest(9))[0]!;
  expect([type, flags]).toEqual([RTM_NEWLINK, 0x5]);
  expect([...new Uint32Array(Uint8Array.from(body.subarray(4, 16)).buffer)]).toEqual([9, 1, 1]);
  const link = attributesOf(body.subarray(16));
  expect([...link.keys()]).toEqual([4, 40, 26]);
  const conf = attributesOf(attributesOf(attributesOf(link.get(26)!).get(2)!).get(1)!);
  const word = (octets: Buffer) => new Uint32Array(Uint8Array.from(octets).buffer)[0];
  expect([...conf].map(([setting, value]) => [setting, word(value)])).toEqual([
    [8, 0],
    [24, 1],
  ]);
});

it.each([
  ['ipv4', 2],
  ['ipv6', 10],
] as const)('what leads over %s to it, and what comes by it to this host', (family, af) => {
  const routes = routeRequests(family, 9).map((request) => messagesOf(request)[0]!.body);
  const rules = ruleRequests(family, 0x8).map((request) => messagesOf(request)[0]!.body);
  const word = (octets?: Buffer) => octets && new Uint32Array(Uint8Array.from(octets).buffer)[0];
  const text = (octets?: Buffer) => octets?.toString('latin1').replaceAll('\0', '');
  expect(routes.map((body) => [body[0], body[7], ...[...attributesOf(body.subarray(12)).values()].map(word)])).toEqual([
    [af, 1, 7469, 9],
    [af, 2, 7470, 9],
  ]);
  const asked = rules.map((body) => {
    const of = attributesOf(body.subarray(12));
    const marks = [word(of.get(10)), word(of.get(16))];
    return [body[0], body[3], word(of.get(6)), word(of.get(15)), text(of.get(3)), text(of.get(17)), ...marks];
  });
  expect(asked).toEqual([
    [af, 0, 61, 7470, 'tlspin0', undefined, undefined, undefined],
    [af, 0, 62, 7469, undefined, 'tlspin0', undefined, undefined],
    [af, 0x1c, 63, 7469, 'lo', undefined, 0x8, 0x8],
  ]);
});

it('what somebody took away of it is put in place again, and what is there is as good', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  let [requests, errno] = [0, 0];
  const { binding, told } = kernel({ answer: (type) => (requests++, type === RTM_NEWLINK ? 0 : errno) });
  const made = bridging({ binding });
  expect(made.open('ipv4')).toEqual({ ifindex: 9 });
  const once = requests;
  expect(made.open('ipv4')).toEqual({ ifindex: 9 });
  expect(requests).toBe(once);
  errno = EEXIST;
  vi.advanceTimersByTime(1_000);
  expect(made.open('ipv6')).toEqual({ ifindex: 9 });
  expect([requests, told.made]).toEqual([2 * once, 1]);
  vi.useRealTimers();
});

it('a rule goes by the mark in force, and the one by another mark goes', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const { binding, told } = kernel();
  let mark = 0x8;
  const made = bridging({ binding, mark: () => mark });
  const rules = () => {
    told.asked = [];
    vi.advanceTimersByTime(1_000);
    made.open('ipv4');
    return told.asked.flatMap((request) => {
      const { type, body } = messagesOf(request)[0]!;
      const of = attributesOf(body.subarray(12));
      const [priority, marked] = [of.get(6), of.get(10)].map((octets) => octets && word(octets));
      return type >= RTM_NEWRULE && priority === 63 ? [[type, body[0], marked]] : [];
    });
  };
  const word = (octets: Buffer) => new Uint32Array(Uint8Array.from(octets).buffer)[0];
  const added = (by: number) => [2, 10].map((family) => [RTM_NEWRULE, family, by]);
  expect(rules()).toEqual(added(0x8));
  mark = 0x10;
  expect(rules()).toEqual([...[2, 10].map((family) => [RTM_NEWRULE + 1, family, 0x8]), ...added(0x10)]);
  expect(rules()).toEqual(added(0x10));
  vi.useRealTimers();
});

it('packet threads tell of what went nowhere', () => {
  const { binding } = kernel();
  const made = bridging({ binding });
  const [one, other] = [new BridgeSockets(binding, made.shared), new BridgeSockets(binding, made.shared)];
  for (const sockets of [one, other, one]) sockets.onMisled('astray');
  one.onMisled('taken');
  expect([made.misled('astray'), made.misled('taken')]).toEqual([3, 1]);
});
