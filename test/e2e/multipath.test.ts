/**
 * Multipath TCP (RFC 8684), with Linux's own ends: an option would say where octets belong, so that a server could show
 * the engine one flight and the client another. Both ends fall back to plain TCP.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';

import { type Bank, makeBank, NAME } from '../support/lab/bank.ts';
import { Engine } from '../support/lab/engine.ts';
import { Lab } from '../support/lab/lab.ts';
import { connectMultipath, startMultipathServer } from '../support/lab/multipath.ts';
import { Wire } from '../support/lab/wire.ts';
import { clientHello, der, readFlight, serverFlight } from '../support/tls-bytes.ts';

const hello = clientHello(NAME);
const FAMILIES = [4, 6] as const;
/** RFC 8684 §3.1: version 1, the server's key. */
const MP_CAPABLE = `1e0c0101${'11'.repeat(8)}`;

let bank: Bank;
let genuine: Buffer;
let forged: Buffer;
beforeAll(() => {
  bank = makeBank();
  genuine = serverFlight(bank.genuine.cert);
  forged = serverFlight(bank.forged.cert);
});
afterAll(() => bank.remove());

/** A connection between two ends that offer Multipath TCP; `isPinned`: over an engine. */
async function connect(version: 4 | 6, flight: Buffer, isPinned = true) {
  const lab = new Lab();
  try {
    const engine = isPinned ? await Engine.start(lab, { config: bank.config }) : undefined;
    const address = lab.address('server', version);
    await startMultipathServer(lab, 'server', address, flight);
    const outcome = await connectMultipath(lab, 'client', address, hello);
    return { outcome, verdict: (await engine?.next(0))?.verdict };
  } finally {
    await lab.close();
  }
}

it.each(FAMILIES)(
  'over IPv%d both ends of the laboratory speak it, where no engine is between them',
  async (version) => {
    const { outcome } = await connect(version, genuine, false);
    expect(outcome).toEqual({ fallback: false, received: genuine });
  },
);

it.each(FAMILIES)('over IPv%d a genuine server is reached by plain TCP', async (version) => {
  const { outcome, verdict } = await connect(version, genuine);
  expect(outcome).toEqual({ fallback: true, received: genuine });
  expect(verdict).toMatchObject({ action: 'accept', reason: 'pin-match' });
});

it.each(FAMILIES)('over IPv%d a forged one is denied', async (version) => {
  const { outcome, verdict } = await connect(version, forged);
  expect(readFlight(outcome.received).handshake.includes(der(bank.forged.cert))).toBe(false);
  expect(verdict).toMatchObject({ action: 'tls-alert', reason: 'pin-mismatch' });
});

it.each(FAMILIES)('over IPv%d a server that offers it unasked is not heard, nor told of it', async (version) => {
  const wire = await Wire.create(bank.config, { synOptions: MP_CAPABLE });
  try {
    const answer = connectMultipath(wire.lab, 'client', wire.lab.address('server', version), hello);
    await wire.server.received(hello.length);
    wire.server.sendStream(genuine);
    expect(await answer).toEqual({ fallback: true, received: genuine });
    expect(wire.server.heard.filter(({ options }) => /1e(04|0c|10|14|16|18)/.test(options))).toEqual([]);
  } finally {
    await wire.close();
  }
});
