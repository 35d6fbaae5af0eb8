/**
 * TLS behind a proxy: the server that shows its certificate is asked through the same proxy, as its client had it asked,
 * unless that had to say who it is. The name that the proxy is asked for counts beside the one in TLS.
 */
import { beforeAll, describe, expect, it } from 'vitest';

import { HOST } from '../support/flows.ts';
import { match, pin, pinset } from '../support/policy.ts';
import { record } from '../support/recorded.ts';
import { Asked, flights, forgedDer, genuine, genuineDer, pinned, shown } from '../support/tls13-flows.ts';
import { Wire } from '../support/wire.ts';

let hello: Buffer;
let server: Buffer;
beforeAll(async () => {
  ({ hello, server } = flights(await record({ identity: genuine })));
});

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const named = (name: string, port: number) =>
  Buffer.concat([Buffer.from([5, 1, 0, 3, name.length]), Buffer.from(name), Buffer.from([port >> 8, port & 255])]);

interface Way {
  readonly name: string;
  readonly turns: (host: string) => (['C' | 'S', string | Buffer] | undefined)[];
  /** What a probe may say; null where only the client can. */
  readonly request: (host: string) => string | Buffer | null;
}

const WAYS: Way[] = [
  {
    name: 'CONNECT',
    turns: (host) => [
      ['C', `CONNECT ${host}:443 HTTP/1.1\r\nHost: x\r\nUser-Agent: y\r\n\r\n`],
      ['S', 'HTTP/1.1 200 OK\r\n\r\n'],
    ],
    request: (host) => `CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}:443\r\n\r\n`,
  },
  {
    name: 'CONNECT with credentials',
    turns: (host) => [
      ['C', `CONNECT ${host}:443 HTTP/1.1\r\nproxy-authorization: Basic eA==\r\n\r\n`],
      ['S', 'HTTP/1.1 200 OK\r\n\r\n'],
    ],
    request: () => null,
  },
  {
    name: 'SOCKS 5',
    turns: (host) => [
      ['C', hex('05 02 00 02')],
      ['S', hex('05 00')],
      ['C', named(host, 443)],
      ['S', hex('05 00 00 01 00000000 0000')],
    ],
    request: (host) => named(host, 443),
  },
  {
    name: 'SOCKS 5 with a password',
    turns: (host) => [
      ['C', hex('05 01 02')],
      ['S', hex('05 02')],
      ['C', hex('01 01 75 01 70')],
      ['S', hex('01 00')],
      ['C', named(host, 443)],
      ['S', hex('05 00 00 01 00000000 0000')],
    ],
    request: () => null,
  },
  {
    name: 'SOCKS 4a',
    turns: (host) => [
      ['C', Buffer.concat([hex('04 01 01bb 00000001 00'), Buffer.from(`${host}\0`)])],
      ['S', hex('00 5a 0000 00000000')],
    ],
    request: (host) => Buffer.concat([hex('04 01 01bb 00000001 00'), Buffer.from(`${host}\0`)]),
  },
  {
    name: 'SOCKS 4a with a user name',
    turns: (host) => [
      ['C', Buffer.concat([hex('04 01 01bb 00000001'), Buffer.from(`user\0${host}\0`)])],
      ['S', hex('00 5a 0000 00000000')],
    ],
    request: () => null,
  },
];

function through({ turns }: Way, host: string, fields: object = pinned({ tls13: 'probe' })) {
  const prober = new Asked();
  const wire = new Wire(fields, { prober }).open();
  for (const turn of turns(host)) {
    if (turn?.[0] === 'C') wire.fromClient(turn[1]);
    else wire.fromServer(turn![1]);
  }
  wire.fromClient(hello);
  wire.fromServer(server);
  return { wire, prober };
}

describe.each(WAYS)('$name', (way) => {
  it('the server is asked by the same way, where that is not the client’s alone', () => {
    const { wire, prober } = through(way, HOST);
    const request = way.request(HOST);
    const asked = prober.requests[0]!.tunnels.map((tunnel) => tunnel.request && Buffer.from(tunnel.request));
    expect(asked).toEqual([request && Buffer.from(request)]);
    prober.answer(shown(genuineDer));
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'probe-match', fronted: null }]);
  });

  const other = pin('cert-sha256', '00'.repeat(32));
  const ofProxyName = pinset(1, { name: 'asked', match: match({ hosts: ['asked.example'] }), pins: [other] });

  it('a name that the proxy is asked for holds beside the one in TLS', () => {
    const [bank] = pinned({ tls13: 'probe' }).pinsets;
    const { wire, prober } = through(way, 'asked.example', {
      pinsets: [bank, { ...ofProxyName, situations: bank!.situations }],
    });
    prober.answer(shown(genuineDer));
    expect(wire.verdicts).toMatchObject([
      { action: 'tls-alert', reason: 'probe-mismatch', pinset: 'asked', fronted: 'asked.example' },
    ]);
  });

  it('nor does it help that only the one in TLS is pinned', () => {
    const { wire, prober } = through(way, 'asked.example');
    prober.answer(shown(forgedDer));
    expect(wire.verdicts).toMatchObject([
      { action: 'tls-alert', reason: 'probe-mismatch', pinset: 'pinset-0', fronted: 'asked.example' },
    ]);
  });
});

it.each(['192.0.2.1', '[2001:db8::1]', HOST.toUpperCase(), `${HOST}.`])('%s is no other name', (host) => {
  const { wire, prober } = through(WAYS[0]!, host);
  prober.answer(shown(genuineDer));
  expect(wire.verdicts).toMatchObject([{ action: 'accept', fronted: null }]);
});
