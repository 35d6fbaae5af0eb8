/**
 * TLS 1.3 whose clients log their secrets: the server's flight itself is read, up to its proof, and what the client gets
 * of a forged one ends ahead of it.
 */
import { beforeAll, describe, expect, it } from 'vitest';

import type { Identity } from '../../src/runtime/demo/certificates.ts';
import { spkiPin } from '../../src/runtime/demo/certificates.ts';
import { NAME, pinset } from '../support/lab/bank.ts';
import { bank, faces, lab, openFaces, openScene, requestTo, scene } from '../support/lab/bank-scene.ts';
import { describeClients } from '../support/lab/clients.ts';
import { requestWithNode } from '../support/lab/peers.ts';
import type { NodeOutcome, Request } from '../support/lab/peers.ts';

const ELSE = 'else.bank.example';
/** A genuine server's port; the forged one's is behind it. */
const PORT = { short: 4430, long: 4432, group: 4434, faces: 4436, many: 4438 };
/** The gateway, as the server sees it. */
const GATEWAY = '198.51.100.1';
/** As many octets as ServerHello and an alert come to at the most; a Certificate alone is longer. */
const HELLO_AND_ALERT = 250;

let keys: string;
let short: Identity;
let forgedShort: Identity;
beforeAll(async () => {
  const names = [NAME, ELSE];
  const leaf = (name: string): Identity => bank.shop.leaf(name, { issuer: bank.issuer, names });
  await openScene(
    () => {
      [short, forgedShort] = [leaf('short'), leaf('forged-short')];
      const pins = [bank.pin, spkiPin(short.cert)];
      keys = lab.write('keys.log', '');
      return {
        pinsets: [
          pinset({ pins, tls13: 'keylog' }),
          pinset({ name: 'else', match: { hosts: [ELSE] }, pins, tls13: 'keylog-else-probe' }),
        ],
        ports: ['4430-4499'],
        keylog: { file: 'keys.log' },
        probe: { recheck: 0 },
      };
    },
    { names },
  );
  // Three kilobytes.
  const long = (name: string, { cert, key }: Identity) => ({ cert: bank.shop.chain(name, cert, bank.ca, cert), key });
  // More certificates than are read.
  const many = ({ cert, key }: Identity) => ({
    cert: bank.shop.chain('many', cert, ...Array<string>(17).fill(bank.ca)),
    key,
  });
  await openFaces({
    [PORT.short]: [{ ...short, body: 5_000 }],
    [PORT.short + 1]: [{ ...forgedShort }],
    [PORT.long]: [{ ...long('long', bank.genuine), body: 5_000 }],
    [PORT.long + 1]: [long('forged-long', bank.forged)],
    [PORT.group]: [{ ...short, ecdhCurve: 'P-384' }],
    [PORT.group + 1]: [{ ...forgedShort, ecdhCurve: 'P-384' }],
    [PORT.faces]: [{ ...short, from: GATEWAY }, { ...forgedShort }],
    [PORT.many]: [{ ...short, from: GATEWAY }, many(forgedShort)],
  });
});

const to = (port: number, options: object = {}): Request =>
  requestTo(port, { keylog: keys, rejectUnauthorized: false, ...options });
const node = async (port: number, options: object = {}): Promise<NodeOutcome> =>
  (await requestWithNode(lab, 'client', to(port, { counts: true, ...options })))[0]!;

describeClients((ask, client) => {
  const request = (port: number) =>
    ask(lab, 'client', to(port, { counts: true, args: client === 'curl' ? ['--insecure'] : [] }));

  it.each(['short', 'long'] as const)(
    'genuine, a %s flight: read with the secret, and all of it arrives',
    async (size) => {
      const outcome = await request(PORT[size]);
      const { verdict } = await scene.verdict(PORT[size]);
      expect(verdict).toMatchObject({ action: 'accept', reason: 'pin-match', evidence: 'decrypted' });
      expect(outcome).toMatchObject({ error: null });
      expect(outcome.bytes).toBeGreaterThanOrEqual(5_000);
      expect(faces.connections()).not.toContain(GATEWAY);
    },
  );

  it.each(['short', 'long'] as const)('forged, a %s flight: nothing behind its ServerHello arrives', async (size) => {
    const outcome = await request(PORT[size] + 1);
    expect((await scene.verdict(PORT[size] + 1)).verdict).toMatchObject({
      action: 'tls-alert',
      reason: 'pin-mismatch',
      evidence: 'decrypted',
      matched: null,
    });
    expect(outcome.error).not.toBe(null);
    expect(outcome.bytes).toBe(0);
  });
});

