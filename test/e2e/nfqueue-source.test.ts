/** The bare source on the kernel's real queue: client and server with a gateway between that forwards and queues. */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import type { MarkChange, SourceStats } from '../../src/packet/source.ts';
import { FLAG, HOOK } from '../../src/packet/batch.ts';
import type { NfqueueOptions } from '../../src/source/nfqueue.ts';
import { ROOT } from '../support/built.ts';
import { Netns } from '../support/netns.ts';

const MASK = 0x3000000;
const TOLD = 0x4000000;
const net = new Netns('native');
let client: string;
let gateway: string;
let server: string;

beforeAll(async () => {
  client = net.add('client');
  gateway = net.add('gw');
  server = net.add('server');
  net.link(client, 'eth0', ['10.1.0.2/24', 'fd01::2/64'], gateway, 'cli0', ['10.1.0.1/24', 'fd01::1/64']);
  net.link(server, 'eth0', ['10.2.0.2/24', 'fd02::2/64'], gateway, 'srv0', ['10.2.0.1/24', 'fd02::1/64']);
  net.run(client, 'ip route add default via 10.1.0.1; ip route add default via fd01::1');
  net.run(server, 'ip route add default via 10.2.0.1; ip route add default via fd02::1');
  net.run(gateway, 'sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1');
  await serve();
});

afterAll(() => net.close());

const drivers: Driver[] = [];
afterEach(async () => {
  for (const driver of drivers.splice(0)) await driver.stop();
  for (const iptables of ['iptables', 'ip6tables'])
    net.run(gateway, `${iptables} -t mangle -F; ${iptables} -t mangle -X; ${iptables} -F`);
  net.run(gateway, 'conntrack -F 2>/dev/null || true');
});

test('packets of both directions and families arrive with their fields, and pass when accepted', async () => {
  queue('iptables', '-p tcp');
  queue('ip6tables', '-p tcp');
  const driver = await drive({ mode: 'accept' });
  expect(fetchText('10.2.0.2', '/hello')).toBe('hello');
  expect(fetchText('[fd02::2]', '/hello')).toBe('hello');

  await expect.poll(async () => (await driver.stats()).received === driver.packets.length).toBe(true);
  const stats = await driver.stats();
  expect(stats).toMatchObject({
    accepted: stats.received,
    dropped: 0,
    queueDropped: 0,
    userDropped: 0,
    verdictErrors: 0,
  });

  const [syn, synAck] = driver.packets as [Packet, Packet];
  expect(syn).toMatchObject({ packetId: 1, hook: HOOK.forward, frame: 0, length: 60, originalLength: 60 });
  expect(syn.head).toMatch(/^45.{22}0a0100020a020002....1f90/);
  expect(synAck.head).toMatch(/^45.{22}0a0200020a0100021f90/);
  expect([synAck.inIfindex, synAck.outIfindex]).toEqual([syn.outIfindex, syn.inIfindex]);
  expect(syn.timeSeconds).toBeLessThan(600);
  expect(driver.packets.some((packet) => packet.head.startsWith('6'))).toBe(true);
});

test('a dropped packet does not arrive', async () => {
  queue('iptables', '-p tcp');
  const driver = await drive({ mode: 'drop' });
  expect(() => fetchText('10.2.0.2', '/hello', 1)).toThrow();
  const stats = await driver.stats();
  expect(stats.dropped).toBe(stats.received);
  expect(stats.dropped).toBeGreaterThan(0);
});

test('a replaced packet arrives as it was replaced', async () => {
  queue('iptables', '-p udp --dport 9000');
  await drive({ mode: 'rewrite' });
  expect(await exchangeDatagram('banana')).toBe('bbnbnb');
});

test('a replacement without an IP header is never sent: the packet is dropped, the kernel lives', async () => {
  queue('iptables', '-p udp --dport 9000');
  const driver = await drive({ mode: 'empty' });
  expect(await exchangeDatagram('banana')).toBe('');
  await expect.poll(() => driver.packets.length).toBe(1);
});

test('packets larger than the path allows arrive whole, and leave segmented', async () => {
  queue('iptables', '-p tcp');
  const driver = await drive({ mode: 'accept' });
  const digest = net.run(client, 'curl -sS --max-time 20 http://10.2.0.2:8080/bulk | sha256sum').split(' ')[0];
  expect(digest).toBe(net.run(server, `${process.execPath} -e "${BULK_DIGEST}"`).trim());
  await driver.stats();
  const big = driver.packets.filter((packet) => packet.length > 1500);
  expect(big.length).toBeGreaterThan(0);
  expect(big.every((packet) => packet.flags & FLAG.gso)).toBe(true);
  expect(driver.packets.some((packet) => packet.flags & FLAG.truncated)).toBe(false);
});

