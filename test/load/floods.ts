/** What is poured over the engine, one kind after the other. Each knows how it is made, and nothing of what comes of it. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

import { NAME } from '../support/lab/bank.ts';
import { peer } from '../support/lab/peers.ts';
import { floodWithSegments } from '../support/lab/segment-flood.ts';
import { KINDS, VERSIONS } from '../support/lab/visitors.ts';
import { clientHello } from '../support/tls-bytes.ts';
import { FLOOD_PORTS, type Field } from './field.ts';

export interface Flood {
  readonly name: string;
  readonly what: string;
  /** A share of it, from 0 to 1. Resolves to how much there was, when it is over. */
  pour(field: Field, share: number): Promise<string>;
}

export const FLOODS: readonly Flood[] = [
  {
    name: 'syn',
    what: '300,000 SYNs of hosts that do not exist',
    pour: (field, share) => segments(field, 'syn', 300_000 * share),
  },
  {
    name: 'ahead',
    what: '100,000 segments out of order, of connections without a server',
    pour: (field, share) => segments(field, 'ahead', 100_000 * share),
  },
  {
    name: 'half',
    what: '20,000 handshakes that stop in the middle of a Certificate',
    pour: (field, share) => handshakes(field, 'half', 20_000 * share),
  },
  {
    name: 'another',
    what: '20,000 handshakes with another forged certificate each',
    pour: (field, share) => handshakes(field, 'another', 20_000 * share),
  },
  {
    name: 'long-lived',
    what: '5,000 connections that stay',
    pour: async ({ visitors }, share) => {
      const count = Math.ceil((5_000 * share) / AT_ONCE);
      let opened = 0;
      const honest = KINDS.filter((kind) => kind !== 'forged');
      for (let round = 0; round < count; round++) {
        const one = (at: number) => ({ kind: honest[at % 2]!, version: VERSIONS[(at >> 1) % 2]!, timeout: 20_000 });
        const all = Array.from({ length: AT_ONCE }, (_, at) => visitors.open(one(at)).then(() => opened++));
        await Promise.allSettled(all);
      }
      return `${opened} of ${count * AT_ONCE} opened`;
    },
  },
  {
    name: 'control',
    what: '1,000 clients of the control socket that speak nonsense',
    pour: async (field, share) => {
      const sockets = Array.from({ length: 1_000 * share }, (_, at) => nonsense(field.control, at));
      await new Promise((resolve) => setTimeout(resolve, 8_000));
      for (const socket of sockets) socket.destroy();
      return `${sockets.length} clients`;
    },
  },
];

function segments({ lab }: Field, kind: 'syn' | 'ahead', count: number): Promise<string> {
  return floodWithSegments(lab, { kind, port: FLOOD_PORTS[0], count: Math.ceil(count), rate: 15_000 });
}

/** Half of them at each of two servers: nobody has that many descriptors. */
async function handshakes(field: Field, does: 'half' | 'another', count: number): Promise<string> {
  const { lab, bank } = field;
  const certificate = new X509Certificate(readFileSync(bank.forged.cert)).raw.toString('base64');
  const run = (host: string, argument: object): ReturnType<typeof lab.start> =>
    lab.start(host, [process.execPath, peer('tls-flood.mjs'), JSON.stringify(argument)]);
  const servers = FLOOD_PORTS.map((listen) => run('server', { listen, certificate, does }));
  await Promise.all(servers.map((server) => server.says(/listening/, 60_000)));
  const flood = { host: lab.address('server'), hello: clientHello(NAME).toString('hex'), rate: 500, stay: 12_000 };
  const clients = FLOOD_PORTS.map((port) => run('client', { ...flood, port, count: Math.ceil(count / 2) }));
  await Promise.all(clients.map((client) => client.says(/connected/, 600_000)));
  await Promise.all([...servers, ...clients].map((child) => child.stop('SIGKILL')));
  return clients.map((client) => client.output.trim()).join(', ');
}

function nonsense(path: string, at: number) {
  const words = ['\x00\xff garbage{{{\n'.repeat(20), '{"command":"flows"}\n'.repeat(50), 'x'.repeat(3_000)][at % 3]!;
  const socket = connect(path, () => socket.write(words));
  return socket.on('error', () => {});
}

const AT_ONCE = 20;
