/**
 * Sessions of TLS 1.2 that go on without a certificate: one that was given out in a flow whose pins matched may be
 * resumed with the same server; any other is denied in a way that clients forget it, and their next handshake is whole.
 */
import { describe, expect, it } from 'vitest';

import { NAME, pinset } from '../support/lab/bank.ts';
import { bank, lab } from '../support/lab/bank-of-each.ts';
import { Engine } from '../support/lab/engine.ts';
import { runOpensslClient, startOpensslServer } from '../support/lab/openssl.ts';
import type { ClientRun } from '../support/lab/openssl.ts';
import { requestWithNode, startTlsServer } from '../support/lab/peers.ts';

/** What the server hands out, by its own options. */
const KINDS = { 'session ids': ['-no_ticket'], tickets: [] } as const;
const SUITE = ['-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256'];

const serve = (kind: keyof typeof KINDS): Promise<unknown> =>
  startOpensslServer(lab, 'server', { identity: bank.genuine, args: [...SUITE, ...KINDS[kind]] });

function connect(...args: readonly string[]): Promise<ClientRun> {
  return connectTo(lab.address('server'), ...args);
}
function connectTo(address: string, ...args: readonly string[]): Promise<ClientRun> {
  return runOpensslClient(lab, 'client', { address, servername: NAME, args: [...SUITE, ...args] });
}
const first = (): Promise<ClientRun> => connect('-sess_out', lab.path('session'));
const again = (): Promise<ClientRun> => connect('-sess_in', lab.path('session'));
/** What is not bound is not asked about either. */
const strict = (): object => ({ pinsets: [pinset({ pins: [bank.pin], resumed: 'bound' })] });
const reasons = async (engine: Engine, count: number): Promise<string[]> =>
  (await engine.logged(count)).map(({ verdict }) => verdict.reason);

describe.each(Object.keys(KINDS) as (keyof typeof KINDS)[])('with %s', (kind) => {
  it('a session that began in a flow whose pins matched is resumed, by openssl', async () => {
    const engine = await Engine.start(lab, { config: bank.config });
    await serve(kind);
    expect(await first()).toMatchObject({ answered: true, resumed: false });
    expect(await again()).toMatchObject({ answered: true, resumed: true });
    const [, record] = await engine.logged(2);
    expect(record!.verdict).toMatchObject({ action: 'accept', reason: 'resumed-bound', evidence: 'resumed' });
  });

  it('time and again', async () => {
    const engine = await Engine.start(lab, { config: bank.config });
    await serve(kind);
    await first();
    for (let i = 0; i < 3; i++) expect(await again()).toMatchObject({ answered: true, resumed: true });
    expect(await reasons(engine, 4)).toEqual(['pin-match', ...Array<string>(3).fill('resumed-bound')]);
  });

  it('one that an engine of earlier gave out is unbound, and denied with an alert', async () => {
    const engine = await Engine.start(lab, { config: strict() });
    await serve(kind);
    await first();
    await engine.logged(1);
    await engine.kill();
    await engine.run();
    const run = await again();
    expect(run).toMatchObject({ answered: false });
    expect(run.text).toMatch(/alert/);
    expect((await engine.next(1)).verdict).toMatchObject({
      action: 'tls-alert',
      reason: 'resumed-unbound',
      evidence: 'none',
    });
    expect(await connect()).toMatchObject({ answered: true, resumed: false });
    expect((await engine.next(2)).verdict.reason).toBe('pin-match');
  });

  it('one from before the rules is unbound, unless the configuration accepts such', async () => {
    await serve(kind);
    await first();
    const engine = await Engine.start(lab, { config: { pinsets: [pinset({ pins: [bank.pin], resumed: 'accept' })] } });
    expect(await again()).toMatchObject({ answered: true, resumed: true });
    expect((await engine.next(0)).verdict).toMatchObject({ action: 'accept', reason: 'resumed-unbound' });
  });

  it('one of another address of the same server is unbound', async () => {
    const engine = await Engine.start(lab, { config: strict() });
    await serve(kind);
    await first();
    const run = await connectTo(lab.address('server', 6), '-sess_in', lab.path('session'));
    expect(run).toMatchObject({ answered: false });
    expect(await reasons(engine, 2)).toEqual(['pin-match', 'resumed-unbound']);
  });

  it('one that a bound session led to is bound in its turn', async () => {
    const engine = await Engine.start(lab, { config: bank.config });
    await serve(kind);
    await first();
    await connect('-sess_in', lab.path('session'), '-sess_out', lab.path('session'));
    expect(await again()).toMatchObject({ answered: true, resumed: true });
    expect(await reasons(engine, 3)).toEqual(['pin-match', 'resumed-bound', 'resumed-bound']);
  });

  it('a configuration may deny all of them', async () => {
    const engine = await Engine.start(lab, { config: { pinsets: [pinset({ pins: [bank.pin], resumed: 'deny' })] } });
    await serve(kind);
    await first();
    expect(await again()).toMatchObject({ answered: false });
    expect((await engine.next(1)).verdict).toMatchObject({ action: 'tls-alert', reason: 'resumed-bound' });
  });
});

describe('Node’s client', () => {
  const twice = (): ReturnType<typeof requestWithNode> =>
    requestWithNode(lab, 'client', {
      host: lab.address('server'),
      servername: NAME,
      ca: bank.ca,
      maxVersion: 'TLSv1.2',
      requests: 2,
    });

  it('resumes what began in a flow whose pins matched', async () => {
    const engine = await Engine.start(lab, { config: bank.config });
    await startTlsServer(lab, 'server', { identity: bank.genuineChain });
    expect(await twice()).toMatchObject([
      { error: null, resumed: false },
      { error: null, resumed: true },
    ]);
    expect(await reasons(engine, 2)).toEqual(['pin-match', 'resumed-bound']);
  });

  it('does not resume what was given out where the pins were only reported about', async () => {
    const fields = { pins: [bank.pin], mode: 'report-only', resumed: 'bound' };
    const engine = await Engine.start(lab, { config: { pinsets: [pinset(fields)] } });
    await startTlsServer(lab, 'server', { identity: bank.genuineChain });
    await twice();
    const [, record] = await engine.logged(2);
    expect(record!.verdict).toMatchObject({ action: 'accept', reason: 'resumed-unbound', would: 'tls-alert' });
  });
});

describe('a client that says nothing in between', () => {
  it('resumes all the same: whether it believed the session nobody can tell, so a probe decides', async () => {
    const engine = await Engine.start(lab, { config: bank.config });
    // Openssl's own server has no ear for a probe while it serves somebody, whose session is not doubted until then.
    await startTlsServer(lab, 'server', { identity: bank.genuineChain });
    const { connections } = await connect('-reconnect');
    expect(connections).toEqual(['New', ...Array<string>(5).fill('Reused')]);
    expect(await reasons(engine, 6)).toEqual(['pin-match', ...Array<string>(5).fill('probe-match')]);
  });
});

describe('a server without the pinned key', () => {
  it('cannot resume what the pinned one gave out', async () => {
    const engine = await Engine.start(lab, { config: bank.config });
    const pinned = await startOpensslServer(lab, 'server', { identity: bank.genuine, args: SUITE });
    await first();
    await pinned.stop('SIGKILL');
    await startOpensslServer(lab, 'server', { identity: bank.forged, args: SUITE });
    expect(await again()).toMatchObject({ answered: false });
    expect(await reasons(engine, 2)).toEqual(['pin-match', 'pin-mismatch']);
  });
});
