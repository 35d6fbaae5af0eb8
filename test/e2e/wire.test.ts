/**
 * The hostile wire. Whatever a server does with segments, the client never gets a complete forged certificate, and the
 * engine never writes accept for a flow whose client got something else than the engine saw.
 */
import { describe, expect, it } from 'vitest';

import { CONNMARK_DEFAULTS as MARK } from '../../src/pins/compile/connmark.ts';
import { NAME, pinset } from '../support/lab/bank.ts';
import { bank, forged, genuine, wire } from '../support/lab/bank-wire.ts';
import { peer, TcpClient } from '../support/lab/peers.ts';
import type { TcpOutcome } from '../support/lab/peers.ts';
import type { RawServerOptions } from '../support/lab/raw-server.ts';
import { pause, SETTLED, Wire } from '../support/lab/wire.ts';
import { alert, clientHello, CONTENT, der, helloRequest, readFlight, record } from '../support/tls-bytes.ts';

/** One of its own, for an experiment that changes something. */
async function withOwn(
  experiment: (own: Wire) => Promise<void>,
  options: RawServerOptions = {},
  config: object = bank.config,
): Promise<void> {
  const own = await Wire.create(config, options);
  try {
    await experiment(own);
  } finally {
    await own.close();
  }
}

function expectNothingForged({ received }: TcpOutcome): void {
  expect(readFlight(received).handshake.includes(der(bank.forged.cert))).toBe(false);
}

describe('the laboratory’s own handshake', () => {
  it('passes when it is genuine, is accepted, and leaves the queue', async () => {
    const client = await wire.greet();
    wire.server.sendStream(genuine);
    expect((await client.outcome()).received).toEqual(genuine);
    expect(await wire.verdict()).toMatchObject({ action: 'accept', reason: 'pin-match' });
    expect(wire.mark).toBe(MARK.accept);
  });

  it('reaches a client whole, forged as it is, where no pinset is for it', async () => {
    const client = await wire.greet({ send: clientHello('other.example') });
    wire.server.sendStream(forged);
    expect((await client.outcome()).received).toEqual(forged);
  });

  it.each([4, 6] as const)('is stopped with an alert when it is forged, over IPv%d', async (version) => {
    const client = await wire.greet({ version });
    wire.server.sendStream(forged);
    const outcome = await client.outcome();
    expectNothingForged(outcome);
    expect(readFlight(outcome.received).alerts).toEqual([{ level: 2, description: 42 }]);
    expect(await wire.verdict()).toMatchObject({ action: 'tls-alert', reason: 'pin-mismatch' });
  });
});

describe('a blocked flow stays blocked', () => {
  it('through retransmissions of the dropped segment, in whatever pieces and with whatever IP id', async () => {
    const client = await wire.greet();
    for (let round = 0; round < 6; round++) {
      wire.server.sendStream(forged, 1_400 - round * 200);
      wire.server.send({ at: 0, data: forged, id: 4_000 + round, flags: 'PA', delay: 150 });
    }
    const outcome = await client.outcome();
    expectNothingForged(outcome);
    expect(outcome.received.length).toBeLessThan(forged.length);
    await wire.verdict();
    expect(wire.verdicts).toHaveLength(1);
  });

  it('in the client’s direction too: nothing of it reaches the server any more', async () => {
    const client = await wire.greet();
    wire.server.sendStream(forged);
    await wire.verdict();
    const before = wire.server.stream.length;
    client.send(Buffer.from('more of the secret'));
    await client.outcome();
    expect(wire.server.stream.length).toBe(before);
  });

  it('and nothing behind the forged certificate gets through ahead of it', async () => {
    const client = await wire.greet();
    wire.server.sendStream(forged.subarray(600), 500, 600);
    await pause(100);
    wire.server.sendStream(forged.subarray(0, 600), 300);
    expectNothingForged(await client.outcome());
    expect(await wire.verdict()).toMatchObject({ reason: 'pin-mismatch' });
  });
});

