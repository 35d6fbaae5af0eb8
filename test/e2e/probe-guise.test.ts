/**
 * Whose TCP probes have that leave with their client's address: the client's, which is another than the gateway's, as the
 * server's side sees it; and both ends understand each other all the same.
 */
import { beforeAll, expect, it } from 'vitest';

import { IP, IpView } from '../../src/packet/ip.ts';
import { OPTION, TCP_FLAG, TcpView } from '../../src/packet/tcp.ts';
import { ROOT } from '../support/built.ts';
import { bank, faces, lab, openFaces, openScene, requestTo, scene } from '../support/lab/bank-scene.ts';
import { TLSPIN } from '../support/lab/engine.ts';
import { requestWithCurl } from '../support/lab/peers.ts';

const PORTS = Array.from({ length: 12 }, (_, at) => 4430 + at);
const socket = `/tmp/tlspin-probe-guise-${process.pid}.sock`;
let used = 0;

beforeAll(async () => {
  const probe = { recheck: 0, source: 'client', perDestination: 600 };
  await openScene(() => ({ ...bank.config, ports: PORTS, probe, control: { socket } }));
  // As its packets are on the wire.
  lab.withoutOffload('client', 'gateway', 'server');
  const genuine = { ...bank.genuineChain, body: 100_000 };
  await openFaces(Object.fromEntries(PORTS.map((port) => [port, [genuine]])));
});

function status(): Record<'ipv4' | 'ipv6', string> {
  const answer = lab.run('gateway', ...TLSPIN, 'ctl', 'status', '--json', '--control', socket);
  return (JSON.parse(answer) as { status: { probe_source: Record<'ipv4' | 'ipv6', string> } }).status.probe_source;
}

async function expectTcp(whose: RegExp): Promise<void> {
  const match = expect.stringMatching(whose) as string;
  await expect.poll(status, { timeout: 20_000, interval: 300 }).toMatchObject({ ipv4: match, ipv6: match });
}

interface Packet {
  readonly port: number;
  readonly flags: number;
  readonly data: number;
  readonly timestamp: number;
  readonly window: number;
  readonly traffic: number;
  /** But for what each connection has of its own: port, numbers, clock, checksums. */
  readonly rest: string;
}

/** To a server, of those that somebody there has seen. */
function packetsTo(server: number, lines: readonly string[]): Packet[] {
  const [ip, tcp] = [new IpView(), new TcpView()];
  return lines.flatMap((line): Packet[] => {
    const octets = Buffer.from(line.split(' ')[1] ?? '', 'hex');
    if (ip.parse(octets, 0, octets.length) !== IP.ok || !tcp.parse(ip) || tcp.dstPort !== server) return [];
    const { srcPort: port, flags, dataLength: data, tsVal: timestamp, window, start } = tcp;
    const traffic = ip.version === 4 ? octets[1]! : ((octets[0]! & 0xf) << 4) | (octets[1]! >> 4);
    const rest = Buffer.from(octets.subarray(0, tcp.dataStart));
    if (ip.version === 4) rest.fill(0, 4, 6).fill(0, 10, 12);
    else rest.fill(0, 2, 4)[1]! &= 0xf0;
    rest
      .fill(0, start, start + 2)
      .fill(0, start + 4, start + 8)
      .fill(0, start + 16, start + 18);
    const at = [...rest.subarray(start + 20)].findIndex(
      (kind, at, all) => kind === OPTION.timestamps && all[at + 1] === 10,
    );
    if (at >= 0) rest.fill(0, start + 22 + at, start + 26 + at);
    return [{ port, flags, data, timestamp, window, traffic, rest: rest.toString('hex') }];
  });
}

