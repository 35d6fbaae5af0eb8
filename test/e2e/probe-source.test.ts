/**
 * Whose address probes leave with. With their client's they go where it would go: through what translates, routes or
 * forbids by addresses. Where they are not heard they leave with the gateway's, and nobody is denied who was not before.
 */
import { beforeAll, describe, expect, it } from 'vitest';

import { NAME } from '../support/lab/bank.ts';
import { bank, faces, lab, openFaces, openScene, requestTo, scene } from '../support/lab/bank-scene.ts';
import { connectionsOf } from '../game/connections.ts';
import { ROOT } from '../support/built.ts';
import { TLSPIN } from '../support/lab/engine.ts';
import { requestWithCurl } from '../support/lab/peers.ts';
import { expectProbed } from '../support/lab/probed.ts';

const GENUINE = 443;
const FORGED = 8443;
/** For servers that are asked anew: what is known of one says nothing of another. */
const PORTS = Array.from({ length: 24 }, (_, at) => 4430 + at);
const socket = `/tmp/tlspin-probe-source-${process.pid}.sock`;
const [OWN4, OWN6] = ['198.51.100.1', '2001:db8:2::1'];
let used = 0;

beforeAll(async () => {
  await openScene(() => ({
    ...bank.config,
    ports: [GENUINE, FORGED, ...PORTS],
    probe: { recheck: 0, source: 'auto' },
    control: { socket },
  }));
  const genuine = { ...bank.genuineChain, body: 10_000 };
  await openFaces({
    [GENUINE]: [genuine],
    [FORGED]: [{ ...bank.forgedChain }],
    ...Object.fromEntries(PORTS.map((port) => [port, [genuine]])),
  });
});

interface Status {
  readonly probe_source: { readonly asked: string; readonly ipv4: string; readonly ipv6: string };
  readonly probes: { readonly asClient: number; readonly fallbacks: number };
}

function status(): Status {
  const answer = lab.run('gateway', ...TLSPIN, 'ctl', 'status', '--json', '--control', socket);
  return (JSON.parse(answer) as { status: Status }).status;
}

/** Commands on the gateway, and what undoes them. */
async function changed(commands: string, undo: string, body: () => Promise<void>): Promise<void> {
  lab.shell('gateway', commands);
  try {
    await body();
  } finally {
    lab.shell('gateway', undo);
  }
}

async function expectWays(way: string): Promise<void> {
  await expect
    .poll(() => Object.values(status().probe_source).slice(1, 3), { timeout: 20_000, interval: 300 })
    .toEqual([expect.stringContaining(way), expect.stringContaining(way)]);
}

/** At a server that nobody has asked yet. */
async function expectGenuine(from: 'client' | 'gateway' = 'client', version: 4 | 6 = 4): Promise<void> {
  await expectProbed(PORTS[used++]!, version);
  const gateway = version === 4 ? OWN4 : OWN6;
  const client = lab.address('client', version);
  expect(faces.connections().sort()).toEqual([client, from === 'client' ? client : gateway].sort());
}

it('once the rules are there, clients’ addresses are used', () => expectWays('client'));

it.each([4, 6] as const)('over IPv%d the server sees the client’s address alone', async (version) => {
  await expectGenuine('client', version);
});

it('a forged server is found out by it', async () => {
  const outcome = await requestWithCurl(lab, 'client', requestTo(FORGED));
  expect(outcome.error).toMatch(/alert|bad certificate/);
  expect(await scene.verdict()).toMatchObject({ verdict: { action: 'tls-alert', reason: 'probe-mismatch' } });
});

it('what a SYN tells of a system is what the client’s tells', async () => {
  const route = 'default via 192.0.2.2';
  lab.shell('client', `sysctl -qw net.ipv4.ip_default_ttl=57; ip route change ${route} advmss 1200 window 1000000`);
  const sniffer = lab.start('server', ['python3', `${ROOT}test/support/peers/sniffer.py`, 'left0']);
  await sniffer.says(/listening/);
  await expectGenuine();
  lab.shell('client', `sysctl -qw net.ipv4.ip_default_ttl=64; ip route change ${route}`);
  const seen = () => connectionsOf(sniffer.output.split('\n'), (port) => PORTS.includes(port));
  await expect.poll(() => seen().length).toBe(2);
  for (const { hopLimit, syn } of seen()) {
    expect({ hopLimit, ...syn }).toMatchObject({ hopLimit: 56, maximumSegmentSize: 1_200, windowScale: 4 });
  }
});

