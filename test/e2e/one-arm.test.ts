/**
 * A gateway with one interface for both sides: whoever is on the same link can send what has the client's address, and
 * only the address on the link tells it from the client's.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { type Bank, makeBank, NAME } from '../support/lab/bank.ts';
import { connmarks, Engine } from '../support/lab/engine.ts';
import type { Lab } from '../support/lab/lab.ts';
import { oneArmedLab } from '../support/lab/one-arm.ts';
import { TcpClient } from '../support/lab/peers.ts';
import { RawServer } from '../support/lab/raw-server.ts';
import { pause, SETTLED } from '../support/lab/wire.ts';
import { clientHello, serverFlight } from '../support/tls-bytes.ts';

const hello = clientHello(NAME);
const ACCEPT = 0x1000000;
/** The hop limit of what dies between gateway and client. */
const DIES = 50;

let bank: Bank;
let genuine: Buffer;
let forged: Buffer;
let lab: Lab;
let engine: Engine;
let server: RawServer;
let logged: number;

beforeAll(async () => {
  bank = makeBank();
  genuine = serverFlight(bank.genuine.cert);
  forged = serverFlight(bank.forged.cert);
  lab = oneArmedLab();
  lab.withoutOffload('client', 'server');
  lab.shell(
    'client',
    `iptables -t raw -A PREROUTING -p tcp -m ttl --ttl-eq ${DIES - 1} -j DROP
    ip6tables -t raw -A PREROUTING -p tcp -m hl --hl-eq ${DIES - 1} -j DROP`,
  );
  engine = await Engine.start(lab, { config: bank.config });
  server = await RawServer.start(lab, 'server');
});
beforeEach(() => {
  server.forget();
  logged = engine.verdicts.length;
});
afterAll(async () => {
  await lab.close();
  bank.remove();
});

async function greet(version: 4 | 6): Promise<TcpClient> {
  const client = new TcpClient(lab, 'client', { host: lab.address('server', version), send: hello, wait: 1_500 });
  await server.received(hello.length);
  return client;
}

const mark = (): number =>
  (connmarks(lab, 'gateway', { clientPort: server.heard.at(-1)!.client[1] })[0] ?? 0) & 0x3000000;

describe.each([4, 6] as const)('over IPv%d and one arm', (version) => {
  it('a genuine server is reached, and its connection leaves the queue', async () => {
    const client = await greet(version);
    server.sendStream(genuine);
    await pause(SETTLED);
    expect(mark()).toBe(ACCEPT);
    expect((await client.outcome()).received).toEqual(genuine);
  });

  it('a server that acknowledges in the client’s name what dies on the way does not get to send something else', async () => {
    const client = await greet(version);
    for (let at = 0; at < genuine.length; at += 1_000) {
      server.send({ at, data: genuine.subarray(at, at + 1_000), flags: 'PA', ttl: DIES });
    }
    await pause(100);
    server.send({ spoofed: true, ack: genuine.length }, { spoofed: true, ack: genuine.length, delay: 50 });
    await pause(100);
    expect(mark()).not.toBe(ACCEPT);
    server.sendStream(forged);
    const { received } = await client.outcome();
    expect(received.length).toBe(0);
    expect(engine.verdicts.slice(logged)).toHaveLength(1);
  });
});

it('says so, and counts them', async () => {
  await expect.poll(() => engine.child.errors).toContain('by one interface');
  expect(engine.conditions).toContain('gateway.one-armed begin');
});
