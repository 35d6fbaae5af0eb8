/**
 * A failover pair under load: the gateway that has the address loses its power, the other one takes its place. What was
 * accepted goes on, what is new is decided about there, and nobody takes conntrackd's marks for somebody else's.
 */
import { readFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { Health } from '../../src/cli/health.ts';
import { createKeyFiles } from '../../src/minisign/keys.ts';
import { ControlClient } from '../../src/runtime/control/client.ts';
import type { Child } from '../../src/runtime/demo/child.ts';
import { type Bank, makeBank, NAME, pinset } from '../support/lab/bank.ts';
import { Lab } from '../support/lab/lab.ts';
import { Pair, PAIR_HOSTS, SERVER } from '../support/lab/pair.ts';
import { runOpensslClient, startOpensslServer } from '../support/lab/openssl.ts';
import { peer, requestWithNode, startTlsServer } from '../support/lab/peers.ts';
import { lacks } from '../support/programs.ts';

const ACCEPTED = 50;
const NEW = { perSecond: 20, seconds: 8 };

describe.skipIf(lacks('conntrackd', 'keepalived', 'nats-server'))('a failover pair', () => {
  it('breaks no accepted connection where one of the two is taken away', async () => {
    await expect.poll(() => accepted('gw2'), { timeout: 30_000 }).toBe(ACCEPTED);
    expect(await conditions('gw2')).not.toContain('marks.');
    expect(await session('-sess_out')).toMatchObject({ answered: true, resumed: false });
    const options = {
      host: SERVER,
      kinds: [{ kind: 'new', port: 443, servername: NAME, maxVersion: 'TLSv1.2' }],
      timeout: 20_000,
    };
    const load = lab.start('client', [process.execPath, peer('tls-load.mjs'), JSON.stringify({ ...options, ...NEW })]);
    await load.until(({ errors }) => errors.includes('half'), 'half of the new connections', 30_000);
    await pair.takeAway('gw1');
    await load.ended;
    const outcomes = JSON.parse(load.output) as { error: string | null; at: number }[];
    const broken = outcomes.filter(({ error }) => error !== null).length;
    echo.closeInput();
    await echo.says(/longest \d+/);
    const longest = Number(/longest (\d+)/.exec(echo.output)![1]);
    console.log(
      `of ${ACCEPTED} accepted connections ${echo.output.split('gone').length - 1} broke, and said nothing for ${longest} ms at the most; of ${outcomes.length} that began meanwhile ${broken} failed`,
    );
    expect(echo.output).toBe(`echo\nlongest ${longest}\n`);
    expect(longest).toBeLessThan(20_000);
    // Those of the last second have found the other gateway.
    expect(outcomes.slice(-NEW.perSecond).filter(({ error }) => error !== null)).toEqual([]);
    expect(await conditions('gw2')).not.toMatch(/marks\.|rules\./);
  }, 90_000);

  it('knows of the sessions that began by way of the other one', async () => {
    expect(await session('-sess_in')).toMatchObject({ answered: true, resumed: true });
    await expect
      .poll(() => readFileSync(lab.path('gw2.ndjson'), 'utf8'), { timeout: 10_000 })
      .toContain('"reason":"resumed-bound"');
  });

  it('has what is new decided about by the one that is left', async () => {
    await startTlsServer(lab, 'server', { identity: bank.forgedChain, port: 8443 });
    lab.shell('server', 'iptables -t nat -A PREROUTING -p tcp --dport 443 -j REDIRECT --to-ports 8443');
    const [refused] = await requestWithNode(lab, 'client', { host: SERVER, servername: NAME, ca: bank.ca });
    expect(refused!.error).not.toBeNull();
  });
});

// ---- the stage ----

let bank: Bank;
let lab: Lab;
let pair: Pair;
let echo: Child;

function session(...args: readonly string[]) {
  const suite = ['-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256', ...args, lab.path('session')];
  return runOpensslClient(lab, 'client', { address: SERVER, port: 8444, servername: NAME, args: suite });
}

/** Connections that its kernel has as accepted. */
function accepted(gateway: string): number {
  return Number(lab.shell(gateway, 'conntrack -L -p tcp --dport 9443 2>/dev/null | grep -vc mark=0 || true'));
}

async function conditions(gateway: string): Promise<string> {
  const client = await ControlClient.connect(lab.path(`${gateway}.sock`));
  try {
    const { health } = (await client.ask({ command: 'health' })) as unknown as { health: Health };
    return health.conditions.map(({ code, detail }) => `${code}: ${detail}`).join('\n');
  } finally {
    client.close();
  }
}

beforeAll(async () => {
  if (lacks('conntrackd', 'keepalived', 'nats-server')) return;
  bank = makeBank();
  lab = new Lab({ hosts: PAIR_HOSTS });
  pair = new Pair(lab);
  const nats = `listen: "0.0.0.0:4222"\njetstream { store_dir: "${lab.path('nats')}" }`;
  const broker = lab.start('server', ['nats-server', '-c', lab.write('nats.conf', nats)]);
  await broker.says(/Server is ready/, 30_000);
  lab.write('fleet.key', 'k'.repeat(64));
  const trustedKeys = [createKeyFiles().publicKey.line];
  for (const [gateway, other] of [
    ['gw1', 'gw2'],
    ['gw2', 'gw1'],
  ] as const) {
    // A session that is not known is denied.
    const pinsets = [pinset({ pins: [bank.pin], resumed: 'bound' })];
    const fleet = { name: 'office', gateway, servers: [`nats://${SERVER}:4222`], trustedKeys, key: 'fleet.key' };
    await pair.start(gateway, {
      ...{ pinsets, ports: [443, 8444, 9443], control: { socket: `${gateway}.sock` } },
      ...{ fleet: { ...fleet, spool: `spool-${gateway}` }, pair: { ...pair.section(gateway), gateway: other } },
    });
  }
  await startOpensslServer(lab, 'server', { identity: bank.genuineChain, port: 8444, args: ['-tls1_2'] });
  await startTlsServer(lab, 'server', { identity: bank.genuineChain });
  const { cert, key } = bank.genuineChain;
  const server = lab.start('server', [
    process.execPath,
    peer('echo-server.mjs'),
    JSON.stringify({ cert, key, port: 9443 }),
  ]);
  await server.says(/listening/);
  const options = { host: SERVER, port: 9443, servername: NAME, ca: bank.ca, maxVersion: 'TLSv1.2', count: ACCEPTED };
  echo = lab.start('client', [process.execPath, peer('echo-client.mjs'), JSON.stringify(options)]);
  await echo.says(/echo/, 30_000);
}, 120_000);

afterAll(async () => {
  await lab?.close();
  bank?.remove();
});
