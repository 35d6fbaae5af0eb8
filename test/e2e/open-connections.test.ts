/**
 * Connections that are open while something else changes: the rules are put in place, the engine is started again,
 * conntrack forgets. They go on, or both ends are told at once; none hangs.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { Child } from '../../src/runtime/demo/child.ts';
import { makeBank, NAME } from '../support/lab/bank.ts';
import type { Bank } from '../support/lab/bank.ts';
import { connmarks, Engine } from '../support/lab/engine.ts';
import { Lab } from '../support/lab/lab.ts';
import { CONNMARK_DEFAULTS as MARK } from '../../src/pins/compile/connmark.ts';

let bank: Bank;
beforeAll(() => {
  bank = makeBank();
});
afterAll(() => bank.remove());

let lab: Lab;
beforeEach(() => {
  lab = new Lab();
});
afterEach(() => lab.close());

const config = () => ({ ...bank.config, ports: [22, 443] });

/** Says what it receives, and its end; each line of its input is sent. `tls`, `upgrade`: HTTPS, and what it may become. */
const PEER = `
const { bank, ca, server, host, port, kind } = JSON.parse(process.argv[1]);
const [net, tls, https] = ['net', 'tls', 'https'].map((name) => require('node:' + name));
const use = (socket) => {
  socket.setNoDelay(true);
  socket.on('data', (data) => console.log('heard ' + data.toString().trim()));
  socket.on('error', (error) => console.log('gone ' + error.code)).on('end', () => console.log('gone'));
  process.stdin.on('data', (text) => socket.write(text));
  console.log('open');
};
const pem = bank && { cert: require('fs').readFileSync(bank.cert), key: require('fs').readFileSync(bank.key) };
if (server) {
  const listening = () => console.log('listening');
  if (kind === 'ssh') net.createServer((s) => { s.write('SSH-2.0-lab\\r\\n'); use(s); }).listen(port, '::', listening);
  if (kind === 'websocket') https.createServer(pem).on('upgrade', (_, s) => { s.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\n'); use(s); }).listen(port, '::', listening);
  if (kind === 'https') Object.assign(https.createServer(pem, (_, r) => r.end('page')), { keepAliveTimeout: 60_000 }).listen(port, '::', listening);
} else if (kind === 'ssh') {
  use(net.connect(port, host));
} else {
  const options = { host, port, servername: '${NAME}', ca: ca && require('fs').readFileSync(ca), agent: new https.Agent({ keepAlive: true, maxSockets: 1 }) };
  if (kind === 'websocket') {
    const request = https.request({ ...options, headers: { Connection: 'Upgrade', Upgrade: 'websocket' } });
    request.on('upgrade', (_, s) => use(s)).on('error', (error) => console.log('gone ' + error.code)).end();
  } else {
    const get = () => https.get(options, (r) => r.on('data', (d) => console.log('heard ' + d + ' ' + r.socket.localPort))).on('error', (error) => console.log('gone ' + error.code));
    process.stdin.on('data', get);
    get();
    console.log('open');
  }
}`;

interface Peers {
  readonly client: Child;
  readonly server: Child;
}

type Kind = 'ssh' | 'https' | 'websocket';

async function connect(kind: Kind, version: 4 | 6 = 4): Promise<Peers> {
  const about = {
    kind,
    port: kind === 'ssh' ? 22 : kind === 'https' ? 443 : 8443,
    bank: bank.genuineChain,
    ca: bank.ca,
  };
  const peer = (host: string, more: object): Child =>
    lab.start(host, [process.execPath, '-e', PEER, JSON.stringify({ ...about, ...more })]);
  const server = peer('server', { server: true });
  await server.says(/listening/);
  const client = peer('client', { host: lab.address('server', version) });
  await client.says(kind === 'https' ? /heard page/ : /open/);
  if (kind !== 'https') await server.says(/open/);
  return { client, server };
}

describe('going live', () => {
  const track = () =>
    lab.shell(
      'gateway',
      'iptables -A FORWARD -m conntrack --ctstate NEW; ip6tables -A FORWARD -m conntrack --ctstate NEW',
    );

  it.each([4, 6] as const)('cuts nothing that is open: ssh, HTTPS, WebSocket (IPv%d)', async (version) => {
    track();
    const ssh = await connect('ssh', version);
    const https = await connect('https', version);
    const socket = await connect('websocket', version);
    await Engine.start(lab, { config: { ...config(), ports: [22, 443, 8443] } });
    for (const [index, { client, server }] of [ssh, socket].entries()) {
      client.write(`question ${index}\n`);
      await server.says(new RegExp(`heard question ${index}`));
      server.write(`answer ${index}\n`);
      await client.says(new RegExp(`heard answer ${index}`));
    }
    https.client.write('again\n');
    const [first, second] = await https.client
      .until(() => https.client.output.match(/heard page/g)?.length === 2, 'a second page')
      .then(() => [...https.client.output.matchAll(/heard page (\d+)/g)].map(([, port]) => port));
    expect(second).toBe(first);
    expect(connmarks(lab, 'gateway', { port: 22 })).toEqual([MARK.accept]);
  });

  it('leaves them to "midstream" where that is asked for, and both ends are told', async () => {
    track();
    const { client, server } = await connect('ssh');
    await Engine.start(lab, { config: config(), rules: ['--established', 'midstream'] });
    client.write('question\n');
    await Promise.all([client.says(/gone ECONNRESET/), server.says(/gone ECONNRESET/)]);
    expect(server.output).not.toContain('question');
  });

  it('spares nothing when rules that are in force are applied again', async () => {
    const engine = await Engine.start(lab, { config: config() });
    const { client } = await connect('ssh');
    expect(connmarks(lab, 'gateway', { port: 22 })).toEqual([MARK.pending]);
    engine.applyRules();
    expect(connmarks(lab, 'gateway', { port: 22 })).toEqual([MARK.pending]);
    client.write('question\n');
  });
});

describe('a connection that the engine does not know', () => {
  it.each([
    ['it was started again, and the client speaks', 4, 'client'],
    ['it was started again, and the server speaks', 6, 'server'],
  ] as const)('is told of to both ends: %s (IPv%d)', async (_, version, first) => {
    const engine = await Engine.start(lab, { config: config() });
    const peers = await connect('ssh', version);
    await engine.kill();
    await engine.run();
    peers[first].write('question\n');
    await Promise.all([peers.client.says(/gone ECONNRESET/), peers.server.says(/gone ECONNRESET/)]);
  });

  it.each([4, 6] as const)('is told of to both ends: conntrack has forgotten it (IPv%d)', async (version) => {
    const engine = await Engine.start(lab, { config: config() });
    const { client, server } = await connect('ssh', version);
    await engine.kill();
    lab.shell('gateway', 'conntrack -F 2>/dev/null');
    await engine.run();
    client.write('question\n');
    await Promise.all([client.says(/gone ECONNRESET/), server.says(/gone ECONNRESET/)]);
    expect((await engine.logged(1))[0]).toMatchObject({ verdict: { action: 'reset', reason: 'midstream' } });
  });
});
