/**
 * Probes that leave with the gateway's address, as they do unless told otherwise, where the gateway is a bridge: with one that
 * leads to the server they have it, and with none they take the bridge. Of each family by itself, and nobody is lost for it.
 */
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { bank, faces, lab, openFaces, openScene, requestTo, scene } from '../support/lab/bank-scene.ts';
import { bridgeGateway } from '../support/lab/bridge.ts';
import { TLSPIN } from '../support/lab/engine.ts';
import { requestWithCurl } from '../support/lab/peers.ts';
import { expectProbed } from '../support/lab/probed.ts';

const [GENUINE12, FORGED12, FORGED] = [443, 4443, 8443];
/** For servers that are asked anew. */
const PORTS = Array.from({ length: 24 }, (_, at) => 4460 + at);
const MARK = '0x400000/0x400000';
const socket = `/tmp/tlspin-probe-bridge-gateway-${process.pid}.sock`;
let used = 0;

beforeAll(async () => {
  await openScene(() => {
    bridgeGateway(lab);
    return {
      ...bank.config,
      ports: [GENUINE12, FORGED12, FORGED, ...PORTS],
      probe: { recheck: 0, perDestination: 600 },
      control: { socket },
    };
  });
  const genuine = { ...bank.genuineChain, body: 100_000 };
  const old = { maxVersion: 'TLSv1.2' };
  await openFaces({
    [GENUINE12]: [{ ...genuine, ...old }],
    [FORGED12]: [{ ...bank.forgedChain, ...old }],
    [FORGED]: [{ ...bank.forgedChain }],
    ...Object.fromEntries(PORTS.map((port) => [port, [genuine]])),
  });
});
beforeEach(() => expect.poll(conditions, { timeout: 60_000, interval: 500 }).not.toContain('rules.none'));

interface Status {
  readonly probe_source: { readonly bridge: string | null; readonly unbridged: number };
  readonly health: { readonly conditions: readonly { readonly code: string }[] };
}

function status(): Status {
  const answer = lab.run('gateway', ...TLSPIN, 'ctl', 'status', '--json', '--control', socket);
  return (JSON.parse(answer) as { status: Status }).status;
}

function conditions(): string[] {
  return status().health.conditions.map(({ code }) => code);
}

/** At a server that nobody has asked yet. */
async function expectGenuine(version: 4 | 6 = 4, from = lab.address('client', version)): Promise<void> {
  await expectProbed(PORTS[used++]!, version);
  expect(faces.connections().sort()).toEqual([lab.address('client', version), from].sort());
}

/** On the gateway, and what undoes it. */
async function changed(commands: string, undo: string, body: () => Promise<void>): Promise<void> {
  lab.shell('gateway', commands);
  try {
    await body();
  } finally {
    lab.shell('gateway', undo);
  }
}

it('until a bridge has to be taken there is no device of it, and nothing leads to one', () => {
  expect(lab.shell('gateway', 'ip -br link; ip rule; ip -6 rule')).not.toContain('tlspin0');
  expect(status().probe_source.bridge).toBeNull();
});

describe.each([4, 6] as const)('over IPv%d, without any address', (version) => {
  const host = () => ({ host: lab.address('server', version) });

  it('genuine servers pass', async () => {
    expect(await requestWithCurl(lab, 'client', requestTo(GENUINE12, host()))).toMatchObject({ error: null });
    await expectGenuine(version);
    expect(status().probe_source.bridge).toMatch(/^client: this host has no address/);
  });

  it('forged ones are found out', async () => {
    for (const [port, reason] of [
      [FORGED12, 'pin-mismatch'],
      [FORGED, 'probe-mismatch'],
    ] as const) {
      scene.begin();
      const outcome = await requestWithCurl(lab, 'client', requestTo(port, host()));
      expect(outcome.error).toMatch(/alert|bad certificate/);
      expect(await scene.verdict(port)).toMatchObject({ verdict: { action: 'tls-alert', reason } });
    }
  });
});

it('with an address of one family they have that of it, and take the bridge for the other', async () => {
  const [near, far] = ['192.0.2.0/24', '198.51.100.0/24'];
  await changed(
    `ip addr add 198.51.100.9/24 dev br0; ip route add ${near} dev br0`,
    'ip addr del 198.51.100.9/24 dev br0',
    async () => {
      lab.shell('server', `ip route replace ${far} dev left0`);
      await expectGenuine(4, '198.51.100.9');
      expect(status().probe_source.bridge).toBe('gateway');
      await expectGenuine(6);
    },
  );
  await expectGenuine(4);
});

it.each([1, 2])('where a host looks where packets come from (%i)', async (value) => {
  await changed(`sysctl -qw net.ipv4.conf.all.rp_filter=${value}`, 'sysctl -qw net.ipv4.conf.all.rp_filter=0', () =>
    expectGenuine(),
  );
});

it('marks of others, also the probes’ own, lead nothing astray', async () => {
  const rules = (verb: string) =>
    ['iptables', 'ip6tables']
      .flatMap((program) =>
        ['MARK', 'CONNMARK'].map(
          (target) => `${program} -t mangle ${verb} PREROUTING -p tcp -j ${target} --set-xmark ${MARK}`,
        ),
      )
      .join('; ');
  await changed(rules('-I'), rules('-D'), async () => {
    await expectGenuine(4);
    await expectGenuine(6);
  });
});

it('what somebody takes away of the way is put in place again', async () => {
  lab.shell(
    'gateway',
    'ip rule del pref 61; ip -6 rule del pref 62; ip route flush table 7469; ip -6 route flush table 7470; ip link set tlspin0 down',
  );
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  await expectGenuine(4);
  await expectGenuine(6);
});

it('where there is no way it is said, and not where none is needed', async () => {
  const set = (value: number) => `sysctl -qw net.bridge.bridge-nf-filter-vlan-tagged=${value}`;
  expect(conditions()).not.toContain('probe.unbridged');
  await changed(set(1), set(0), async () => {
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    scene.begin();
    const port = PORTS[used++]!;
    await requestWithCurl(lab, 'client', requestTo(port));
    expect(await scene.verdict(port)).toMatchObject({ verdict: { reason: 'probe-failed' } });
    expect(status().probe_source).toMatchObject({ bridge: expect.stringMatching(/^none: .*VLAN/), unbridged: 1 });
    await expect.poll(conditions, { timeout: 5_000 }).toContain('probe.unbridged');
  });
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  await expectGenuine();
});

it('rules that are taken away leave nothing behind', () => {
  lab.shell('gateway', lab.run('gateway', ...TLSPIN, 'rules', '--remove'));
  expect(lab.shell('gateway', 'ip rule; ip -6 rule; iptables-save; ip6tables-save')).not.toMatch(/tlspin/);
});