describe('one octet value per sequence number', () => {
  it('bytes forged after a genuine copy that died on the way do not reach the client', async () => {
    const client = await wire.greet({ wait: 2_500 });
    // The engine sees the genuine flight; the router behind it sees the end of its lifetime.
    wire.server.send({ at: 0, data: genuine.subarray(0, 1_000), ttl: 2, flags: 'PA' });
    wire.server.send({ at: 1_000, data: genuine.subarray(1_000), ttl: 2, flags: 'PA' });
    await pause(SETTLED);
    expect(wire.mark).not.toBe(MARK.accept);
    wire.server.send({ at: 0, data: forged.subarray(0, 1_000), flags: 'PA' });
    wire.server.send({ at: 1_000, data: forged.subarray(1_000), flags: 'PA' });
    await pause(200);
    wire.server.sendStream(forged, 700);
    expectNothingForged(await client.outcome());
    expect(wire.mark).not.toBe(MARK.accept);
  });

  it('nor does a mixture of both: a conflicting copy denies the flow', async () => {
    const client = await wire.greet();
    // Not acknowledged: the router ends it.
    wire.server.send({ at: 0, data: genuine.subarray(0, 400), flags: 'PA', ttl: 2 });
    wire.server.send({ at: 200, data: forged.subarray(200, 600), flags: 'PA', delay: 50 });
    wire.server.sendStream(forged, 300);
    expectNothingForged(await client.outcome());
    expect(await wire.verdict()).toMatchObject({ reason: 'overlap-conflict' });
  });

  it('the same bytes again, in other pieces, change nothing', async () => {
    const client = await wire.greet();
    wire.server.sendStream(genuine.subarray(0, 900), 100);
    wire.server.sendStream(genuine.subarray(0, 700), 333);
    wire.server.sendStream(genuine, 512);
    expect((await client.outcome()).received).toEqual(genuine);
    expect(await wire.verdict()).toMatchObject({ action: 'accept', reason: 'pin-match' });
  });

  it('a wrong checksum is nobody’s copy: what carries one is not read', async () => {
    const client = await wire.greet();
    wire.server.send({ at: 0, data: genuine, corrupt: true, flags: 'PA' });
    await pause(100);
    wire.server.sendStream(forged);
    expectNothingForged(await client.outcome());
    expect(await wire.verdict()).toMatchObject({ reason: 'pin-mismatch' });
  });
});

describe('before the client hello', () => {
  it('HelloRequest and warning alerts do not unpin a flow', async () => {
    const early = Buffer.concat([record(CONTENT.handshake, helloRequest), alert('warning', 112), alert('warning', 90)]);
    const client = new TcpClient(wire.lab, 'client', { host: wire.lab.address('server') });
    await client.connected();
    await wire.server.until((heard) => heard.some(({ flags }) => flags === 'A'), 'the handshake was over');
    wire.server.send({ at: 0, data: early, flags: 'PA' });
    await pause(150);
    client.send(clientHello(NAME));
    await wire.server.received(clientHello(NAME).length);
    wire.server.sendStream(forged, 1_400, early.length);
    expectNothingForged(await client.outcome());
    expect(await wire.verdict()).toMatchObject({ action: 'tls-alert' });
  });
});

describe('the end of a connection', () => {
  it('a reset that the client does not take does not end the looking', async () => {
    const client = await wire.greet();
    wire.server.send({ at: 5_000_000, flags: 'R' }, { at: 1, flags: 'RA' });
    await pause(50);
    wire.server.sendStream(forged);
    expectNothingForged(await client.outcome());
  });

  it.each([
    ['', []],
    [', whatever whole marks others restore behind the queue', ['-I POSTROUTING -j CONNMARK --restore-mark']],
    [
      ', whatever whole marks others restore ahead of it and save behind it',
      ['-I PREROUTING -j CONNMARK --restore-mark', '-I POSTROUTING -j CONNMARK --save-mark'],
    ],
  ])('addresses and ports that are used again are looked at again%s', (_, others) =>
    withOwn(async (own) => {
      for (const rule of others) own.lab.shell('gateway', `iptables -t mangle ${rule}`);
      // No end of a connection that the gateway sees: its conntrack keeps the entry and the mark.
      own.lab.shell('client', 'iptables -A OUTPUT -p tcp -m tcp --dport 443 ! --tcp-flags RST,FIN NONE -j DROP');
      const first = await own.greet({ localPort: 40_000 });
      own.server.sendStream(genuine);
      await first.outcome();
      // Who saves whole marks undoes the decision, which is then taken anew packet by packet.
      expect(own.mark).toBe(others.length > 1 ? 0 : MARK.accept);
      own.begin();
      const second = await own.greet({ localPort: 40_000 });
      own.server.sendStream(forged);
      expectNothingForged(await second.outcome());
      expect(await own.verdict()).toMatchObject({ action: 'tls-alert', reason: 'pin-mismatch' });
    }),
  );

  it('a socket on the gateway that marks its packets as accepted brings in no forgery', () =>
    withOwn(async (own) => {
      const other = own.lab.start('gateway', [
        'python3',
        peer('marked-copies.py'),
        `${MARK.accept}`,
        `${MARK.accept | MARK.told}`,
      ]);
      await other.says(/ready/);
      const client = await own.greet({ wait: 2_000 });
      await other.says(/sent/);
      expect(own.mark).toBe(MARK.pending);
      own.server.sendStream(forged);
      expectNothingForged(await client.outcome());
    }));

  it('an engine that is killed while it holds, and started again, denies the pending flow', () =>
    withOwn(async (own) => {
      const client = await own.greet({ wait: 6_000 });
      own.server.sendStream(forged.subarray(0, 500));
      await pause(100);
      expect(own.mark).toBe(MARK.pending);
      await own.engine.kill();
      await own.engine.run();
      for (let round = 0; round < 3; round++) {
        own.server.sendStream(forged, 500);
        await pause(150);
      }
      expectNothingForged(await client.outcome());
      expect(own.mark).not.toBe(MARK.accept);
      expect(await own.verdict()).toMatchObject({ reason: 'midstream' });
    }));

  it('a denied flow stays denied when the engine is started again', () =>
    withOwn(async (own) => {
      const client = await own.greet({ wait: 6_000 });
      own.server.sendStream(forged);
      await own.verdict();
      await pause(200);
      await own.engine.kill();
      await own.engine.run();
      own.server.sendStream(forged, 300);
      expectNothingForged(await client.outcome());
    }));
});