/** What the server's side sees of a client's visit and its probe, the client's first. */
async function visit(version: 4 | 6 = 4): Promise<[Packet[], Packet[]]> {
  scene.begin();
  faces.forget();
  const port = PORTS[used++]!;
  const sniffer = lab.start('server', ['python3', `${ROOT}test/support/peers/sniffer.py`, 'left0']);
  await sniffer.says(/listening/);
  const outcome = await requestWithCurl(lab, 'client', requestTo(port, { host: lab.address('server', version) }));
  expect(outcome).toMatchObject({ error: null });
  const { src_port, verdict } = await scene.verdict(port);
  expect(verdict).toMatchObject({ action: 'accept', reason: 'probe-match' });
  const client = lab.address('client', version);
  expect(faces.connections()).toEqual([client, client]);
  const packets = () => packetsTo(port, sniffer.output.split('\n'));
  const isSpoken = (seen: readonly Packet[]) =>
    new Set(seen.filter(({ data }) => data > 0).map(({ port }) => port)).size === 2;
  await expect.poll(() => isSpoken(packets())).toBe(true);
  await sniffer.stop();
  const all = packets();
  return [all.filter(({ port }) => port === src_port), all.filter(({ port }) => port !== src_port)];
}

/** The client's system is another one meanwhile. */
async function asAnother(settings: Readonly<Record<string, string>>, body: () => Promise<void>): Promise<void> {
  const names = Object.keys(settings);
  const before = names.map((name) => lab.run('client', 'sysctl', '-n', name).trim());
  const set = (values: readonly string[]) =>
    lab.shell('client', names.map((name, at) => `sysctl -qw ${name}='${values[at]!}'`).join('; '));
  set(Object.values(settings));
  try {
    await body();
  } finally {
    set(before);
  }
}

it('once the rules are there, it is the client’s', () => expectTcp(/^client$/));

const isSyn = ({ flags }: Packet) => (flags & TCP_FLAG.syn) !== 0;
const WITHOUT_STAMPS = {
  'net.ipv4.tcp_timestamps': '0',
  'net.ipv4.tcp_ecn': '1',
  'net.ipv4.ip_default_ttl': '128',
  'net.ipv4.tcp_rmem': '4096 70000 500000',
};

it.each([4, 6] as const)('without timestamps, with ECN and another window, over IPv%d', async (version) => {
  await asAnother(WITHOUT_STAMPS, async () => {
    const [client, probe] = await visit(version);
    expect(client.find(isSyn)!.flags & 0xc0).toBe(0xc0);
    expect(client.find(isSyn)!.timestamp).toBe(0);
    expect(probe.find(isSyn)).toMatchObject({ rest: client.find(isSyn)!.rest });
    const hello = (packets: readonly Packet[]) => packets.find(({ data }) => data > 0)!;
    const { data, window, traffic } = hello(client);
    expect(hello(probe)).toMatchObject({ data, window, traffic });
  });
});

it.each([
  ['of a smaller buffer', { 'net.ipv4.tcp_rmem': '4096 20000 60000' }],
  ['that scales no windows', { 'net.ipv4.tcp_window_scaling': '0' }],
  ['without selective acknowledgments', { 'net.ipv4.tcp_sack': '0' }],
])('%s, on its clock', async (_, settings) => {
  await asAnother(settings, async () => {
    const [client, probe] = await visit();
    expect(probe.find(isSyn)).toMatchObject({ rest: client.find(isSyn)!.rest });
    const [theirs, own] = [client.find(isSyn)!.timestamp, probe.find(isSyn)!.timestamp];
    expect(Math.abs(own - theirs)).toBeLessThan(2_000);
  });
});

it('what a gateway’s system does not do goes as it is, and serves nobody worse', async () => {
  lab.shell('gateway', 'sysctl -qw net.ipv4.tcp_timestamps=0');
  try {
    const [client, probe] = await visit();
    expect(probe.find(isSyn)!.rest).not.toBe(client.find(isSyn)!.rest);
  } finally {
    lab.shell('gateway', 'sysctl -qw net.ipv4.tcp_timestamps=1');
  }
});

it('rules that do not send them to the queue leave them the gateway’s, and status says so', async () => {
  const flush = ['iptables', 'ip6tables'].map((program) => `${program} -t security -F tlspin-probe-leave`).join('; ');
  lab.shell('gateway', flush);
  await expectTcp(/^client, with this host's TCP: /);
  await asAnother(WITHOUT_STAMPS, async () => {
    const [client, probe] = await visit();
    expect(probe.find(isSyn)!.rest).not.toBe(client.find(isSyn)!.rest);
  });
  scene.engine.applyRules();
  await expectTcp(/^client$/);
});
