/**
 * The game: clients ask a server through a gateway whose probes ask it too; somebody at the server's side sees all packets,
 * and is to say which connection is the client's, of each two at a first contact, with decoys too, and of one alone where the
 * server is known and asked again. What came of it goes into docs/evasions.md.
 */
import { appendFileSync } from 'node:fs';

import { beforeAll, expect, it } from 'vitest';

import { bank, lab, openFaces, openScene, requestTo, scene } from '../support/lab/bank-scene.ts';
import { goProgram } from '../support/lab/go.ts';
import { spoil } from '../support/lab/spoiling-wire.ts';
import { lacks } from '../support/programs.ts';
import { accuracyOf, ALONE, type Company, guessesOf, LEAVING, type Looks, type Pair, PAIRED } from './attacker.ts';
import { connectionsOf, type Seen } from './connections.ts';
import { type Score, writeTable } from './page.ts';
import { leavers, type Loop, loops } from './players.ts';

const {
  pairs: wanted = '250',
  clients,
  tables,
  ways = false,
  keep,
} = JSON.parse(process.env['GAME'] ?? '{}') as {
  pairs?: string;
  clients?: string;
  tables?: string;
  ways?: boolean;
  keep?: string;
};
/** One after the other, so that a packet thread remembers of none what it showed. */
const PORTS = Array.from({ length: 64 }, (_, at) => 4_000 + at);
const BETWEEN = ['near', 'far'] as const;
/** Microseconds, one way, on either side of the gateway. */
const WAY = { delay: 5_000, jitter: 1_000 };
const WAY_NAME = 'ways of 5 ± 1 ms';

beforeAll(async () => {
  const config = (probe: object) => ({ ...bank.config, ports: PORTS, probe: { ...LIMITS, source: 'auto', ...probe } });
  const hosts = ['client', BETWEEN[0], 'gateway', BETWEEN[1], 'server'];
  // What is remembered of a server would be no first contact.
  await openScene(() => config({ recheck: 0, ttl: 0 }), ways ? { hosts } : {});
  const write = (name: string, probe: object) =>
    lab.write(`${name}.json`, JSON.stringify({ version: 1, ...config(probe) }));
  write('first', { recheck: 0, ttl: 0 });
  for (const decoys of [1, ...MORE_DECOYS]) write(`decoys-${decoys}`, { recheck: 0, ttl: 0, source: 'client', decoys });
  write('again', { recheck: 1 });
  lab.withoutOffload(...(ways ? hosts : ['client', 'gateway', 'server']));
  if (ways) {
    await spoil(lab, BETWEEN[0], ['client', 'gateway'], WAY, 1);
    await spoil(lab, BETWEEN[1], ['gateway', 'server'], WAY, 2);
  }
  const genuine = { ...bank.genuineChain, body: 2_000 };
  await openFaces(Object.fromEntries(PORTS.map((port) => [port, [genuine]])));
  // Which way probes go is known with the second look at the rules.
  await new Promise((resolve) => setTimeout(resolve, 6_000));
});

/** What is played, by the name of its table; those that are not for the page have no title. */
const TABLES: Readonly<Record<string, () => Promise<readonly Score[]>>> = {
  first: () => contacts('first', players(), PAIRED),
  leaving: () => contacts('first', chosen(leavers()), LEAVING),
  accompanied: () => contacts('decoys-1', players(), PAIRED),
  again: async () => {
    await reload('again');
    return scored(players(), async (loop) => {
      const pairs = rechecks(await seenOf(loop, PORTS.slice(0, KNOWN), SYSTEMS.slice(1), RECHECKED_MS));
      return { pairs, accuracies: accuraciesOf(ALONE, pairs) };
    });
  },
  choosing: async () => {
    const scores: Score[] = [];
    for (const decoys of MORE_DECOYS) {
      await reload(`decoys-${decoys}`);
      const players = Object.entries(loops({ goProgram, lacks })).filter(([name]) => CHOOSERS.has(name));
      const all = await scored(players, async (loop) => {
        const pairs = companies(await seenOf(loop, PORTS), decoys);
        const looks = { 'all but time': PAIRED['all of these']!, 'time too': PAIRED['all of these, time too']! };
        const guesses = Object.entries(looks).map(([what, look]) => [what, guessesOf(look, pairs)]);
        return { pairs, accuracies: { 'a coin': 1 / (decoys + 1), ...Object.fromEntries(guesses) } as Accuracies };
      });
      scores.push(...all.map((score) => ({ ...score, name: `${decoys} decoys, ${score.name}` })));
    }
    return scores;
  },
};
const TITLES: Readonly<Record<string, string>> = {
  first: 'At a first contact',
  leaving: 'Where the client goes away without asking',
  accompanied: 'At a first contact, with `"decoys": 1`',
  again: 'Where the server is asked again',
  choosing: 'Who is named of so many',
};

for (const [name, play] of Object.entries(TABLES)) {
  const isPlayed = tables === undefined || new RegExp(`^(${tables})$`).test(name);
  it.runIf(isPlayed)(`${name} is played`, { timeout: 3_600_000 }, async () => {
    const scores = await play();
    const title = ways ? `${TITLES[name]!}, ${WAY_NAME}` : TITLES[name]!;
    if (clients === undefined) writeTable(ways ? `${name}, ways` : name, title, scores);
    if (name !== 'again') expect(scores.filter(({ pairs }) => pairs < Number(wanted) / 2)).toEqual([]);
  });
}

