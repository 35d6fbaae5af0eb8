/** DTLS through the rules, with OpenSSL at both ends: the pinned server is reached, the forged one is not. */
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

import type { Identity } from '../../src/runtime/demo/certificates.ts';
import { NAME } from '../support/lab/bank.ts';
import { bank, lab } from '../support/lab/bank-of-each.ts';
import { connmarks, Engine } from '../support/lab/engine.ts';

async function serve(identity: Identity, args: readonly string[] = [], port = 443): Promise<void> {
  lab.start('server', [
    ...['openssl', 's_server', '-dtls', '-accept', `${port}`, '-cert', identity.cert, '-cert_chain', identity.cert],
    ...['-key', identity.key, '-quiet', ...args],
  ]);
  await lab.listening('server', port);
}

/** The same, with something in between that dresses up what the server says. */
async function serveDisguised(identity: Identity, disguise: string): Promise<void> {
  await serve(identity, [], 4433);
  const argument = JSON.stringify({ port: 443, to: 4433, disguise });
  await lab.start('server', [process.execPath, RELAY, argument]).says(/listening/);
}

const RELAY = fileURLToPath(new URL('../support/peers/datagram-relay.mjs', import.meta.url));

/** What the client says of the server's certificate, and whether the server got what the client sent. */
async function talk(version: 4 | 6 = 4, servername = NAME, args: readonly string[] = []) {
  const address = lab.address('server', version);
  const target = address.includes(':') ? `[${address}]:443` : `${address}:443`;
  const client = lab.start(
    'client',
    [
      'timeout',
      '5',
      'openssl',
      's_client',
      '-dtls',
      '-connect',
      target,
      '-servername',
      servername,
      '-mtu',
      '1300',
      ...args,
    ],
    { input: 'hello\n' },
  );
  await client.ended;
  return {
    isConnected: /^ {4}Verify return code/m.test(client.output) && !client.output.includes('Cipher is (NONE)'),
    text: client.output + client.errors,
  };
}

describe.each([4, 6] as const)('over IPv%d', (version) => {
  it.each([
    ['the pinned key is accepted', 'genuine', 'accept', 'pin-match'],
    ['another key is dropped', 'forged', 'drop', 'pin-mismatch'],
  ] as const)('%s', async (_, which, action, reason) => {
    const engine = await Engine.start(lab, { config: bank.config, rules: ['--queue-udp'] });
    await serve(which === 'genuine' ? bank.genuineChain : bank.forgedChain, version === 6 ? ['-6'] : []);
    const { isConnected, text } = await talk(version);
    expect(isConnected, text).toBe(which === 'genuine');
    const record = await engine.next(0);
    expect(record).toMatchObject({
      proto: 'UDP',
      app_proto: 'dtls',
      verdict: { action, reason, pinset: 'bank', evidence: 'observed' },
      tls: { sni: NAME, version: 'DTLS 1.2' },
    });
    const marks = connmarks(lab, 'gateway', { clientPort: record.src_port });
    if (which === 'genuine') expect(marks).toEqual([0x1000000]);
    else expect(marks).not.toContain(0x1000000);
  });
});

it('with a small path every message comes in fragments', async () => {
  const engine = await Engine.start(lab, { config: bank.config, rules: ['--queue-udp'] });
  await serve(bank.genuineChain, ['-mtu', '300']);
  const { isConnected, text } = await talk(4, NAME, ['-mtu', '300']);
  expect(isConnected, text).toBe(true);
  expect(await engine.next(0)).toMatchObject({ verdict: { action: 'accept', reason: 'pin-match' } });
});

it.each([
  ['genuine', true, 'pin-match'],
  ['forged', false, 'pin-mismatch'],
] as const)('of the host itself: the %s one', async (which, reached, reason) => {
  const rules = ['--queue-udp', '--hook', 'local'];
  const engine = await Engine.start(lab, { host: 'client', config: bank.config, rules });
  await serve(which === 'genuine' ? bank.genuineChain : bank.forgedChain);
  const { isConnected, text } = await talk();
  expect(isConnected, text).toBe(reached);
  expect(await engine.next(0)).toMatchObject({ app_proto: 'dtls', verdict: { reason, pinset: 'bank' } });
});

it('a server of another name is nobody’s', async () => {
  await Engine.start(lab, { config: bank.config, rules: ['--queue-udp'] });
  await serve(bank.forgedChain);
  expect(await talk(4, 'www.other.example')).toMatchObject({ isConnected: true });
});

describe.each(['junk', 'connection-id', 'hidden'])('octets in disguise (%s)', (disguise) => {
  it('are what OpenSSL reads all the same', async () => {
    await serveDisguised(bank.forgedChain, disguise);
    const { isConnected, text } = await talk();
    expect(isConnected, text).toBe(true);
  });

  it('do not reach the client of a pinned host', async () => {
    const config = { ...bank.config, limits: { handshakeTimeout: 2_000 } };
    const engine = await Engine.start(lab, { config, rules: ['--queue-udp'] });
    await serveDisguised(bank.forgedChain, disguise);
    expect((await talk()).isConnected).toBe(false);
    expect(await engine.next(0)).toMatchObject({
      app_proto: 'dtls',
      verdict: { action: 'drop', reason: 'incomplete' },
    });
  });
});
