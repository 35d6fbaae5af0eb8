/** What tlspin is for: real clients, real servers, the kernel's queue; genuine passes, forged does not. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { NAME, pinset } from '../support/lab/bank.ts';
import { anotherLab, bank, lab } from '../support/lab/bank-of-each.ts';
import { connmarks, Engine } from '../support/lab/engine.ts';
import { Lab } from '../support/lab/lab.ts';
import { requestWithCurl, requestWithNode, requestWithOpenssl, startTlsServer } from '../support/lab/peers.ts';
import type { Outcome, Request, TlsServerOptions } from '../support/lab/peers.ts';

const MARK = { mask: 0x3000000, accept: 0x1000000, deny: 0x2000000 };

const CLIENTS: Readonly<Record<string, (request: Request, where?: Lab) => Promise<Outcome>>> = {
  curl: (request, where = lab) => requestWithCurl(where, 'client', request),
  openssl: (request, where = lab) => requestWithOpenssl(where, 'client', request),
  node: async (request, where = lab) => (await requestWithNode(where, 'client', request))[0]!,
};

const requestTo = (version: 4 | 6 = 4): Request => ({
  host: lab.address('server', version),
  servername: NAME,
  ca: bank.ca,
});
const serve = (options: Partial<TlsServerOptions> = {}): Promise<unknown> =>
  startTlsServer(lab, 'server', { identity: bank.genuineChain, body: 50_000, ...options });

describe.each([4, 6] as const)('over IPv%d', (version) => {
  const [genuinePort, forgedPort] = [443, 8443];
  let shared: Lab;
  let engine: Engine;
  let logged: number;
  beforeAll(async () => {
    shared = new Lab();
    engine = await Engine.start(shared, { config: { ...bank.config, ports: [genuinePort, forgedPort] } });
    await startTlsServer(shared, 'server', { identity: bank.genuineChain, port: genuinePort, body: 50_000 });
    await startTlsServer(shared, 'server', { identity: bank.forgedChain, port: forgedPort });
  });
  afterAll(() => shared.close());
  beforeEach(() => {
    logged = engine.verdicts.length;
  });

  const to = (port: number): Request => ({
    host: shared.address('server', version),
    port,
    servername: NAME,
    ca: bank.ca,
  });

  it.each(Object.keys(CLIENTS))('%s reaches the pinned server and reads all of it', async (client) => {
    const outcome = await CLIENTS[client]!(to(genuinePort), shared);
    expect(outcome).toMatchObject({ error: null });
    expect(outcome.bytes).toBeGreaterThanOrEqual(50_000);
    const record = await engine.next(logged);
    expect(record).toMatchObject({
      src_ip: shared.address('client', version),
      dest_ip: shared.address('server', version),
      dest_port: genuinePort,
      verdict: { action: 'accept', reason: 'pin-match', pinset: 'bank', mode: 'enforce', evidence: 'observed' },
      tls: { sni: NAME, version: 'TLS 1.2' },
    });
    expect(connmarks(shared, 'gateway', { clientPort: record.src_port })).toEqual([MARK.accept]);
  });

  it.each(Object.keys(CLIENTS))(
    '%s hears an alert from the forged one within a second, and not one octet of it',
    async (client) => {
      const outcome = await CLIENTS[client]!(to(forgedPort), shared);
      expect(outcome.bytes).toBe(0);
      expect(outcome.error).toMatch(/alert|ALERT/);
      expect(outcome.millis).toBeLessThan(1_000);
      expect(await engine.next(logged)).toMatchObject({
        src_ip: shared.address('client', version),
        dest_ip: shared.address('server', version),
        dest_port: forgedPort,
        verdict: { action: 'tls-alert', reason: 'pin-mismatch', pinset: 'bank', matched: null },
      });
    },
  );
});

describe('verdicts', () => {
  it('reset: the client’s connection is reset', async () => {
    await Engine.start(lab, { config: { pinsets: [pinset({ pins: [bank.pin], onMismatch: 'reset' })] } });
    await serve({ identity: bank.forgedChain });
    const outcome = await CLIENTS.node!(requestTo());
    expect(outcome).toMatchObject({ error: 'ECONNRESET', bytes: 0 });
    expect(outcome.millis).toBeLessThan(1_000);
  });

  it('drop: the client hears nothing any more', async () => {
    await Engine.start(lab, { config: { pinsets: [pinset({ pins: [bank.pin], onMismatch: 'drop' })] } });
    await serve({ identity: bank.forgedChain });
    expect(await CLIENTS.node!({ ...requestTo(), timeout: 2_500 })).toMatchObject({ error: 'TIMEOUT', bytes: 0 });
  });

  it.each([
    ['at its certificate', {}],
    ['at TLS 1.3', { maxVersion: 'TLSv1.3' }],
  ])('denied %s: the client hears an alert at once, and the server is told that it ended', async (_, options) => {
    await Engine.start(lab, { config: bank.config });
    const server = await startTlsServer(lab, 'server', { identity: bank.forgedChain, maxVersion: 'TLSv1.3' });
    const outcome = await CLIENTS.node!({ ...requestTo(), maxVersion: 'TLSv1.2', ...options });
    expect(outcome).toMatchObject({ bytes: 0, error: expect.stringMatching(/ALERT/) as string });
    expect(outcome.millis).toBeLessThan(1_000);
    await server.says(/"tls-error","code":"(ECONNRESET|ERR_SSL_[A-Z0-9_]*ALERT[A-Z_]*)"/, 2_000);
  });

  it('denied at its hello: the client hears an alert at once, and the server nothing of the hello', async () => {
    await Engine.start(lab, { config: { pinsets: [pinset({ pins: [bank.pin], noSni: 'deny' })] } });
    const server = await startTlsServer(lab, 'server', { identity: bank.genuineChain });
    const outcome = await CLIENTS.node!({ ...requestTo(), servername: '' });
    expect(outcome).toMatchObject({ bytes: 0, error: 'ERR_SSL_TLSV1_ALERT_ACCESS_DENIED' });
    expect(outcome.millis).toBeLessThan(1_000);
    expect(server.output).not.toContain('secure');
  });

  it('report-only lets the forged one through and says what enforce had done', async () => {
    const engine = await Engine.start(lab, {
      config: { pinsets: [pinset({ pins: [bank.pin], mode: 'report-only' })] },
    });
    await serve({ identity: bank.forgedChain });
    expect(await CLIENTS.curl!(requestTo())).toMatchObject({ error: null, bytes: 50_000 });
    expect((await engine.next(0)).verdict).toMatchObject({
      action: 'accept',
      reason: 'pin-mismatch',
      mode: 'report-only',
      would: 'tls-alert',
    });
  });

  it('a connmark of the configuration is written besides the engine’s own bits', async () => {
    const onMatch = { verdict: 'accept', connmark: '0x12/0xff' };
    const engine = await Engine.start(lab, { config: { pinsets: [pinset({ pins: [bank.pin], onMatch })] } });
    await serve();
    expect(await CLIENTS.curl!(requestTo())).toMatchObject({ error: null });
    const { src_port: clientPort } = await engine.next(0);
    expect(connmarks(lab, 'gateway', { clientPort })).toEqual([MARK.accept | 0x12]);
  });
});

describe('what is looked at', () => {
  it('the whole list is not: the genuine certificate appended behind a forged leaf helps nobody', async () => {
    const engine = await Engine.start(lab, { config: bank.config });
    const stuffed = bank.shop.chain('stuffed', bank.forged.cert, bank.genuine.cert);
    await serve({ identity: { cert: stuffed, key: bank.forged.key } });
    expect(await CLIENTS.curl!(requestTo())).toMatchObject({ bytes: 0 });
    expect((await engine.next(0)).verdict).toMatchObject({ action: 'tls-alert', reason: 'pin-mismatch' });
  });

  it('an address pinset holds without a server name', async () => {
    const match = { addresses: ['198.51.100.0/24', '2001:db8:2::/64'] };
    const engine = await Engine.start(lab, { config: { pinsets: [{ name: 'address', match, pins: [bank.pin] }] } });
    await serve({ identity: bank.forgedChain });
    expect(await CLIENTS.openssl!({ host: lab.address('server'), ca: bank.ca })).toMatchObject({
      bytes: 0,
      error: expect.stringMatching(/alert/) as string,
    });
    expect((await engine.next(0)).verdict).toMatchObject({ reason: 'pin-mismatch', pinset: 'address' });
  });

  it('any spelling of a pin is: the certificate’s SHA-1 and SHA-256, the key itself', async () => {
    const { X509Certificate } = await import('node:crypto');
    const { readFileSync } = await import('node:fs');
    const certificate = new X509Certificate(readFileSync(bank.genuine.cert));
    const spki = certificate.publicKey.export({ type: 'spki', format: 'der' }).toString('hex');
    const spellings = [
      certificate.fingerprint,
      `sha256 Fingerprint=${certificate.fingerprint256}`,
      `rsa:${spki}`,
      { file: bank.genuine.cert },
    ];
    for (const [at, pin] of spellings.entries()) {
      await anotherLab();
      const engine = await Engine.start(lab, { config: { pinsets: [pinset({ pins: [pin] })] } });
      await serve();
      expect(await CLIENTS.curl!(requestTo()), `spelling ${at}`).toMatchObject({ error: null });
      expect((await engine.next(0)).verdict.reason).toBe('pin-match');
    }
  });

  it('xt_sslpin’s numbered lists and rules decide as they did', async () => {
    const { X509Certificate } = await import('node:crypto');
    const { readFileSync } = await import('node:fs');
    const sha1 = new X509Certificate(readFileSync(bank.forged.cert)).fingerprint;
    const engine = await Engine.start(lab, {
      config: { lists: { 0: { entries: [sha1] } }, rules: [{ fpl: '0', verdict: 'tls-alert' }] },
    });
    await serve({ identity: bank.forgedChain });
    await serve({ port: 444 });
    expect(await CLIENTS.curl!(requestTo())).toMatchObject({ bytes: 0 });
    expect((await engine.next(0)).verdict).toMatchObject({
      ...{ action: 'tls-alert', reason: 'rule' },
      rules: [{ index: 0, list: '0', entry: `cert-sha1:${sha1.replaceAll(':', '').toLowerCase()}` }],
    });
  });
});

describe('what no certificate can decide', () => {
  it('TLS 1.3 to a pinned host is denied or accepted as the configuration says', async () => {
    const engine = await Engine.start(lab, { config: { pinsets: [pinset({ pins: [bank.pin], tls13: 'deny' })] } });
    await serve({ maxVersion: 'TLSv1.3' });
    expect(await CLIENTS.curl!(requestTo())).toMatchObject({ bytes: 0 });
    expect((await engine.next(0)).verdict.action).toBe('tls-alert');
    await anotherLab();
    await Engine.start(lab, { config: { pinsets: [pinset({ pins: [bank.pin], tls13: 'accept' })] } });
    await serve({ maxVersion: 'TLSv1.3' });
    expect(await CLIENTS.curl!(requestTo())).toMatchObject({ error: null });
  });

  it('a session that was given out in a matching flow may be resumed', async () => {
    const engine = await Engine.start(lab, { config: bank.config });
    await serve();
    const outcomes = await requestWithNode(lab, 'client', { ...requestTo(), maxVersion: 'TLSv1.2', requests: 2 });
    expect(outcomes).toMatchObject([
      { error: null, resumed: false },
      { error: null, resumed: true },
    ]);
    expect((await engine.logged(2)).map(({ verdict }) => verdict.reason)).toEqual(['pin-match', 'resumed-bound']);
  });

  it('unpinned traffic passes as it is, TLS 1.2, TLS 1.3 and no TLS at all', async () => {
    const pinsets = [pinset({ match: { hosts: [NAME], ports: [443, 444] }, pins: [bank.pin] })];
    const engine = await Engine.start(lab, { config: { pinsets, ports: [443, 444, 8080] } });
    const identity = bank.shop.leaf('other', { issuer: bank.genuine, names: ['other.example'] });
    await serve({ identity });
    await serve({ identity, port: 444, maxVersion: 'TLSv1.3' });
    for (const port of [443, 444]) {
      const [outcome] = await requestWithNode(lab, 'client', {
        ...requestTo(),
        servername: 'other.example',
        port,
        rejectUnauthorized: false,
      });
      expect(outcome).toMatchObject({ error: null });
    }
    const plain =
      "require('node:http').createServer((q, s) => s.end('plain')).listen(8080, '::', () => console.log('listening'))";
    await lab.start('server', [process.execPath, '-e', plain]).says(/listening/);
    expect(lab.run('client', 'curl', '-s', `http://${lab.address('server')}:8080/`)).toBe('plain');
    expect(
      engine.verdicts.filter(({ verdict }) => verdict.action !== 'accept' || verdict.reason === 'unpinned'),
    ).toEqual([]);
  });
});