describe('connmarks on the packet-mark route', () => {
  const mark = (mode: string) =>
    drive({ mode, connmark: { value: 0x1000000, mask: MASK }, options: { route: 'packet-mark' } });

  test('a mark set with the SYN is on the connection and comes with the next packet', async () => {
    queueWithMarks('-p tcp');
    const driver = await mark('mark-first');
    fetchText('10.2.0.2', '/hello');
    await driver.stats();
    expect(driver.route).toBe('packet-mark');
    expect(driver.packets.every((packet) => packet.flags & FLAG.hasConnmark)).toBe(true);
    expect(driver.packets.map((packet) => packet.connmark)).toEqual([
      0,
      ...driver.packets.slice(1).map(() => 0x1000000),
    ]);
    expect(connmarks()).toEqual([String(0x1000000)]);
  });

  test('bits that others use, in packet mark and connmark, stay as they are and are not taken for ours', async () => {
    net.run(gateway, 'iptables -t mangle -A FORWARD -p tcp -j MARK --set-xmark 0x1000011/0xffffffff');
    net.run(gateway, 'iptables -t mangle -A FORWARD -p tcp -j CONNMARK --set-xmark 0x5/0xf');
    queueWithMarks('-p tcp');
    net.run(gateway, 'iptables -A FORWARD -m mark --mark 0x11');
    net.run(gateway, 'iptables -t mangle -A POSTROUTING -m mark ! --mark 0x11');
    const driver = await mark('mark-first');
    fetchText('10.2.0.2', '/hello');
    await driver.stats();
    expect(driver.packets[0]).toMatchObject({ mark: 0x11, connmark: 0 });
    expect(connmarks()).toEqual([String(0x1000005)]);
    await expect.poll(() => ruleCount('filter', 'FORWARD') === driver.packets.length).toBe(true);
    expect(ruleCount('mangle', 'POSTROUTING')).toBe(0);
  });

  test('a packet that was queued before the mark changed does not bring the old one back', async () => {
    queueWithMarks('-p udp --dport 9000');
    const driver = await drive({ mode: 'hold', options: { route: 'packet-mark' } });
    sendDatagrams(1, 5555);
    await expect.poll(() => driver.packets.length).toBe(1);
    driver.send('release', [{ value: 0x3000000, mask: MASK }]);
    await expect.poll(() => connmarks()).toEqual([String(0x3000000)]);

    sendDatagrams(2, 5555);
    await expect.poll(() => driver.packets.length).toBe(3);
    expect(driver.packets[2]!.connmark).toBe(0x3000000);
    driver.send('release', [{ value: 0x1000000, mask: MASK }]);
    await expect.poll(async () => (await driver.stats()).accepted).toBe(3);
    expect(connmarks()).toEqual([String(0x1000000)]);
  });
});

test('the route that is reported is the one that the kernel grants, and forcing one that it does not grant fails', async () => {
  const driver = await drive({ mode: 'accept', options: { route: 'auto' } });
  if (driver.route === 'verdict') return;
  await driver.stop();
  const failure = await drive({ options: { route: 'verdict' } }).catch(String);
  expect(failure).toContain(
    'netlink ask for conntrack: queue 7: EOPNOTSUPP (this kernel has no NETFILTER_NETLINK_GLUE_CT',
  );
});

describe('binding fails with what is to be done', () => {
  test('a queue that another process holds', async () => {
    const first = await drive({});
    const failure = await drive({}).catch(String);
    expect(failure).toContain(
      `netlink bind: queue 7: EPERM (another process holds the queue (netlink port ${first.pid}, usually its process id)`,
    );
  });

  test('a process without CAP_NET_ADMIN', async () => {
    const unprivileged = ['setpriv', '--inh-caps=-all', '--bounding-set=-all'];
    const failure = await drive({}, unprivileged).catch(String);
    expect(failure).toContain('netlink bind: queue 7: EPERM (needs CAP_NET_ADMIN');
  });
});

