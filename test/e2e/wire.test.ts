/**
 * The hostile wire: a server that sends single segments, and a client that tells which octets arrived. Whatever is done
 * with segments, the client never gets a complete forged certificate.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { buildOnce } from '../support/built.ts';
import { makeBank, NAME, pinset } from '../support/lab/bank.ts';
import type { Bank } from '../support/lab/bank.ts';
import { connmarks, Engine } from '../support/lab/engine.ts';
import { Lab } from '../support/lab/lab.ts';
import { TcpClient } from '../support/lab/peers.ts';
import type { TcpOutcome } from '../support/lab/peers.ts';
import { RawServer } from '../support/lab/raw-server.ts';
import type { RawServerOptions } from '../support/lab/raw-server.ts';
import {
  alert,
  clientHello,
  CONTENT,
  der,
  helloRequest,
  readFlight,
  record,
  serverFlight,
} from '../support/tls-bytes.ts';

const MARK = { accept: 0x20000000, deny: 0x40000000, pending: 0x60000000 };
/** An accept mark needs the client's acknowledgement, and those may be delayed by 200 ms (RFC 9293 §3.8.6.3: at most 500). */
const SETTLED = 400;

let bank: Bank;
let lab: Lab;
let engine: Engine;
let server: RawServer;
beforeAll(() => {
  buildOnce();
  bank = makeBank();
});
afterAll(() => bank.remove());
beforeEach(() => {
  // The router is what a segment can die on behind the gateway.
  lab = new Lab({ hosts: ['client', 'router', 'gateway', 'server'] });
  lab.withoutOffload('client', 'server');
});
afterEach(() => lab.close());

async function start(options: RawServerOptions = {}, config: object = bank.config): Promise<void> {
  engine = await Engine.start(lab, { config });
  server = await RawServer.start(lab, 'server', options);
}

/** A client that has sent its hello, which the server has. */
async function greet(options: { version?: 4 | 6; localPort?: number; wait?: number } = {}): Promise<TcpClient> {
  const { version = 4, ...rest } = options;
  const hello = clientHello(NAME);
  const client = new TcpClient(lab, 'client', { host: lab.address('server', version), send: hello, ...rest });
  await server.received(hello.length);
  return client;
}

const forgedFlight = (): Buffer => serverFlight(bank.forged.cert);
const genuineFlight = (): Buffer => serverFlight(bank.genuine.cert);
const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis));

function expectNothingForged({ received }: TcpOutcome): void {
  expect(readFlight(received).handshake.includes(der(bank.forged.cert))).toBe(false);
}

describe('the laboratory’s own handshake', () => {
  it('passes when it is genuine, is accepted, and leaves the queue', async () => {
    await start();
    const client = await greet();
    server.sendStream(genuineFlight());
    const outcome = await client.outcome();
    expect(outcome.received).toEqual(genuineFlight());
    expect((await engine.next(0)).verdict).toMatchObject({ action: 'accept', reason: 'pin-match' });
    expect(connmarks(lab, 'gateway')).toEqual([MARK.accept]);
  });

  it('reaches a client whole, forged as it is, where no pinset is for it', async () => {
    await start({}, { pinsets: [pinset({ match: { hosts: ['other.example'] }, pins: [bank.pin] })] });
    const client = await greet();
    server.sendStream(forgedFlight());
    expect((await client.outcome()).received).toEqual(forgedFlight());
  });

  it.each([4, 6] as const)('is stopped with an alert when it is forged, over IPv%d', async (version) => {
    await start();
    const client = await greet({ version });
    server.sendStream(forgedFlight());
    const outcome = await client.outcome();
    expectNothingForged(outcome);
    expect(readFlight(outcome.received).alerts).toEqual([{ level: 2, description: 42 }]);
    expect((await engine.next(0)).verdict).toMatchObject({ action: 'tls-alert', reason: 'pin-mismatch' });
  });
});

describe('a blocked flow stays blocked', () => {
  it('through retransmissions of the dropped segment, in whatever pieces and with whatever IP id', async () => {
    await start();
    const client = await greet();
    const flight = forgedFlight();
    for (let round = 0; round < 6; round++) {
      server.sendStream(flight, 1_400 - round * 200);
      server.send({ at: 0, data: flight, id: 4_000 + round, flags: 'PA', delay: 150 });
    }
    const outcome = await client.outcome();
    expectNothingForged(outcome);
    expect(outcome.received.length).toBeLessThan(flight.length);
    await engine.logged(1);
    expect(engine.verdicts).toHaveLength(1);
  });

  it('in the client’s direction too: nothing of it reaches the server any more', async () => {
    await start();
    const client = await greet();
    server.sendStream(forgedFlight());
    await engine.logged(1);
    const before = server.stream.length;
    client.send(Buffer.from('more of the secret'));
    await client.outcome();
    expect(server.stream.length).toBe(before);
  });

  it('and nothing behind the forged certificate gets through ahead of it', async () => {
    await start();
    const client = await greet();
    const flight = forgedFlight();
    server.sendStream(flight.subarray(600), 500, 600);
    await pause(100);
    server.sendStream(flight.subarray(0, 600), 300);
    const outcome = await client.outcome();
    expectNothingForged(outcome);
    expect((await engine.next(0)).verdict).toMatchObject({ reason: 'pin-mismatch' });
  });
});

