/**
 * A server that lets its clients wait for its greeting lets the probe wait as long. The client's own patience is the
 * measure: it may wait once more for what it has waited for already.
 */
import { beforeAll, describe, expect, it } from 'vitest';

import { record } from '../support/recorded.ts';
import { Asked, FAILED, flights, genuine, genuineDer, pinned, shown } from '../support/tls13-flows.ts';
import { Wire } from '../support/wire.ts';

let hello: Buffer;
let server: Buffer;
beforeAll(async () => {
  ({ hello, server } = flights(await record({ identity: genuine })));
});

/** Mail that is greeted after so many milliseconds, up to the server's flight. */
function upgraded(greeting: number, more: object = {}) {
  const prober = new Asked();
  const wire = new Wire(pinned({ tls13: 'probe' }), { prober, ...more }).open();
  wire.fromClient('');
  wire.wait(greeting);
  wire.fromServer(Buffer.from('220 mail ESMTP\r\n'));
  wire.fromClient(Buffer.from('EHLO me\r\n'));
  wire.fromServer(Buffer.from('250 STARTTLS\r\n'));
  wire.fromClient(Buffer.from('STARTTLS\r\n'));
  wire.fromServer(Buffer.from('220 ready\r\n'));
  wire.fromClient(hello);
  const said = wire.atClient.stream.length;
  wire.fromServer(server);
  return { wire, prober, got: () => wire.atClient.stream.subarray(said) };
}

describe('a server that greets after six seconds', () => {
  it('is asked with as much patience', () => {
    const { prober } = upgraded(6_000);
    expect(prober.requests).toMatchObject([{ starttls: 'smtp', patience: 6_000 }]);
  });

  it('has its client wait that long for the answer, and no longer', () => {
    const { wire, got } = upgraded(6_000);
    wire.wait(8_900);
    expect(wire.verdicts).toEqual([]);
    expect(got()).toHaveLength(0);
    wire.wait(200);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'overload' }]);
  });

  it.each([
    ['accepts with its answer', shown(genuineDer), 'accept', 'probe-match'],
    ['denies without one', FAILED, 'tls-alert', 'probe-failed'],
  ] as const)('%s', (_, answer, action, reason) => {
    const { wire, prober } = upgraded(6_000);
    wire.wait(8_500);
    prober.answer(answer);
    expect(wire.verdicts).toMatchObject([{ action, reason }]);
  });
});

it('a handshake as long as that patience, and as any may be besides, is not incomplete', () => {
  const { wire, prober } = upgraded(20_000);
  wire.wait(22_000);
  expect(wire.verdicts).toEqual([]);
  prober.answer(shown(genuineDer));
  expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'probe-match' }]);
});

it('patience has an end, whatever a server does', () => {
  expect(upgraded(200_000).prober.requests).toMatchObject([{ patience: 60_000 }]);
});

it('a client that speaks first, and at once, has shown none', () => {
  const prober = new Asked();
  const wire = new Wire(pinned({ tls13: 'probe' }), { prober }).open();
  wire.fromClient(hello);
  wire.wait(500);
  wire.fromServer(server);
  expect(prober.requests).toMatchObject([{ patience: 0 }]);
});