describe('a client that believes everything', () => {
  it.each(['short', 'long'] as const)('does not get the forged Certificate, of a %s flight', async (size) => {
    const outcome = await node(PORT[size] + 1);
    expect(outcome.octets).toBeLessThan(HELLO_AND_ALERT);
    expect((await scene.verdict(PORT[size] + 1)).verdict.reason).toBe('pin-mismatch');
  });
});

describe('no secret', () => {
  it('keylog: it is denied when the wait is over, the Certificate unseen', async () => {
    const outcome = await node(PORT.short, { keylog: undefined });
    expect(outcome.error).not.toBe(null);
    expect(outcome.octets).toBeLessThan(HELLO_AND_ALERT);
    expect(outcome.millis).toBeLessThan(3_000);
    expect((await scene.verdict(PORT.short)).verdict).toMatchObject({
      action: 'tls-alert',
      reason: 'keylog-missing',
      evidence: 'none',
    });
  });

  it('a wrong one is none', async () => {
    const outcome = await node(PORT.short, { keylog: undefined, wrongKeylog: keys });
    expect(outcome.error).not.toBe(null);
    expect(outcome.octets).toBeLessThan(HELLO_AND_ALERT);
    expect((await scene.verdict(PORT.short)).verdict).toMatchObject({ action: 'tls-alert', reason: 'keylog-missing' });
  });

  it.each([
    ['genuine', 0, { action: 'accept', reason: 'probe-match', evidence: 'probed' }],
    ['forged', 1, { action: 'tls-alert', reason: 'probe-mismatch', evidence: 'probed' }],
  ])('keylog-else-probe: a probe decides instead: %s', async (_, at, verdict) => {
    const outcome = await node(PORT.short + at, { servername: ELSE, keylog: undefined });
    expect((await scene.verdict(PORT.short + at)).verdict).toMatchObject(verdict);
    if (at === 0) expect(outcome).toMatchObject({ error: null });
    else expect(outcome.octets).toBeLessThan(HELLO_AND_ALERT);
  });
});

describe('with a secret', () => {
  it('keylog-else-probe asks nobody, and believes the wire rather than a probe', async () => {
    const outcome = await node(PORT.faces, { servername: ELSE });
    expect(outcome.octets).toBeLessThan(HELLO_AND_ALERT);
    expect((await scene.verdict(PORT.faces)).verdict).toMatchObject({ reason: 'pin-mismatch', evidence: 'decrypted' });
    expect(faces.connections()).not.toContain(GATEWAY);
  });

  it('keylog-else-probe asks nobody either where the flight cannot be read with it: that is a denial', async () => {
    const outcome = await node(PORT.many, { servername: ELSE });
    // Of a flight that long the beginning does no harm; its Certificate is never whole.
    expect(outcome).toMatchObject({ bytes: 0 });
    expect(outcome.error).not.toBe(null);
    expect((await scene.verdict(PORT.many)).verdict).toMatchObject({
      action: 'tls-alert',
      reason: 'keylog-missing',
      fault: 'tls.certificate.too-many',
    });
    expect(faces.connections()).not.toContain(GATEWAY);
  });

  it('a second hello (HelloRetryRequest) belongs to what is read', async () => {
    expect(await node(PORT.group)).toMatchObject({ error: null });
    expect((await scene.verdict(PORT.group)).verdict).toMatchObject({ reason: 'pin-match', evidence: 'decrypted' });
    const outcome = await node(PORT.group + 1);
    expect(outcome.octets).toBeLessThan(2 * HELLO_AND_ALERT);
    expect((await scene.verdict(PORT.group + 1)).verdict).toMatchObject({
      reason: 'pin-mismatch',
      evidence: 'decrypted',
    });
  });
});