describe('one octet value per sequence number', () => {
  it('bytes forged after a genuine copy that died on the way do not reach the client', async () => {
    await start();
    const client = await greet({ wait: 2_500 });
    const [genuine, forged] = [genuineFlight(), forgedFlight()];
    const length = Math.max(genuine.length, forged.length);
    // The engine sees the genuine flight; the router behind it sees the end of its lifetime.
    server.send({ at: 0, data: genuine.subarray(0, 1_000), ttl: 2, flags: 'PA' });
    server.send({ at: 1_000, data: genuine.subarray(1_000), ttl: 2, flags: 'PA' });
    await pause(SETTLED);
    expect(connmarks(lab, 'gateway')).not.toContain(MARK.accept);
    server.send({ at: 0, data: forged.subarray(0, 1_000), flags: 'PA' });
    server.send({ at: 1_000, data: forged.subarray(1_000, length), flags: 'PA' });
    await pause(200);
    server.sendStream(forged, 700);
    const outcome = await client.outcome();
    expectNothingForged(outcome);
    expect(connmarks(lab, 'gateway')).not.toContain(MARK.accept);
  });

  it('nor does a mixture of both: a conflicting copy denies the flow', async () => {
    await start();
    const client = await greet();
    const [genuine, forged] = [genuineFlight(), forgedFlight()];
    // Not acknowledged: the router ends it.
    server.send({ at: 0, data: genuine.subarray(0, 400), flags: 'PA', ttl: 2 });
    server.send({ at: 200, data: forged.subarray(200, 600), flags: 'PA', delay: 50 });
    server.sendStream(forged, 300);
    const outcome = await client.outcome();
    expectNothingForged(outcome);
    expect((await engine.next(0)).verdict).toMatchObject({ reason: 'overlap-conflict' });
  });

  it('the same bytes again, in other pieces, change nothing', async () => {
    await start();
    const client = await greet();
    const genuine = genuineFlight();
    server.sendStream(genuine.subarray(0, 900), 100);
    server.sendStream(genuine.subarray(0, 700), 333);
    server.sendStream(genuine, 512);
    const outcome = await client.outcome();
    expect(outcome.received).toEqual(genuine);
    expect((await engine.next(0)).verdict).toMatchObject({ action: 'accept', reason: 'pin-match' });
  });

  it('a wrong checksum is nobody’s copy: what carries one is not read', async () => {
    await start();
    const client = await greet();
    const [genuine, forged] = [genuineFlight(), forgedFlight()];
    server.send({ at: 0, data: genuine, corrupt: true, flags: 'PA' });
    await pause(100);
    server.sendStream(forged);
    const outcome = await client.outcome();
    expectNothingForged(outcome);
    expect((await engine.next(0)).verdict).toMatchObject({ reason: 'pin-mismatch' });
  });
});

describe('before the client hello', () => {
  it('HelloRequest and warning alerts do not unpin a flow', async () => {
    await start();
    const early = Buffer.concat([record(CONTENT.handshake, helloRequest), alert('warning', 112), alert('warning', 90)]);
    const client = new TcpClient(lab, 'client', { host: lab.address('server') });
    await client.connected();
    await server.until((heard) => heard.some(({ flags }) => flags === 'A'), 'the handshake was over');
    server.send({ at: 0, data: early, flags: 'PA' });
    await pause(150);
    client.send(clientHello(NAME));
    await server.received(clientHello(NAME).length);
    server.sendStream(forgedFlight(), 1_400, early.length);
    const outcome = await client.outcome();
    expectNothingForged(outcome);
    expect((await engine.next(0)).verdict.action).toBe('tls-alert');
  });
});