describe('segments that a client does not take', () => {
  it.each([
    ['no ACK flag', { flags: 'P' }],
    ['no flags at all', { flags: '' }],
    ['SYN and FIN together', { flags: 'SFPA' }],
    ['URG', { flags: 'PAU', urgent: 300 }],
    ['an MD5 option', { flags: 'PA', options: `1312${'00'.repeat(16)}0101` }],
    ['an acknowledgement of what was never sent', { flags: 'PA', ack: -100_000 }],
    ['a sequence number far outside of the window', { flags: 'PA', at: 10_000_000 }],
  ])('a genuine flight with %s does not vouch for a forged one', async (_, odd) => {
    const client = await wire.greet();
    wire.server.send({ at: 0, data: genuine, ...odd });
    await pause(100);
    wire.server.sendStream(forged);
    await pause(100);
    wire.server.sendStream(forged, 600);
    expectNothingForged(await client.outcome());
    expect(wire.mark).not.toBe(MARK.accept);
  });

  it('nor does one whose timestamp is older than the last, where both sides use them', () => {
    const timestamp = (value: number): string => `0101080a${value.toString(16).padStart(8, '0')}00000000`;
    const experiment = async (own: Wire): Promise<void> => {
      const client = await own.greet();
      own.server.send({ at: 0, data: genuine, flags: 'PA', options: timestamp(999_000) });
      await pause(100);
      for (const value of [1_000_001, 1_000_002]) {
        own.server.send({ at: 0, data: forged, flags: 'PA', options: timestamp(value), delay: 100 });
      }
      expectNothingForged(await client.outcome());
      expect(own.mark).not.toBe(MARK.accept);
    };
    return withOwn(experiment, { synOptions: timestamp(1_000_000) });
  });
});

describe('segments that a client takes, odd as they are', () => {
  it.each([
    ['reserved bits', { flags: 'PA', reserved: 0xf }],
    ['a timestamp that nobody asked for', { flags: 'PA', options: '0101080a0000000100000001' }],
    ['an option that nobody knows', { flags: 'PA', options: 'fd0612345678' }],
    ['congestion flags and no PSH', { flags: 'AEC' }],
  ])('are read: %s', async (_, odd) => {
    const client = await wire.greet();
    wire.server.send({ at: 0, data: genuine, ...odd });
    expect((await client.outcome()).received).toEqual(genuine);
    expect(await wire.verdict()).toMatchObject({ action: 'accept', reason: 'pin-match' });
  });
});

describe('slow and small', () => {
  it('seven octets a segment: decided all the same', async () => {
    const client = await wire.greet({ wait: 3_000 });
    wire.server.sendStream(forged, 7);
    expectNothingForged(await client.outcome());
    expect(await wire.verdict()).toMatchObject({ reason: 'pin-mismatch' });
  });

  it('sequence numbers that wrap around: decided all the same', () => {
    const experiment = async (own: Wire): Promise<void> => {
      const good = await own.greet();
      own.server.sendStream(genuine, 300);
      expect((await good.outcome()).received).toEqual(genuine);
      own.begin();
      const bad = await own.greet();
      own.server.sendStream(forged, 300);
      expectNothingForged(await bad.outcome());
      expect(await own.verdict()).toMatchObject({ reason: 'pin-mismatch' });
    };
    return withOwn(experiment, { iss: 0xffff_fe00 });
  });

  it('report-only: the forged flight passes whole, and the log says what enforcement had done', () => {
    const experiment = async (own: Wire): Promise<void> => {
      const client = await own.greet();
      own.server.sendStream(forged, 300);
      expect((await client.outcome()).received).toEqual(forged);
      expect(await own.verdict()).toMatchObject({ action: 'accept', reason: 'pin-mismatch', would: 'tls-alert' });
    };
    return withOwn(experiment, {}, { pinsets: [pinset({ pins: [bank.pin], mode: 'report-only' })] });
  });
});
