/** Pins above the leaf, with real servers and clients: what counts is the verified path, and then name, dates and trust. */
import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { CertificateShop, spkiPin } from '../../src/runtime/demo/certificates.ts';
import type { Identity } from '../../src/runtime/demo/certificates.ts';
import { NAME, pinset } from '../support/lab/bank.ts';
import { Engine } from '../support/lab/engine.ts';
import type { VerdictRecord } from '../support/lab/engine.ts';
import { Lab } from '../support/lab/lab.ts';
import { startNginx, startOpensslServer } from '../support/lab/openssl.ts';
import { requestWithNode, startTlsServer } from '../support/lab/peers.ts';
import type { NodeOutcome } from '../support/lab/peers.ts';
import { mint, newKeys } from '../support/mint.ts';
import { lacks } from '../support/programs.ts';

let directory: string;
let shop: CertificateShop;
let root: Identity;
let intermediate: Identity;
let genuine: Identity;
let customer: Identity;
let expired: Identity;
let stranger: Identity;

let lab: Lab;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tlspin-paths-'));
  shop = new CertificateShop(directory);
  root = shop.authority('root');
  intermediate = shop.authority('intermediate', { issuer: root });
  genuine = shop.leaf('genuine', { issuer: intermediate, names: [NAME] });
  customer = shop.leaf('customer', { issuer: intermediate, names: ['shop.example'] });
  expired = shop.leaf('expired', { issuer: intermediate, names: [NAME], days: -1 });
  stranger = shop.authority('stranger');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));
beforeEach(() => {
  lab = new Lab();
});
afterEach(() => lab.close());

/** A chain as a server presents it: the key of the first. */
function presenting(name: string, leaf: Identity, ...others: readonly Identity[]): Identity {
  return { cert: shop.chain(name, leaf.cert, ...others.map(({ cert }) => cert)), key: leaf.key };
}

const onIntermediate = (): object => ({ pin: spkiPin(intermediate.cert), at: 'ca' });

/** One request, by a client that believes every certificate, to a server with this chain. */
async function judge(identity: Identity, fields: object): Promise<{ record: VerdictRecord; outcome: NodeOutcome }> {
  const engine = await Engine.start(lab, { config: { pinsets: [pinset(fields)] } });
  await startTlsServer(lab, 'server', { identity });
  return { outcome: await request(), record: await engine.next(0) };
}

async function request(options: object = {}): Promise<NodeOutcome> {
  const untrusting = { ca: root.cert, rejectUnauthorized: false, servername: NAME };
  const [outcome] = await requestWithNode(lab, 'client', { host: lab.address('server'), ...untrusting, ...options });
  return outcome!;
}

async function expectDenied(identity: Identity, fields: object, reason: string): Promise<void> {
  const { record, outcome } = await judge(identity, fields);
  expect(record.verdict).toMatchObject({ action: 'tls-alert', reason, pinset: 'bank' });
  expect(outcome).toMatchObject({ bytes: 0, error: expect.stringMatching(/ALERT/) as string });
  expect(outcome.millis).toBeLessThan(2_000);
}

async function expectMatch(identity: Identity, fields: object): Promise<void> {
  const { record, outcome } = await judge(identity, fields);
  expect(record.verdict).toMatchObject({ action: 'accept', reason: 'pin-match', evidence: 'observed' });
  expect(outcome).toMatchObject({ error: null });
  expect(outcome.bytes).toBeGreaterThan(0);
}

describe('a pin on the intermediate: the genuine server passes', () => {
  const chain = (): Identity => presenting('ordinary', genuine, intermediate);

  it.each([
    ['Node', () => startTlsServer(lab, 'server', { identity: chain() })],
    ['openssl', () => startOpensslServer(lab, 'server', { identity: genuine, chain: chain().cert, args: ['-tls1_2'] })],
  ])('%s', (_name, serve) => expectServed(serve));

  it.skipIf(lacks('nginx'))('nginx', () => expectServed(() => startNginx(lab, 'server', chain())));

  async function expectServed(serve: () => Promise<unknown>): Promise<void> {
    const engine = await Engine.start(lab, { config: { pinsets: [pinset({ pins: [onIntermediate()] })] } });
    await serve();
    const outcome = await request({ rejectUnauthorized: true });
    expect((await engine.next(0)).verdict).toMatchObject({ action: 'accept', reason: 'pin-match' });
    expect(outcome).toMatchObject({ error: null });
  }

  it('its certificates out of order, with strangers among them', async () => {
    const identity = presenting('unordered', genuine, stranger, root, intermediate, customer);
    await expectMatch(identity, { pins: [onIntermediate()] });
  });

  it('where the pinned root is not sent, but trusted', async () => {
    await expectMatch(chain(), { pins: [spkiPin(root.cert)], checks: { trust: root.cert } });
  });

  it('where the pinned root is not sent, but given whole', async () => {
    await expectMatch(chain(), { pins: [{ pin: { file: root.cert }, at: 'ca' }] });
  });
});