describe('of a gateway', () => {
  it('whose own address the server refuses', async () => {
    const rules = (verb: string) =>
      `iptables ${verb} INPUT -s ${OWN4} -j DROP; ip6tables ${verb} INPUT -s ${OWN6} -p tcp -j DROP`;
    lab.shell('server', rules('-I'));
    await expectGenuine('client', 4);
    await expectGenuine('client', 6);
    lab.shell('server', rules('-D'));
  });

  it('that has a way for its clients alone', async () => {
    const server = lab.address('server');
    await changed(
      `ip route add table 100 198.51.100.0/24 dev right0; ip rule add pref 90 from 192.0.2.0/24 lookup 100
       ip rule add pref 91 to ${server} blackhole`,
      'ip rule del pref 90; ip rule del pref 91; ip route flush table 100',
      () => expectGenuine(),
    );
  });

  it.each([
    ['addresses', ''],
    ['addresses and ports', '--random-fully'],
  ])('that translates its clients’ %s: replies find the probe, and the client', async (_, ports) => {
    const rule = (verb: string) =>
      `iptables -t nat ${verb} POSTROUTING -s 192.0.2.0/24 -o right0 -j MASQUERADE ${ports}`;
    await changed(rule('-A'), rule('-D'), async () => {
      const port = PORTS[used++]!;
      expect(await requestWithCurl(lab, 'client', requestTo(port))).toMatchObject({ error: null });
      expect(faces.connections()).toEqual([OWN4, OWN4]);
      expect(status().probes.fallbacks).toBe(0);
    });
  });

  it('that looks where packets come from, by their marks too', async () => {
    const set = (value: number) =>
      `for name in all left0 right0; do sysctl -qw net.ipv4.conf.$name.rp_filter=${value} net.ipv4.conf.$name.src_valid_mark=${value}; done`;
    await changed(set(1), set(0), () => expectGenuine());
  });

  it('that lets nothing leave with others’ addresses: its own is heard in time, and after a few times at once', async () => {
    const rules = (verb: string) =>
      `iptables ${verb} OUTPUT -s 192.0.2.0/24 -j DROP; ip6tables ${verb} OUTPUT -s 2001:db8:1::/64 -p tcp -j DROP`;
    await changed(rules('-I'), rules('-D'), async () => {
      for (let times = 1; times <= 3; times++) await expectGenuine('gateway');
      const { fallbacks } = status().probes;
      expect(fallbacks).toBe(3);
      expect(status().probe_source.ipv4).toMatch(/^gateway: .*not answered/);
      await expectGenuine('gateway');
      expect(status().probes.fallbacks).toBe(fallbacks);
      await expectGenuine('gateway', 6);
    });
  });
});

it('a client takes the port of a probe next, and is not told from others', async () => {
  const ends = `src=${lab.address('client')} dst=${lab.address('server')}`;
  const lines = lab.run('gateway', 'cat', '/proc/net/nf_conntrack').split('\n');
  const [, sport, dport] = lines
    .filter((line) => (Number(/ mark=(\d+)/.exec(line)?.[1]) & 0x40_0000) !== 0)
    .map((line) => new RegExp(`${ends} sport=(\\d+) dport=(\\d+) `).exec(line))
    .find((match) => PORTS.includes(Number(match?.[2])))!;
  const request = `-k --resolve ${NAME}:${dport}:${lab.address('server')} https://${NAME}:${dport}/`;
  const got = lab.shell('client', `curl -sS -m 8 --local-port ${sport} ${request} 2>&1`);
  expect(got.length).toBeGreaterThan(1_000);
  await expect.poll(() => faces.connections()).toEqual([lab.address('client')]);
});

describe('the way back', () => {
  it('is looked for, and put in place again', async () => {
    lab.shell('gateway', 'ip rule del pref 65; ip -6 rule del pref 65; iptables -t mangle -N touched');
    await expectWays('gateway');
    await expectGenuine('gateway');
    scene.engine.applyRules();
    await expectWays('client');
    await expectGenuine();
  });

  it('is the same by nft', async () => {
    const rules = lab.run('gateway', ...TLSPIN, 'rules', '--format', 'nft', '-c', scene.engine.config);
    const chains = [...rules.matchAll(/ {2}chain probe_(?:prerouting|output) \{[^}]*\}/g)].join('\n');
    const table = lab.write('probe.nft', `table inet tlspin {\n${chains}\n}\n`);
    const commands = [...rules.matchAll(/^# {3}(ip .*)$/gm)].map(([, command]) => command).join('\n');
    const emptied = ['iptables', 'ip6tables'].map(
      (program) => `${program} -t mangle -F tlspin-probe-in; ${program} -t mangle -F tlspin-probe-out`,
    );
    lab.shell('gateway', `${emptied.join('; ')}`);
    await expectWays('gateway');
    await expectGenuine('gateway', 6);
    lab.shell('gateway', `${REMOVED}\n${commands}\nnft -f ${table}`);
    await expectWays('client');
    await expectGenuine('client', 4);
    await expectGenuine('client', 6);
    lab.shell('gateway', 'nft delete table inet tlspin');
  });

  it('goes with the rules', () => {
    lab.run('gateway', ...TLSPIN, 'rules', '--apply', '--remove');
    expect(lab.shell('gateway', 'ip rule; ip -6 rule')).not.toMatch(/^6[2-6]:/m);
    expect(lab.run('gateway', 'iptables-save')).not.toContain('tlspin');
  });
});

/** By hand, as the rules for iptables do it. */
const REMOVED = ['-4', '-6']
  .map((family) =>
    [
      'rule del pref 62',
      'rule del pref 63',
      'rule del pref 64',
      'rule del pref 65',
      'rule del pref 66',
      'route flush table 7468',
    ]
      .map((command) => `ip ${family} ${command} 2>/dev/null || :`)
      .join('\n'),
  )
  .join('\n');
