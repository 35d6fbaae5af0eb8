/**
 * A server that opens towards its client's port, with Linux's own TCP as the client, which takes that for the answer to
 * its SYN (RFC 9293 §3.5). Were the server taken for the client, nothing that it shows would be looked at.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Bank, makeBank, NAME } from '../support/lab/bank.ts';
import { Engine } from '../support/lab/engine.ts';
import { Lab } from '../support/lab/lab.ts';
import { TcpClient } from '../support/lab/peers.ts';
import { RawServer } from '../support/lab/raw-server.ts';
import { pause } from '../support/lab/wire.ts';
import { clientHello } from '../support/tls-bytes.ts';

const hello = clientHello(NAME);
const LOCAL_PORT = 40_000;

let bank: Bank;
beforeAll(() => {
  bank = makeBank();
});
afterAll(() => bank.remove());

interface Experiment {
  readonly version: 4 | 6;
  /** Null: no engine. */
  readonly ports: readonly (number | string)[] | null;
  /** Where the engine is, and by which rules. */
  readonly hook?: 'forward' | 'local';
  /** What the client's own SYN does. */
  readonly ownSyn: 'is lost' | 'comes by';
}

/** What the server hears of a client that connects to it, while it opens towards the client. */
async function cross({ version, ports, hook = 'forward', ownSyn }: Experiment) {
  const lab = new Lab();
  try {
    lab.withoutOffload('client', 'server');
    const host = hook === 'local' ? 'client' : 'gateway';
    const config = { ...bank.config, ports };
    const engine = ports === null ? null : await Engine.start(lab, { config, host, rules: ['--hook', hook] });
    const lose = '-t raw -A OUTPUT -p tcp --dport 443 --tcp-flags SYN,ACK SYN -j DROP';
    if (ownSyn === 'is lost') lab.shell('client', `iptables ${lose}; ip6tables ${lose}`);
    const server = await RawServer.start(lab, 'server', { handshake: false });
    const [from, to] = [lab.address('server', version), lab.address('client', version)];
    const call = (): void => server.call([to, LOCAL_PORT], from);
    call();
    await pause(100);
    const client = new TcpClient(lab, 'client', { host: from, localPort: LOCAL_PORT, send: hello, timeout: 4_000 });
    for (let times = 0; times < 20; times++) {
      await pause(150);
      call();
    }
    await client.outcome();
    return { heard: server.stream, verdicts: engine?.verdicts ?? [] };
  } finally {
    await lab.close();
  }
}

it.each([4, 6] as const)(
  'over IPv%d the laboratory’s client takes it, where no engine is in the way',
  async (version) => {
    expect((await cross({ version, ports: null, ownSyn: 'is lost' })).heard).toEqual(hello);
  },
);

describe.each([
  ['the server’s port alone', [443]],
  ['every port', ['1-65535']],
])('where %s is looked at', (_, ports) => {
  it.each([
    { version: 4, hook: 'forward' },
    { version: 6, hook: 'forward' },
    { version: 4, hook: 'local' },
    { version: 6, hook: 'local' },
  ] as const)('a client whose SYN is lost says nothing to it: IPv$version, $hook', async (how) => {
    const { heard, verdicts } = await cross({ ...how, ports, ownSyn: 'is lost' });
    expect(heard.length).toBe(0);
    expect(verdicts.map(({ verdict }) => verdict)).toMatchObject([{ action: 'drop', reason: 'parse-error' }]);
  });

  it.each([
    { version: 4, hook: 'forward' },
    { version: 6, hook: 'forward' },
    { version: 4, hook: 'local' },
    { version: 6, hook: 'local' },
  ] as const)('nor one whose SYN comes by: IPv$version, $hook', async (how) => {
    expect((await cross({ ...how, ports, ownSyn: 'comes by' })).heard.length).toBe(0);
  });
});

interface NatExperiment {
  readonly version: 4 | 6;
  readonly ports: readonly (number | string)[] | null;
  /** The engine is another one by the time that the server opens: what is left of the client's SYN is conntrack's. */
  readonly isForgotten?: boolean;
}

/** The same through a gateway that hides its clients behind its own address, and lets in only what they began. */
async function crossNat({ version, ports, isForgotten = false }: NatExperiment) {
  const lab = new Lab();
  try {
    lab.withoutOffload('client', 'server');
    const iptables = version === 4 ? 'iptables' : 'ip6tables';
    lab.shell(
      'gateway',
      `${iptables} -t nat -A POSTROUTING -o right0 -p tcp -j MASQUERADE
      ${iptables} -A FORWARD -p tcp -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
      ${iptables} -A FORWARD -p tcp ! -i left0 -j DROP`,
    );
    const engine = ports === null ? null : await Engine.start(lab, { config: { ...bank.config, ports } });
    const server = await RawServer.start(lab, 'server', { handshake: false });
    const from = lab.address('server', version);
    const client = new TcpClient(lab, 'client', { host: from, localPort: LOCAL_PORT, send: hello, timeout: 6_000 });
    await server.until((heard) => heard.some(({ flags }) => flags === 'S'), 'a SYN');
    const { client: hidden } = server.heard[0]!;
    // None is repeated: what was forgotten stays so.
    lab.shell('client', `${iptables} -t raw -A OUTPUT -p tcp --dport 443 --tcp-flags SYN,ACK SYN -j DROP`);
    if (isForgotten) {
      await engine!.kill();
      await engine!.run();
    }
    for (let times = 0; times < 20; times++) {
      server.call(hidden, from);
      await pause(150);
    }
    await client.outcome();
    return { hidden: hidden[0], heard: server.stream };
  } finally {
    await lab.close();
  }
}

describe.each([4, 6] as const)('behind MASQUERADE and a stateful filter, over IPv%d', (version) => {
  it('the client takes it, where no engine is in the way', async () => {
    const { hidden, heard } = await crossNat({ version, ports: null });
    expect(hidden).toMatch(version === 4 ? /^198\.51\.100\.1$/ : /^2001:db8:2::1$/);
    expect(heard).toEqual(hello);
  });

  it.each([
    { ports: [443], isForgotten: false },
    { ports: [443], isForgotten: true },
    { ports: ['1-65535'], isForgotten: false },
    { ports: ['1-65535'], isForgotten: true },
  ])('a client says nothing to it: $ports are looked at, its SYN forgotten: $isForgotten', async (how) => {
    expect((await crossNat({ version, ...how })).heard.length).toBe(0);
  });
});
