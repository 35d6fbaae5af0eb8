/** How a probe goes away, and what a server of OpenSSL makes of it. */
import { once } from 'node:events';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import { createServer, type TlsOptions } from 'node:tls';

import { afterAll, describe, expect, it } from 'vitest';

import { converse } from '../../src/probe/connection.ts';
import { type HandshakeOutcome, ProbeHandshake } from '../../src/probe/handshake.ts';
import { type Mirror, mirrorOf } from '../../src/probe/mirror.ts';
import { drawParting, type Parting } from '../../src/probe/parting.ts';
import { certificate } from '../support/certificates.ts';
import { clientHelloOf } from '../support/memory-tls.ts';
import { identity } from '../support/recorded.ts';
import { ScriptedServer } from '../support/scripted-server.ts';
import { certificate13, encryptedExtensions } from '../support/tls13-bytes.ts';

const rsa = identity('rsa');
const opened: { close: () => unknown }[] = [];
afterAll(() => {
  for (const server of opened) server.close();
});

interface Left {
  readonly outcome: HandshakeOutcome['kind'];
  /** Content types of the probe's records. */
  readonly records: readonly number[];
  /** What became of the server's handshake. */
  readonly server: 'secure' | 'given up';
  /** The probe ended its side, with no reset. */
  readonly isEnded: boolean;
}

/** A probe of a server of Node's, through one who writes down what it says and may hold back the end of each answer. */
async function ask(parting: Parting, options: TlsOptions = {}, heldBack = 0): Promise<Left> {
  const server = createServer({ ...rsa, ...options }, (socket) => socket.on('error', () => {}).resume());
  const seen = new Promise<Left['server']>((resolve) => {
    server.on('secureConnection', () => resolve('secure')).on('tlsClientError', () => resolve('given up'));
  });
  const said: Uint8Array[] = [];
  const relay = createTcpServer((client) => between(client, portOf(server), said, heldBack));
  for (const each of [server, relay]) {
    each.listen(0, '127.0.0.1');
    await once(each, 'listening');
    opened.push(each);
  }
  const mirror = mirrorOf(await clientHelloOf()) as Mirror;
  const limits = { handshakeBytes: 65_536, records: 256, certificates: 16 };
  const conversation = new ProbeHandshake({ mirror, recordVersion: 0x0301, limits, parting });
  const ended = once(relay, 'connection').then(async ([client]: Socket[]) => {
    let isEnded = false;
    client!.on('end', () => (isEnded = true));
    await once(client!, 'close');
    return isEnded;
  });
  const outcome = await new Promise<{ kind: string }>((done) => {
    const to = { address: Uint8Array.of(127, 0, 0, 1), port: portOf(relay) };
    converse<HandshakeOutcome>({ server: to, mark: undefined, timeout: 5_000, conversation, done });
  });
  const isEnded = await ended;
  return {
    outcome: outcome.kind as Left['outcome'],
    records: contentTypes(Buffer.concat(said)),
    server: await seen,
    isEnded,
  };
}

function between(client: Socket, port: number, said: Uint8Array[], heldBack: number): void {
  const server = connect(port, '127.0.0.1');
  client.on('data', (bytes) => said.push(bytes)).pipe(server);
  server.on('data', (bytes) => {
    client.write(bytes.subarray(0, bytes.length - heldBack));
    if (heldBack > 0) setTimeout(() => client.write(bytes.subarray(bytes.length - heldBack)), 20);
  });
  server.on('end', () => client.end());
  for (const socket of [client, server]) socket.on('error', () => {});
}

const portOf = (server: { address(): unknown }) => (server.address() as { port: number }).port;

function contentTypes(octets: Buffer): number[] {
  const types: number[] = [];
  for (let at = 0; at < octets.length; at += 5 + octets.readUInt16BE(at + 3)) types.push(octets[at]!);
  return types;
}

describe('a probe of TLS 1.3 goes away', () => {
  it.each<[string, Parting, number[], Left['server'], TlsOptions]>([
    ['with Finished and close_notify', 'closed', [22, 20, 23, 23], 'secure', {}],
    ['with Finished', 'dropped', [22, 20, 23], 'secure', {}],
    ['with nothing', 'abandoned', [22], 'given up', {}],
    ['with the keys of SHA-384', 'closed', [22, 20, 23, 23], 'secure', { ciphers: 'TLS_AES_256_GCM_SHA384' }],
    [
      'with one ChangeCipherSpec, behind another hello',
      'closed',
      [22, 20, 22, 23, 23],
      'secure',
      { ecdhCurve: 'P-384' },
    ],
    ['with nothing where it is asked for a certificate of its own', 'closed', [22], 'given up', { requestCert: true }],
  ])('%s', async (_, parting, records, server, options) => {
    const left = await ask(parting, options);
    expect(left).toEqual({ outcome: 'certificates', records, server, isEnded: true });
  });

  it('with Finished too where the server’s comes a moment behind what it asked for', async () => {
    // A record of Finished with its header, its content type and its tag: SHA-384, and not an octet more.
    const left = await ask('closed', {}, 5 + 4 + 48 + 1 + 16);
    expect(left).toMatchObject({ records: [22, 20, 23, 23], server: 'secure', isEnded: true });
  });
});

it('a probe of TLS 1.2 goes away with nothing, whatever is drawn', async () => {
  for (const parting of ['closed', 'dropped', 'abandoned'] as const) {
    const left = await ask(parting, { maxVersion: 'TLSv1.2' });
    expect(left).toEqual({ outcome: 'certificates', records: [22], server: 'given up', isEnded: true });
  }
});

it('is drawn, mostly as servers take least notice of it', () => {
  const drawn = Array.from({ length: 8 }, (_, at) => drawParting(() => at));
  expect(drawn.filter((each) => each === 'closed')).toHaveLength(6);
  expect(new Set(drawn)).toEqual(new Set(['closed', 'dropped', 'abandoned']));
});

it('says nothing to a server whose Finished is not of this handshake', async () => {
  const messages = [encryptedExtensions(), certificate13(certificate('leaf'))];
  const parts = (parting: Parting) => {
    const mirror = mirrorOf(hello) as Mirror;
    const limits = { handshakeBytes: 65_536, records: 256, certificates: 16 };
    const conversation = new ProbeHandshake({ mirror, recordVersion: 0x0301, limits, parting });
    conversation.feed(new ScriptedServer({ messages }).feed(conversation.start()));
    return { outcome: conversation.outcome?.kind, said: conversation.part(new Uint8Array(0)) };
  };
  const hello = await clientHelloOf();
  expect(parts('closed')).toEqual({ outcome: 'certificates', said: [] });
});