describe('the end of a connection', () => {
  it('a reset that the client does not take does not end the looking', async () => {
    await start();
    const client = await greet();
    server.send({ at: 5_000_000, flags: 'R' }, { at: 1, flags: 'RA' });
    await pause(50);
    server.sendStream(forgedFlight());
    expectNothingForged(await client.outcome());
  });

  it('addresses and ports that are used again are looked at again', async () => {
    await start();
    // No end of a connection that the gateway sees: its conntrack keeps the entry and the mark.
    lab.shell('client', 'iptables -A OUTPUT -p tcp -m tcp --dport 443 ! --tcp-flags RST,FIN NONE -j DROP');
    const first = await greet({ localPort: 40_000, wait: SETTLED + 200 });
    server.sendStream(genuineFlight());
    await first.outcome();
    await pause(SETTLED);
    expect(connmarks(lab, 'gateway')).toEqual([MARK.accept]);
    const second = new TcpClient(lab, 'client', {
      host: lab.address('server'),
      localPort: 40_000,
      send: clientHello(NAME),
    });
    await server.until((heard) => heard.filter(({ data }) => data.length > 0).length >= 2, 'the second hello came');
    server.sendStream(forgedFlight());
    expectNothingForged(await second.outcome());
    expect((await engine.next(1)).verdict).toMatchObject({ action: 'tls-alert', reason: 'pin-mismatch' });
  });

  it('an engine that is killed while it holds, and started again, denies the pending flow', async () => {
    await start();
    const client = await greet({ wait: 4_000 });
    const flight = forgedFlight();
    server.sendStream(flight.subarray(0, 500));
    await pause(100);
    expect(connmarks(lab, 'gateway')).toEqual([MARK.pending]);
    await engine.kill();
    await engine.run();
    for (let round = 0; round < 3; round++) {
      server.sendStream(flight, 500);
      await pause(150);
    }
    const outcome = await client.outcome();
    expectNothingForged(outcome);
    expect(connmarks(lab, 'gateway')).not.toContain(MARK.accept);
    expect((await engine.next(0)).verdict).toMatchObject({ reason: 'midstream' });
  });

  it('a denied flow stays denied when the engine is started again', async () => {
    await start();
    const client = await greet({ wait: 4_000 });
    server.sendStream(forgedFlight());
    await engine.logged(1);
    await pause(200);
    await engine.kill();
    await engine.run();
    server.sendStream(forgedFlight(), 300);
    expectNothingForged(await client.outcome());
  });
});

describe('segments that a client may take or not', () => {
  it.each([
    ['no ACK flag', { flags: 'P' }],
    ['no flags at all', { flags: '' }],
    ['SYN and FIN together', { flags: 'SFPA' }],
    ['URG', { flags: 'PAU', urgent: 300 }],
    ['an MD5 option', { flags: 'PA', options: `1312${'00'.repeat(16)}0101` }],
    ['an acknowledgement of what was never sent', { flags: 'PA', ack: -100_000 }],
    ['a sequence number far outside of the window', { flags: 'PA', at: 10_000_000 }],
  ])('a genuine flight with %s does not vouch for a forged one', async (_, odd) => {
    await start();
    const client = await greet();
    server.send({ at: 0, data: genuineFlight(), ...odd });
    await pause(100);
    server.sendStream(forgedFlight());
    await pause(100);
    server.sendStream(forgedFlight(), 600);
    expectNothingForged(await client.outcome());
    expect(connmarks(lab, 'gateway')).not.toContain(MARK.accept);
  });

  it('nor does one whose timestamp is older than the last, where both sides use them', async () => {
    const timestamp = (value: number): string => `0101080a${value.toString(16).padStart(8, '0')}00000000`;
    await start({ synOptions: timestamp(1_000_000) });
    const client = await greet();
    server.send({ at: 0, data: genuineFlight(), flags: 'PA', options: timestamp(999_000) });
    await pause(100);
    for (const value of [1_000_001, 1_000_002]) {
      server.send({ at: 0, data: forgedFlight(), flags: 'PA', options: timestamp(value), delay: 100 });
    }
    expectNothingForged(await client.outcome());
    expect(connmarks(lab, 'gateway')).not.toContain(MARK.accept);
  });

  it.each([
    ['reserved bits', { flags: 'PA', reserved: 0xf }],
    ['a timestamp that nobody asked for', { flags: 'PA', options: '0101080a0000000100000001' }],
    ['an option that nobody knows', { flags: 'PA', options: 'fd0612345678' }],
    ['congestion flags and no PSH', { flags: 'AEC' }],
  ])('%s: clients take it, and so it is read', async (_, odd) => {
    await start();
    const client = await greet();
    server.send({ at: 0, data: genuineFlight(), ...odd });
    expect((await client.outcome()).received).toEqual(genuineFlight());
    expect((await engine.next(0)).verdict).toMatchObject({ action: 'accept', reason: 'pin-match' });
  });
});

describe('slow and small', () => {
  it('one octet a segment: decided all the same', async () => {
    await start({}, { pinsets: [pinset({ pins: [bank.pin] })] });
    const client = await greet({ wait: 3_000 });
    server.sendStream(forgedFlight(), 7);
    const outcome = await client.outcome();
    expectNothingForged(outcome);
    expect((await engine.next(0)).verdict).toMatchObject({ reason: 'pin-mismatch' });
  });

  it('sequence numbers that wrap around: decided all the same', async () => {
    await start({ iss: 0xffff_fe00 });
    const genuine = await greet({ localPort: 41_000 });
    server.sendStream(genuineFlight(), 300);
    expect((await genuine.outcome()).received).toEqual(genuineFlight());
    const before = server.stream.length;
    const forged = new TcpClient(lab, 'client', {
      host: lab.address('server'),
      localPort: 41_001,
      send: clientHello(NAME),
    });
    await server.received(before + clientHello(NAME).length);
    server.sendStream(forgedFlight(), 300);
    expectNothingForged(await forged.outcome());
  });
});
