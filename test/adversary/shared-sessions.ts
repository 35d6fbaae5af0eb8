/** Sessions that the bank's client and the forger share from a time when nobody stood between them. */
import { setImmediate } from 'node:timers/promises';

import { Client, type ClientScript } from './client.ts';
import { RealServer } from './forger/real.ts';
import type { Speaker } from './forger/speaker.ts';
import { Hand12, type SharedSession } from './forger/tls12.ts';
import { identities } from './identities.ts';

export interface FormerSession {
  /** As node:tls takes it. */
  readonly ofClient: Buffer;
  /** Undefined where the forger's is OpenSSL's own. */
  readonly ofForger: SharedSession | undefined;
}

export interface FormerSessions {
  readonly ticket: FormerSession;
  readonly id: FormerSession;
  readonly psk: FormerSession;
}

let made: Promise<FormerSessions> | undefined;

export function formerSessions(): Promise<FormerSessions> {
  return (made ??= make());
}

async function make(): Promise<FormerSessions> {
  return { ticket: await byHand(true), id: await byHand(false), psk: await ofReal() };
}

async function byHand(ticket: boolean): Promise<FormerSession> {
  const { forged, genuine } = identities();
  const server = new Hand12(
    {
      identity: forged.ec,
      kind: 'ec',
      chain: forged.ec.chain,
      random: 'fresh',
      exchange: 'ecdhe',
      signer: forged.ec,
      sessionId: ticket ? 'none' : 'fresh',
      ticket,
      resumes: undefined,
      nonce: 'zero',
      isEarly: false,
      inserted: [],
    },
    genuine.ec.chain,
  );
  const client = await converse({ ...SCRIPT, version: 'TLSv1.2' }, server);
  if (client.session === undefined || server.session === undefined) {
    throw new Error('the forger’s own handshake fails', { cause: client.error });
  }
  return { ofClient: client.session, ofForger: server.session };
}

async function ofReal(): Promise<FormerSession> {
  const server = new RealServer({ whose: 'forged', kind: 'ec', version: 'TLSv1.3', tickets: true }, () => {});
  const client = await converse({ ...SCRIPT, version: 'TLSv1.3' }, server);
  if (client.session === undefined) throw new Error('the forger gives out no session', { cause: client.error });
  return { ofClient: client.session, ofForger: undefined };
}

async function converse(script: ClientScript, server: Speaker): Promise<Client> {
  const client = new Client(script, () => {});
  client.open();
  for (let i = 0; i < 100; i++) {
    await setImmediate();
    server.hear(client.take());
    client.hear(server.take());
  }
  client.close();
  server.close();
  return client;
}

const SCRIPT: Omit<ClientScript, 'version'> = {
  session: undefined,
  sni: true,
  dialogue: undefined,
  ciphers: undefined,
};