describe('losses are counted', () => {
  test('a full queue', async () => {
    queue('iptables', '-p udp --dport 9000');
    const driver = await drive({ mode: 'hold', options: { maxLength: 4 } });
    sendDatagrams(10);
    await expect.poll(async () => (await driver.stats()).queueDropped).toBe(6);
    expect(driver.packets.length).toBe(4);
  });

  test('a full queue with failOpen lets packets pass unseen, which is counted as nothing lost', async () => {
    queue('iptables', '-p udp --dport 9000');
    net.run(gateway, 'iptables -A FORWARD -p udp --dport 9000');
    const driver = await drive({ mode: 'hold', options: { maxLength: 4, failOpen: true } });
    sendDatagrams(10);
    await expect.poll(() => ruleCount('filter', 'FORWARD')).toBe(6);
    expect((await driver.stats()).queueDropped).toBe(0);
    expect(driver.packets.length).toBe(4);
  });

  test('a full receive buffer', async () => {
    queue('iptables', '-p udp --dport 9000');
    const driver = await drive({ mode: 'accept', options: { receiveBuffer: 4096 }, blockAfter: 500 });
    sendDatagrams(200);
    await expect.poll(async () => (await driver.stats()).enobufs).toBeGreaterThan(0);
    const settled = async () => {
      const { received, userDropped } = await driver.stats();
      return received + userDropped;
    };
    await expect.poll(settled).toBe(200);
    expect((await driver.stats()).userDropped).toBeGreaterThan(0);
    // And the queue goes on.
    for (let round = 1; round <= 3; round++) {
      const before = driver.packets.length;
      sendDatagrams(1);
      await expect.poll(() => driver.packets.length).toBe(before + 1);
    }
    expect(driver.errors[0]).toMatch(/^netlink receive: queue 7: ENOBUFS \(the receive buffer ran over/);
  });

  test('a socket that is gone, though nothing says so', async () => {
    const driver = await drive({});
    await driver.stats();
    driver.send('lose');
    await driver.stats();
    await driver.stats();
    expect(driver.errors).toEqual(['lost: queue 7 is bound to its socket no more']);
  });

  test('a verdict for a packet that is not waiting', async () => {
    queue('iptables', '-p udp --dport 9000');
    const driver = await drive({ mode: 'twice' });
    sendDatagrams(3);
    await expect.poll(async () => (await driver.stats()).verdictErrors).toBe(3);
  });
});

test('held packets pass when they are released, in any number', async () => {
  queue('iptables', '-p udp --dport 9000');
  net.run(gateway, 'iptables -A FORWARD -p udp --dport 9000');
  const driver = await drive({ mode: 'hold' });
  sendDatagrams(3000);
  await expect.poll(() => driver.packets.length).toBe(3000);
  expect(ruleCount('filter', 'FORWARD')).toBe(0);
  driver.send('release');
  await expect.poll(() => ruleCount('filter', 'FORWARD')).toBe(3000);
});

test('closing with packets queued unbinds at once, and the process ends', async () => {
  queue('iptables', '-p udp --dport 9000');
  const driver = await drive({ mode: 'hold' });
  sendDatagrams(20);
  await expect.poll(() => driver.packets.length).toBe(20);
  expect(await driver.stop()).toBe(0);
  expect(net.run(gateway, 'cat /proc/net/netfilter/nfnetlink_queue')).toBe('');
});

test('worker threads each have a queue of their own, and may be terminated with packets waiting', async () => {
  net.run(gateway, 'iptables -t mangle -A FORWARD -p udp --dport 9000 -j NFQUEUE --queue-balance 11:12');
  const child = net.spawn(gateway, [process.execPath, `${ROOT}test/support/queue-workers.mjs`], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  expect(await once(child, 'message')).toContainEqual({ bound: 2 });
  sendDatagrams(5);
  expect(await once(child, 'message')).toContainEqual({ seen: 5 });
  expect(net.run(gateway, 'cat /proc/net/netfilter/nfnetlink_queue').trim().split('\n')).toHaveLength(2);
  child.send('terminate');
  expect(await once(child, 'message')).toContainEqual({ terminated: 2 });
  expect(net.run(gateway, 'cat /proc/net/netfilter/nfnetlink_queue')).toBe('');
  child.send('end');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

// ---- the stage ----

interface Packet {
  packetId: number;
  length: number;
  originalLength: number;
  mark: number;
  connmark: number;
  hook: number;
  inIfindex: number;
  outIfindex: number;
  flags: number;
  timeSeconds: number;
  frame: number;
  /** First 60 octets, in hex. */
  head: string;
}

interface DriverSetup {
  mode?: string;
  connmark?: { value: number; mask: number };
  blockAfter?: number;
  options?: Partial<NfqueueOptions>;
}

interface Said {
  readonly started?: { route: string; pid: number };
  readonly failed?: { message: string };
  readonly packets?: Packet[];
  readonly stats?: SourceStats;
  readonly errors?: string[];
}

class Driver {
  readonly packets: Packet[] = [];
  errors: string[] = [];
  route = '';
  pid = 0;
  readonly started: Promise<void>;
  readonly #child: ChildProcess;
  #onStats: (stats: SourceStats) => void = () => {};

  constructor(child: ChildProcess) {
    this.#child = child;
    this.started = new Promise((resolve, reject) => {
      child.on('message', (said: Said) => {
        this.packets.push(...(said.packets ?? []));
        this.errors = said.errors ?? this.errors;
        if (said.stats !== undefined) this.#onStats(said.stats);
        if (said.failed !== undefined) reject(new Error(said.failed.message));
        if (said.started === undefined) return;
        this.route = said.started.route;
        this.pid = said.started.pid;
        resolve();
      });
    });
  }

  /** `connmarks`: what the verdicts of 'release' change, in the order of the packets. */
  send(command: string, connmarks: MarkChange[] = []): void {
    this.#child.send({ command, connmarks }, () => {}); // it may be gone
  }

  /** Everything that was said before has been heard, too. */
  async stats(): Promise<SourceStats> {
    const answer = new Promise<SourceStats>((resolve) => (this.#onStats = resolve));
    this.send('stats');
    return answer;
  }

  /** Exit status. */
  async stop(): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    const exit = once(this.#child, 'exit');
    if (this.#child.connected) this.send('stop');
    await exit;
    return this.#child.exitCode;
  }
}

async function drive(setup: DriverSetup, prefix: string[] = []): Promise<Driver> {
  const options = { queueNum: 7, connmarkMask: MASK, toldBit: TOLD, ...setup.options };
  const argv = [
    ...prefix,
    process.execPath,
    `${ROOT}test/support/queue-driver.mjs`,
    JSON.stringify({ ...setup, options }),
  ];
  const driver = new Driver(net.spawn(gateway, argv, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }));
  drivers.push(driver);
  await driver.started;
  return driver;
}

function queue(iptables: string, match: string): void {
  net.run(gateway, `${iptables} -t mangle -A FORWARD ${match} -j NFQUEUE --queue-num 7`);
}

/** The packet-mark route's rules: save what a verdict says and clean the packet; of others restore, and queue. */
function queueWithMarks(match: string): void {
  const mask = `0x${MASK.toString(16)}`;
  const told = `-m mark --mark 0x${TOLD.toString(16)}/0x${TOLD.toString(16)}`;
  const clean = `-j MARK --set-xmark 0x0/0x${(MASK | TOLD).toString(16)}`;
  net.run(gateway, `iptables -t mangle -N told; iptables -t mangle -I FORWARD ${match} ${told} -g told`);
  net.run(gateway, `iptables -t mangle -A told -j CONNMARK --save-mark --mask ${mask}`);
  net.run(gateway, `iptables -t mangle -A told ${clean}`);
  net.run(gateway, `iptables -t mangle -A FORWARD ${match} -j CONNMARK --restore-mark --mask ${mask}`);
  queue('iptables', match);
}

/** Packets that the last rule of a chain has counted. */
function ruleCount(table: string, chain: string): number {
  const lines = net.run(gateway, `iptables -t ${table} -L ${chain} -vnx`).trimEnd().split('\n');
  return Number(lines.at(-1)!.trim().split(/\s+/)[0]);
}

function connmarks(): string[] {
  return [...net.run(gateway, 'conntrack -L 2>/dev/null').matchAll(/ mark=(\d+)/g)].map((match) => match[1]!);
}

const BULK = "Buffer.alloc(4 << 20, 'tlspin bulk ')";
const BULK_DIGEST = `console.log(require('crypto').createHash('sha256').update(${BULK}).digest('hex'))`;

async function serve(): Promise<void> {
  const script = `
    require('http').createServer((request, response) =>
      response.end(request.url === '/bulk' ? ${BULK} : 'hello')).listen(8080, '::', () => console.log('ready'));
    const echo = require('dgram').createSocket('udp4');
    echo.on('message', (message, from) => echo.send(message, from.port, from.address)).bind(9000);`;
  const child = net.spawn(server, [process.execPath, '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout!, 'data');
}

function fetchText(host: string, path: string, seconds = 5): string {
  return net.run(client, `curl -sS --max-time ${seconds} 'http://${host}:8080${path}'`);
}

/** The echo of a datagram; empty when none comes. */
async function exchangeDatagram(text: string): Promise<string> {
  const script = `
    const socket = require('dgram').createSocket('udp4');
    socket.on('message', (message) => { process.stdout.write(message); socket.close(); clearTimeout(timer); });
    const timer = setTimeout(() => socket.close(), 500);
    socket.send('${text}', 9000, '10.2.0.2');`;
  return execFileSync('ip', ['netns', 'exec', client, process.execPath, '-e', script], { encoding: 'utf8' });
}

/** From one socket, so that they are one connection. */
function sendDatagrams(count: number, sourcePort = 0): void {
  const script = `
    const socket = require('dgram').createSocket('udp4');
    let left = ${count};
    const next = () => (left-- > 0 ? socket.send('x', 9000, '10.2.0.2', next) : socket.close());
    socket.bind(${sourcePort}, next);`;
  execFileSync('ip', ['netns', 'exec', client, process.execPath, '-e', script]);
}