describe('a pin on the intermediate: others do not pass', () => {
  it('another customer of it, with another name', async () => {
    const identity = presenting('customer', customer, intermediate);
    await expectDenied(identity, { pins: [onIntermediate()] }, 'name-mismatch');
  });

  it('a certificate that another customer of it issued with the key of a leaf', async () => {
    const forged = shop.leaf('issued-by-leaf', { issuer: customer, names: [NAME] });
    const identity = presenting('issued-by-leaf', forged, customer, intermediate);
    await expectDenied(identity, { pins: [onIntermediate()] }, 'pin-mismatch');
  });

  it('one that bears the intermediate’s name, with a key of its own', async () => {
    mkdirSync(join(directory, 'imposter'));
    const imposter = new CertificateShop(join(directory, 'imposter')).authority('intermediate');
    const forged = shop.leaf('issued-by-imposter', { issuer: imposter, names: [NAME] });
    const identity = presenting('issued-by-imposter', forged, imposter, intermediate, root);
    await expectDenied(identity, { pins: [onIntermediate()] }, 'pin-mismatch');
  });

  it('the genuine name and issuer, out of date', async () => {
    const identity = presenting('expired', expired, intermediate);
    await expectDenied(identity, { pins: [onIntermediate()] }, 'certificate-expired');
  });

  it('the genuine leaf where the link to the pinned root is missing', async () => {
    const identity = presenting('gap', genuine, root);
    await expectDenied(identity, { pins: [{ pin: spkiPin(root.cert), at: 'ca' }] }, 'pin-mismatch');
  });
});

describe('a pin above the leaf needs a name', () => {
  const match = { addresses: ['198.51.100.0/24'] };

  it('where there is none, it does not count', async () => {
    const identity = presenting('nameless', genuine, intermediate);
    const engine = await Engine.start(lab, { config: { pinsets: [pinset({ match, pins: [onIntermediate()] })] } });
    await startTlsServer(lab, 'server', { identity });
    expect(await request({ servername: '' })).toMatchObject({ bytes: 0 });
    expect((await engine.next(0)).verdict).toMatchObject({ action: 'tls-alert', reason: 'name-mismatch' });
  });

  it('the pinset’s own names stand in', async () => {
    const identity = presenting('named', genuine, intermediate);
    const fields = { match, pins: [onIntermediate()], names: [NAME] };
    const engine = await Engine.start(lab, { config: { pinsets: [pinset(fields)] } });
    await startTlsServer(lab, 'server', { identity });
    expect(await request({ servername: '' })).toMatchObject({ error: null });
    expect((await engine.next(0)).verdict).toMatchObject({ action: 'accept', reason: 'pin-match' });
  });
});

describe('a chain that is made to be expensive', () => {
  it('is denied as unexaminable, and six of them keep nobody waiting', async () => {
    // One name and key for all, so that each may have issued each; and each has constraints for a thousand names.
    const keys = newKeys();
    const issuer = { subject: 'X', privateKey: keys.privateKey };
    const permitted = Array.from({ length: 98 }, (_, i) => `${i}.else.example`);
    const names = Array.from({ length: 999 }, (_, i) => `${i}.good.example`);
    const leaf = mint({ subject: NAME, issuer, names: [...names, NAME, 'nowhere.test'] });
    const plain = Array.from({ length: 7 }, () => mint({ subject: 'X', issuer, keys, isCa: true }));
    const heavy = Array.from({ length: 7 }, () =>
      mint({ subject: 'X', issuer, keys, isCa: true, permitted: [...permitted, NAME, 'good.example'] }),
    );
    const identity = { cert: join(directory, 'heavy.pem'), key: join(directory, 'heavy.key') };
    const pem = [leaf, ...plain, ...heavy].map(({ der }) => new X509Certificate(der).toString());
    writeFileSync(identity.cert, `${pem.join('')}${readFileSync(intermediate.cert, 'utf8')}`);
    writeFileSync(identity.key, leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const engine = await Engine.start(lab, { config: { pinsets: [pinset({ pins: [onIntermediate()] })] } });
    await startTlsServer(lab, 'server', { identity });
    await Promise.all(Array.from({ length: 6 }, () => request()));
    for (let i = 0; i < 6; i++) {
      const { verdict } = await engine.next(i);
      expect(verdict).toMatchObject({ reason: 'unexaminable', fault: 'x509.budget.comparisons' });
    }
  });
});

describe('a pinned leaf speaks for itself', () => {
  it('out of date and of another name, it passes', async () => {
    const other = shop.leaf('old', { issuer: intermediate, names: ['old.example'], days: -1 });
    await expectMatch(other, { pins: [spkiPin(other.cert)] });
  });

  it('unless its name is to be checked', async () => {
    await expectDenied(customer, { pins: [spkiPin(customer.cert)], checks: { name: 'on' } }, 'name-mismatch');
  });

  it('unless its dates are to be checked', async () => {
    await expectDenied(expired, { pins: [spkiPin(expired.cert)], checks: { validity: 'on' } }, 'certificate-expired');
  });

  it('unless its issuers are to be trusted', async () => {
    const identity = presenting('trust', genuine, intermediate);
    const fields = { pins: [spkiPin(genuine.cert)], checks: { trust: stranger.cert } };
    await expectDenied(identity, fields, 'untrusted');
  });

  it('and they are', async () => {
    const identity = presenting('trusted', genuine, intermediate);
    await expectMatch(identity, { pins: [spkiPin(genuine.cert)], checks: { trust: root.cert } });
  });
});
