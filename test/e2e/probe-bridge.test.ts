/**
 * Probes of clients that a bridge lies in front of, which has no address, and no route: they go over the bridge as their
 * clients' packets do, and only the gateway hears what is answered to them.
 */
import { beforeAll, describe, expect, it } from 'vitest';

import { IP, IpView } from '../../src/packet/ip.ts';
import { TCP_FLAG, TcpView } from '../../src/packet/tcp.ts';
import { ROOT } from '../support/built.ts';
import { bank, faces, lab, openFaces, openScene, requestTo, scene } from '../support/lab/bank-scene.ts';
import { bridgeGateway } from '../support/lab/bridge.ts';
import { TLSPIN } from '../support/lab/engine.ts';
import { requestWithCurl } from '../support/lab/peers.ts';
import { expectProbed } from '../support/lab/probed.ts';

const FORGED = 8443;
/** For servers that are asked anew. */
const PORTS = Array.from({ length: 20 }, (_, at) => 4430 + at);
const socket = `/tmp/tlspin-probe-bridge-${process.pid}.sock`;
let used = 0;

beforeAll(async () => {
  const probe = { recheck: 0, source: 'auto', perDestination: 600 };
  await openScene(() => {
    bridgeGateway(lab);
    return { ...bank.config, ports: [FORGED, ...PORTS], probe, control: { socket } };
  });
  const genuine = { ...bank.genuineChain, body: 100_000 };
  await openFaces({
    [FORGED]: [{ ...bank.forgedChain }],
    ...Object.fromEntries(PORTS.map((port) => [port, [genuine]])),
  });
});

interface Status {
  readonly probe_source: Readonly<Record<'ipv4' | 'ipv6' | 'bridge', string | null>>;
  readonly probes: { readonly fallbacks: number };
}

function status(): Status {
  const answer = lab.run('gateway', ...TLSPIN, 'ctl', 'status', '--json', '--control', socket);
  return (JSON.parse(answer) as { status: Status }).status;
}

/** The engine looks at rules now and then. */
async function expectWays(): Promise<void> {
  const ways = () => status().probe_source;
  await expect.poll(ways, { timeout: 20_000, interval: 300 }).toMatchObject({ ipv4: 'client', ipv6: 'client' });
}

/** At a server that nobody has asked yet; its port. */
async function expectGenuine(version: 4 | 6 = 4): Promise<number> {
  const port = PORTS[used++]!;
  await expectProbed(port, version);
  const client = lab.address('client', version);
  expect(faces.connections()).toEqual([client, client]);
  return port;
}

interface Frame {
  readonly isIncoming: boolean;
  /** Of the link: to whom, and from whom. */
  readonly link: string;
  readonly hopLimit: number;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly isSyn: boolean;
  readonly window: number;
  /** Of a SYN's options their kinds and lengths. */
  readonly options: string;
}

/** Of TCP. */
function framesOf(lines: readonly string[]): Frame[] {
  const [ip, tcp] = [new IpView(), new TcpView()];
  return lines.flatMap((line): Frame[] => {
    const [way, hex = ''] = line.split(' ');
    const octets = Buffer.from(hex, 'hex');
    if (ip.parse(octets, 14, octets.length) !== IP.ok || !tcp.parse(ip)) return [];
    const { srcPort, dstPort, window, start, dataStart } = tcp;
    const kinds: string[] = [];
    for (let at = start + 20; at < dataStart; at += octets[at]! < 2 ? 1 : octets[at + 1]!) kinds.push(`${octets[at]}`);
    return [
      {
        isIncoming: way === 'in',
        link: octets.toString('hex', 0, 12),
        hopLimit: octets[14 + (ip.version === 4 ? 8 : 7)]!,
        ...{ srcPort, dstPort, window, options: kinds.join(' ') },
        isSyn: tcp.has(TCP_FLAG.syn) && !tcp.has(TCP_FLAG.ack),
      },
    ];
  });
}

it('once the rules are there, clients’ addresses are used', expectWays);

it.each([4, 6] as const)('over IPv%d the server sees the client alone, on the link as well', async (version) => {
  const command = (device: string) => ['python3', `${ROOT}test/support/peers/frames.py`, device];
  const [near, far] = [lab.start('client', command('right0')), lab.start('server', command('left0'))];
  await Promise.all([near.says(/listening/), far.says(/listening/)]);
  const port = await expectGenuine(version);
  expect(status().probe_source.bridge).toBe('client');
  const seen = () =>
    framesOf(far.output.split('\n')).filter(({ isIncoming, dstPort }) => isIncoming && dstPort === port);
  const ports = () => [...new Set(seen().map(({ srcPort }) => srcPort))];
  await expect.poll(() => ports().length).toBe(2);
  await expect.poll(() => seen().filter(({ isSyn }) => isSyn).length).toBe(2);
  expect(new Set(seen().map(({ link }) => link)).size).toBe(1);
  expect(new Set(seen().map(({ hopLimit }) => hopLimit))).toEqual(new Set([64]));
  const [one, other] = seen().filter(({ isSyn }) => isSyn);
  expect({ ...one, srcPort: 0 }).toEqual({ ...other, srcPort: 0 });
  // Its own connection is all that the client hears of.
  const heard = framesOf(near.output.split('\n')).filter(({ srcPort, dstPort }) => [srcPort, dstPort].includes(port));
  expect(new Set(heard.map(({ srcPort, dstPort }) => srcPort + dstPort)).size).toBe(1);
  await Promise.all([near.stop(), far.stop()]);
});

it.each([4, 6] as const)('over IPv%d a forged server is found out by it', async (version) => {
  const outcome = await requestWithCurl(lab, 'client', requestTo(FORGED, { host: lab.address('server', version) }));
  expect(outcome.error).toMatch(/alert|bad certificate/);
  expect(await scene.verdict()).toMatchObject({ verdict: { action: 'tls-alert', reason: 'probe-mismatch' } });
});

describe('of a bridge', () => {
  it.each([1, 2])('whose host looks where packets come from (%i)', async (value) => {
    lab.shell('gateway', `sysctl -qw net.ipv4.conf.all.rp_filter=${value}`);
    await expectGenuine();
    lab.shell('gateway', 'sysctl -qw net.ipv4.conf.all.rp_filter=0');
  });

  it('with an address, and a way of its own to everybody', async () => {
    lab.shell('gateway', 'ip addr add 192.0.2.99/24 dev br0; ip route add default via 192.0.2.98 dev br0');
    lab.shell('gateway', 'sysctl -qw net.ipv4.conf.all.rp_filter=1');
    await expectGenuine();
    lab.shell('gateway', 'ip addr del 192.0.2.99/24 dev br0; sysctl -qw net.ipv4.conf.all.rp_filter=0');
  });

  it('that has large packets whole, and whose probes are of several segments', async () => {
    lab.shell('client', 'ip route replace 198.51.100.0/24 dev right0 advmss 300');
    await expectGenuine();
    lab.shell('client', 'ip route replace 198.51.100.0/24 dev right0');
  });

  it('whose frames may have VLAN tags: it says why none leaves', async () => {
    lab.shell('gateway', 'sysctl -qw net.bridge.bridge-nf-filter-vlan-tagged=1');
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await requestWithCurl(lab, 'client', requestTo(PORTS[used++]!));
    expect(await scene.verdict()).toMatchObject({ verdict: { reason: 'probe-failed' } });
    expect(status().probe_source.bridge).toMatch(/^none: .*VLAN/);
    lab.shell('gateway', 'sysctl -qw net.bridge.bridge-nf-filter-vlan-tagged=0');
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await expectGenuine();
  });
});
