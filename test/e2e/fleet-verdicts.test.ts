/**
 * A thousand decisions a second from each of three gateways, and what happens to them: a partition, a gateway that is
 * killed, a server that is lost, a reader that stops reading. None is lost, and none is read twice. The partition lasts
 * six seconds, or as many as TLSPIN_PARTITION says (30 in the long form).
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { Child } from '../../src/runtime/demo/child.ts';
import { TLSPIN } from '../support/lab/engine.ts';
import { Fleet } from '../support/lab/fleet.ts';
import { Lab } from '../support/lab/lab.ts';
import { lacks } from '../support/programs.ts';

const SECONDS = 5;
const A_SECOND = 1_000;
const PARTITION_MS = Number(process.env['TLSPIN_PARTITION'] ?? 6) * 1_000;
const HOSTS = ['gw1', 'server', 'gw2', 'gw3'];
const BUILT = new URL('../../dist/', import.meta.url).href;
const SOURCE = new URL('../support/peers/verdict-source.mjs', import.meta.url).pathname;

describe.skipIf(lacks('nats-server'))('decisions of a fleet', () => {
  it('all arrive, and are read once, whatever ends meanwhile', async () => {
    const reader = lab.start('server', [...verdicts('admin'), '--follow', '--since', '1h']);
    const followed = flowsOf(reader);
    const [first, second, third] = ['gw1', 'gw2', 'gw3'].map((host) => start(host, 1));
    await sleep(1_500);
    fleet.cutOff('gw2');
    await reader.until(({ output }) => output !== '', 'it reads', 30_000);
    process.kill(reader.pid!, 'SIGSTOP');
    await third!.says(/settled \d+\n.*settled/s, 30_000);
    await third!.stop('SIGKILL');
    const kept = Number(third!.output.trim().split(' ').at(-1));
    await fleet.stopBrokers(0);
    const again = start('gw3', SECONDS * A_SECOND + 1);
    await sleep(PARTITION_MS);
    fleet.heal('gw2');
    process.kill(reader.pid!, 'SIGCONT');
    for (const source of [first, second, again]) await source!.says(/shared, 0 lost/, 60_000);

    const asked = lab.start('server', verdicts('admin'));
    const all = flowsOf(asked);
    expect([await asked.ended, asked.errors]).toEqual([{ code: 0, signal: null }, '']);
    expect(all.doubles).toBe(0);
    expect(missing(all, 'gw1', 1, SECONDS * A_SECOND)).toBe(0);
    expect(missing(all, 'gw2', 1, SECONDS * A_SECOND)).toBe(0);
    expect(missing(all, 'gw3', 1, kept)).toBe(0);
    expect(missing(all, 'gw3', SECONDS * A_SECOND + 1, SECONDS * A_SECOND)).toBe(0);
    // Whoever has stopped reading for a while goes on where they were.
    await reader.until(() => followed.flows.size === all.flows.size, 'it had all', 60_000);
    expect(followed.doubles).toBe(0);
  }, 240_000);

  it('tell the console what other gateways have seen at a host, a few of the latest keys', () => {
    const script = `
      const { seenElsewhere } = await import('${BUILT}cli/web/elsewhere.js');
      const { readConfiguration } = await import('${BUILT}runtime/control/configuration/reading.js');
      const file = '${lab.path('admin.json')}';
      const seen = await seenElsewhere(file, readConfiguration(file).policy, 'www.bank.example');
      console.log(JSON.stringify(seen));
      process.exit(0);`;
    const seen = JSON.parse(lab.run('server', process.execPath, '--input-type=module', '--eval', script)) as object[];
    expect(seen).toHaveLength(50);
    for (const one of seen) {
      expect(one).toMatchObject({
        gateway: expect.stringMatching(/^gw[123]$/) as string,
        ...{ passed: 1, denied: 0, key: expect.stringMatching(/^spki-sha256:\d+b+$/) as string },
      });
    }
  }, 60_000);

  it('cannot be read without the key of the gateways', () => {
    fleet.configure('keyless', {});
    fleet.configure('other', {}, { key: 'other.key' });
    expect(fleet.run('verdicts', '-c', lab.path('keyless.json'))).toMatchObject({
      status: 1,
      text: expect.stringContaining('does not name "key"') as string,
    });
    const { text } = fleet.run('verdicts', '-c', lab.path('other.json'));
    expect(text).toMatch(/^tlspin fleet: the servers have something .* that no gateway has sealed with this key/);
    expect(text).not.toContain('bank');
  });
});

// ---- the stage ----

let lab: Lab;
let fleet: Fleet;

const verdicts = (file: string) => [...TLSPIN, 'fleet', 'verdicts', '--json', '-c', lab.path(`${file}.json`)];

function start(gateway: string, from: number): Child {
  const of = { gateway, from, count: SECONDS * A_SECOND, perSecond: A_SECOND, folder: lab.path(`spool-${gateway}`) };
  const at = { servers: fleet.servers, nkey: fleet.nkey, key: lab.path('fleet.key') };
  return lab.start(gateway, [process.execPath, SOURCE, JSON.stringify({ ...of, ...at })]);
}

interface Flows {
  /** `gw1 17`. */
  readonly flows: Set<string>;
  doubles: number;
}

/** What it prints from now on. */
function flowsOf(child: Child): Flows {
  const found: Flows = { flows: new Set(), doubles: 0 };
  child.onLine((line) => {
    const { gateway, flow_id: flow } = JSON.parse(line) as { gateway: string; flow_id: number };
    const name = `${gateway} ${flow}`;
    if (found.flows.has(name)) found.doubles++;
    found.flows.add(name);
  });
  return found;
}

function missing({ flows }: Flows, gateway: string, from: number, count: number): number {
  const wanted = Array.from({ length: count }, (_, index) => `${gateway} ${from + index}`);
  return wanted.filter((each) => !flows.has(each)).length;
}

beforeAll(async () => {
  if (lacks('nats-server')) return;
  lab = new Lab({ hosts: HOSTS });
  fleet = new Fleet(lab);
  lab.write('fleet.key', 'k'.repeat(64));
  lab.write('other.key', 'o'.repeat(64));
  fleet.configure('admin', {}, { key: 'fleet.key' });
  await fleet.startBrokers(0, 1, 2);
}, 60_000);

afterAll(() => lab?.close());