type Accuracies = Readonly<Record<string, number>>;
type Players = readonly (readonly [string, Loop])[];

function players(): Players {
  return chosen(loops({ goProgram, lacks }));
}

function chosen(all: Readonly<Record<string, Loop>>): Players {
  return Object.entries(all).filter(([name]) => clients === undefined || new RegExp(`^(${clients})$`).test(name));
}

async function contacts(config: string, all: Players, looks: Looks): Promise<Score[]> {
  await reload(config);
  return scored(all, async (loop) => {
    const pairs = companies(await seenOf(loop, PORTS), 1) as Pair[];
    return { pairs, accuracies: accuraciesOf(looks, pairs) };
  });
}

function accuraciesOf(looks: Looks, pairs: readonly Pair[]): Accuracies {
  return Object.fromEntries(Object.entries(looks).map(([what, look]) => [what, accuracyOf(look, pairs)]));
}

async function scored(
  all: Players,
  play: (loop: Loop) => Promise<{ pairs: readonly Company[]; accuracies: Accuracies }>,
): Promise<Score[]> {
  const scores: Score[] = [];
  for (const [name, loop] of all) {
    const { pairs, accuracies } = await play(loop);
    console.log(name, pairs.length, accuracies);
    if (keep !== undefined) appendFileSync(keep, `${JSON.stringify({ name, pairs })}\n`);
    scores.push({ name, pairs: pairs.length, accuracies });
  }
  return scores;
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
async function seenOf(loop: Loop, ports: readonly number[], systems = SYSTEMS, behind = 3_000): Promise<SeenOfAll> {
  const sniffer = lab.start('server', ['python3', SNIFFER, 'left0']);
  await sniffer.says(/listening/);
  for (const system of systems) {
    lab.shell('client', system.map((setting) => `sysctl -qw ${setting}`).join('; '));
    await loop(lab, Math.ceil(Number(wanted) / systems.length), ports, requestTo(0));
  }
  await new Promise((resolve) => setTimeout(resolve, behind));
  await sniffer.stop();
  const all = connectionsOf(sniffer.output.split('\n'), (port) => PORTS.includes(port));
  const known = new Set(scene.engine.verdicts.map(({ src_port, dest_port }) => `${src_port} ${dest_port}`));
  const isClient = ({ port, serverPort }: Seen) => known.has(`${port} ${serverPort}`);
  return { clients: all.filter(isClient), probes: all.filter((seen) => !isClient(seen)) };
}

/** Each client's connection with as many others as were begun for it. */
function companies({ clients, probes }: SeenOfAll, size: number): Company[] {
  const left = new Set(probes);
  return clients.flatMap((client): Company[] => {
    const beside = ({ serverPort, times }: Seen) =>
      serverPort === client.serverPort && Math.abs(times.syn - client.times.syn) < AT_ONCE_MS;
    const others = [...left].filter(beside).slice(0, size);
    if (others.length < size) return [];
    for (const other of others) left.delete(other);
    return [[client, ...others]];
  });
}

/** Each with a connection of the client's at another time, since nobody says which ones belong together. */
function rechecks({ clients, probes }: SeenOfAll): Pair[] {
  const isAlone = ({ serverPort, times }: Seen) =>
    !probes.some((probe) => probe.serverPort === serverPort && Math.abs(probe.times.syn - times.syn) < HELD_MS);
  const unheld = clients.filter(isAlone);
  // Where a client waited for it, it was no recheck.
  const isAwaited = ({ serverPort, times: { syn } }: Seen) =>
    clients.some(({ serverPort: to, times }) => to === serverPort && times.syn < syn && syn < times.hello);
  const unawaited = probes.filter((probe) => !isAwaited(probe));
  return unawaited.slice(0, unheld.length).map((probe, at): Pair => [unheld[at]!, probe]);
}

const LIMITS = { perDestination: 6_000, perClient: 6_000 };
const MORE_DECOYS = [2, 3];
/** Who plays where there are more. */
const CHOOSERS = new Set(['curl', 'openssl']);
/** Of the client: as the gateway's, and another. */
const SYSTEMS = [
  ['timestamps=1', 'ecn=2', 'rmem="4096 131072 6291456"'].map((setting) => `net.ipv4.tcp_${setting}`),
  ['timestamps=0', 'ecn=1', 'rmem="4096 70000 500000"'].map((setting) => `net.ipv4.tcp_${setting}`),
].map((settings, at) => [...settings, `net.ipv4.ip_default_ttl=${64 * (at + 1)}`]);
const SNIFFER = new URL('../support/peers/sniffer.py', import.meta.url).pathname;
/** Servers that are visited again and again. */
const KNOWN = 16;
const AT_ONCE_MS = 1_000;
/** By then the last of them has been asked again. */
const RECHECKED_MS = 23_000;
/** A connection this close to a probe may have waited for it. */
const HELD_MS = 100;
