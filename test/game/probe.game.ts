/**
 * The game: clients ask a server through a gateway whose probes ask it too; somebody at the server's side sees all packets,
 * and is to say which connection is the client's, of each two at a first contact, with a decoy too, and of one alone where the
 * server is known and asked again. What came of it goes into docs/evasions.md.
 */
import { beforeAll, expect, it } from 'vitest';

import { bank, lab, openFaces, openScene, requestTo, scene } from '../support/lab/bank-scene.ts';
import { goProgram } from '../support/lab/go.ts';
import { lacks } from '../support/programs.ts';
import { accuracyOf, ALONE, LEAVING, type Looks, type Pair, PAIRED } from './attacker.ts';
import { connectionsOf, type Seen } from './connections.ts';
import { type Score, writePage } from './page.ts';
import { leavers, type Loop, loops } from './players.ts';

const { pairs: wanted = '250', clients } = JSON.parse(process.env['GAME'] ?? '{}') as {
  pairs?: string;
  clients?: string;
};
/** One after the other, so that a packet thread remembers of none what it showed. */
const PORTS = Array.from({ length: 64 }, (_, at) => 4_000 + at);

beforeAll(async () => {
  const config = (probe: object) => ({ ...bank.config, ports: PORTS, probe: { ...LIMITS, source: 'auto', ...probe } });
  // What is remembered of a server would be no first contact.
  await openScene(() => config({ recheck: 0, ttl: 0 }));
  const write = (name: string, probe: object) =>
    lab.write(`${name}.json`, JSON.stringify({ version: 1, ...config(probe) }));
  write('accompanied', { recheck: 0, ttl: 0, source: 'client', decoys: 1 });
  write('again', { recheck: 1 });
  lab.withoutOffload('client', 'gateway', 'server');
  const genuine = { ...bank.genuineChain, body: 2_000 };
  await openFaces(Object.fromEntries(PORTS.map((port) => [port, [genuine]])));
  // Which way probes go is known with the second look at the rules.
  await new Promise((resolve) => setTimeout(resolve, 6_000));
});

it('is played', { timeout: 3_600_000 }, async () => {
  const players = chosen(loops({ goProgram, lacks }));
  const contacts = async (all: readonly (readonly [string, Loop])[], looks: Looks) => {
    const scores: Score[] = [];
    for (const [name, loop] of all) scores.push(scoreOf(name, looks, firstContacts(await seenOf(loop, PORTS))));
    return scores;
  };
  const first = await contacts(players, PAIRED);
  const leaving = await contacts(chosen(leavers()), LEAVING);
  await reload('accompanied');
  const accompanied = await contacts(players, PAIRED);
  await reload('again');
  const again: Score[] = [];
  for (const [name, loop] of players)
    again.push(scoreOf(name, ALONE, rechecks(await seenOf(loop, PORTS.slice(0, KNOWN), SYSTEMS.slice(1)))));
  if (clients === undefined) writePage({ first, accompanied, again, leaving });
  expect([...first, ...accompanied, ...leaving].filter(({ pairs }) => pairs < Number(wanted) / 2)).toEqual([]);
});

function chosen(all: Readonly<Record<string, Loop>>): [string, Loop][] {
  return Object.entries(all).filter(([name]) => clients === undefined || new RegExp(`^(${clients})$`).test(name));
}

async function reload(name: string): Promise<void> {
  lab.shell('gateway', `cp ${lab.path(`${name}.json`)} ${scene.engine.config}`);
  process.kill(scene.engine.child.pid!, 'SIGHUP');
  await new Promise((resolve) => setTimeout(resolve, 3_000));
}

interface SeenOfAll {
  readonly clients: readonly Seen[];
  readonly probes: readonly Seen[];
}

/** What a client's round of visits has left on the wire. The log says which connections were the client's. */
async function seenOf(loop: Loop, ports: readonly number[], systems = SYSTEMS): Promise<SeenOfAll> {
  const sniffer = lab.start('server', ['python3', SNIFFER, 'left0']);
  await sniffer.says(/listening/);
  for (const system of systems) {
    lab.shell('client', system.map((setting) => `sysctl -qw ${setting}`).join('; '));
    await loop(lab, Math.ceil(Number(wanted) / systems.length), ports, requestTo(0));
  }
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  await sniffer.stop();
  const all = connectionsOf(sniffer.output.split('\n'), (port) => PORTS.includes(port));
  const known = new Set(scene.engine.verdicts.map(({ src_port, dest_port }) => `${src_port} ${dest_port}`));
  const isClient = ({ port, serverPort }: Seen) => known.has(`${port} ${serverPort}`);
  return { clients: all.filter(isClient), probes: all.filter((seen) => !isClient(seen)) };
}

function firstContacts({ clients, probes }: SeenOfAll): Pair[] {
  const left = new Set(probes);
  return clients.flatMap((client): Pair[] => {
    const probe = [...left].find(
      ({ serverPort, times }) =>
        serverPort === client.serverPort && Math.abs(times.syn - client.times.syn) < AT_ONCE_MS,
    );
    if (probe === undefined) return [];
    left.delete(probe);
    return [[client, probe]];
  });
}

/** Each with a connection of the client's at another time, since nobody says which ones belong together. */
function rechecks({ clients, probes }: SeenOfAll): Pair[] {
  const isAlone = ({ serverPort, times }: Seen) =>
    !probes.some((probe) => probe.serverPort === serverPort && Math.abs(probe.times.syn - times.syn) < HELD_MS);
  const unheld = clients.filter(isAlone);
  return probes.slice(0, unheld.length).map((probe, at): Pair => [unheld[at]!, probe]);
}

function scoreOf(name: string, looks: Looks, pairs: readonly Pair[]): Score {
  const accuracies = Object.fromEntries(Object.entries(looks).map(([what, look]) => [what, accuracyOf(look, pairs)]));
  console.log(name, pairs.length, accuracies);
  return { name, pairs: pairs.length, accuracies };
}

const LIMITS = { perDestination: 6_000, perClient: 6_000 };
/** Of the client: as the gateway's, and another. */
const SYSTEMS = [
  ['timestamps=1', 'ecn=2', 'rmem="4096 131072 6291456"'].map((setting) => `net.ipv4.tcp_${setting}`),
  ['timestamps=0', 'ecn=1', 'rmem="4096 70000 500000"'].map((setting) => `net.ipv4.tcp_${setting}`),
].map((settings, at) => [...settings, `net.ipv4.ip_default_ttl=${64 * (at + 1)}`]);
const SNIFFER = new URL('../support/peers/sniffer.py', import.meta.url).pathname;
/** Servers that are visited again and again. */
const KNOWN = 16;
const AT_ONCE_MS = 1_000;
/** A connection this close to a probe may have waited for it. */
const HELD_MS = 100;
