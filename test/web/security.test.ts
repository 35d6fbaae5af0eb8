/** Who gets anything of the console, and who does not: over real sockets, as browsers and others ask. */
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { VerdictEvent } from '../../src/judge/events.ts';
import { whoHas } from '../../src/web/guard.ts';
import { listening } from '../../src/web/listen.ts';
import { localUserOf } from '../../src/web/local-user.ts';
import { Sessions } from '../../src/web/sessions.ts';
import { defaultTokenFile, TokenFile } from '../../src/web/token-file.ts';
import { certificate } from '../support/certificates.ts';
import { ConsoleStage } from '../support/console.ts';
import { tlsSummary } from '../support/verdict-event.ts';

let stage: ConsoleStage;
beforeEach(() => (stage = new ConsoleStage()));
afterEach(() => stage.close());

const DENIED: Partial<VerdictEvent> = {
  action: 'tls-alert',
  reason: 'pin-mismatch',
  tls: tlsSummary({ certificates: [certificate('forged')] }),
};

async function openWithEntry(options: Parameters<ConsoleStage['open']>[0] = {}): Promise<string> {
  stage.engine.decide(DENIED);
  await stage.open(options);
  await stage.signIn();
  await expect.poll(() => stage.served.console.inbox.entries.length).toBe(1);
  return `/api/inbox/${stage.served.console.inbox.entries[0]!.id}`;
}

describe('without a session', () => {
  it('there is the page, which holds nothing, and no answer of /api', async () => {
    await stage.open();
    expect(await stage.ask({ path: '/' })).toMatchObject({ status: 200, text: '<!doctype html><title>page</title>' });
    for (const path of ['session', 'overview', 'series', 'inbox', 'verdicts', 'flows/1', 'events', 'nothing']) {
      expect([path, (await stage.ask({ path: `/api/${path}` })).status]).toEqual([path, 401]);
    }
  });

  it('a wrong token is none, and the right one is an own, strict cookie that no script reads', async () => {
    await stage.open();
    const wrong = await stage.ask({ path: '/enter?token=wrong' });
    expect([wrong.status, wrong.headers['set-cookie']]).toEqual([303, undefined]);
    expect((await stage.post('/api/session', { secret: 'wrong' })).status).toBe(401);
    expect((await stage.post('/api/session', { secret: 7 })).status).toBe(401);
    const right = await stage.ask({ path: `/enter?token=${stage.token}` });
    expect([right.status, right.headers.location]).toEqual([303, '/']);
    expect(right.headers['set-cookie']![0]).toMatch(/^tlspin-\d+=[\w-]{43};.* Path=\/;.*HttpOnly;.*SameSite=Strict$/);
    const form = await stage.post('/api/session', { secret: stage.token });
    expect(JSON.parse(form.text)).toMatchObject({
      may_change: true,
      csrf: expect.stringMatching(/^[\w-]{43}$/) as string,
    });
    expect(
      (await stage.ask({ path: '/api/inbox', headers: { cookie: `tlspin-${stage.port}=${'a'.repeat(43)}` } })).status,
    ).toBe(401);
  });

  it('the token is in a file of its owner alone, is another one each time, and is gone with the process', async () => {
    await stage.open();
    const file = stage.served.tokenFile;
    expect([statSync(file).mode & 0o777, readFileSync(file, 'utf8')]).toEqual([0o600, `${stage.token}\n`]);
    await stage.served.stop();
    expect(statSync(file, { throwIfNoEntry: false })).toBeUndefined();
  });

  it('the token of another console that has been put there meanwhile stays', async () => {
    await stage.open();
    new TokenFile(stage.served.tokenFile, 'another');
    await stage.served.stop();
    expect(readFileSync(stage.served.tokenFile, 'utf8')).toBe('another\n');
    expect(defaultTokenFile(8477)).not.toBe(defaultTokenFile(8478));
  });

  it('who guesses over loopback is told apart by user', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [accepted] = (await once(server, 'connection')) as [Socket];
    expect(localUserOf(accepted)).toBe(process.getuid!());
    expect(localUserOf({ remoteAddress: '192.0.2.1', remotePort: client.localPort, localPort: 1 })).toBeUndefined();
    client.destroy();
    server.close();
  });

  it('guesses of a password are few, and keep nobody out who has the token', async () => {
    let now = 0;
    const sessions = new Sessions({ token: 'token', password: 'password', now: () => now });
    for (let i = 0; i < 10; i++) expect(sessions.signIn(`guess ${i}`, () => 'a')).toBeUndefined();
    expect(sessions.signIn('password', () => 'a')).toBe('limited');
    expect(sessions.signIn('password', () => 'b')).toHaveProperty('csrf');
    expect(sessions.signIn('token', () => 'a')).toHaveProperty('csrf');
    now += 60_000;
    expect(sessions.signIn('password', () => 'a')).toHaveProperty('csrf');
  });

  it('guesses from all addresses of a network of IPv6 are somebody’s alone', () => {
    expect(whoHas('2001:db8:0:1::7')).toBe(whoHas('2001:db8:0:1:ffff::8'));
    expect(whoHas('2001:db8:0:2::7')).not.toBe(whoHas('2001:db8:0:1::7'));
    expect(['::ffff:192.0.2.1', '192.0.2.1', '::1', ''].map(whoHas)).toEqual(['192.0.2.1', '192.0.2.1', '::1', '']);
  });

  it('a session ends after a while, and when it is signed out', async () => {
    let now = 0;
    const sessions = new Sessions({ token: 'token', password: null, now: () => now });
    const session = sessions.signIn('token', () => 'a') as { id: string };
    expect(sessions.find(session.id)).toBe(session);
    now += 13 * 3_600_000;
    expect(sessions.find(session.id)).toBeUndefined();
    await stage.open();
    await stage.signIn();
    expect((await stage.post('/api/session', '', {}, 'DELETE')).status).toBe(204);
    expect((await stage.get('/api/inbox')).status).toBe(401);
  });
});

describe('a page of somebody else', () => {
  it('that has turned its name round to here gets nothing (DNS rebinding)', async () => {
    await stage.open();
    await stage.signIn();
    const hosts = ['evil.example', `evil.example:${stage.port}`, `127.0.0.1:${stage.port}.evil.example`, '127.0.0.1'];
    for (const host of hosts) {
      for (const path of ['/', '/api/inbox', `/enter?token=${stage.token}`]) {
        const { status, headers } = await stage.get(path, { host });
        expect([host, path, status < 400, headers['set-cookie']]).toEqual([host, path, false, undefined]);
      }
    }
    for (const host of [`localhost:${stage.port}`, `[::1]:${stage.port}`]) {
      expect((await stage.get('/api/inbox', { host })).status).toBe(200);
    }
  });

  it('changes nothing with the cookie of who looks at it, nor reads', async () => {
    const path = await openWithEntry();
    const body = { answer: 'deny' };
    for (const origin of ['https://evil.example', 'http://127.0.0.1:1', 'null', `http://localhost:${stage.port}`]) {
      expect([origin, (await stage.post(path, body, { origin })).status]).toEqual([origin, 403]);
      expect([origin, (await stage.get('/api/inbox', { origin })).status]).toEqual([origin, 403]);
    }
    expect((await stage.get('/api/inbox', { 'sec-fetch-site': 'same-site' })).status).toBe(403);
    expect((await stage.post(path, body, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    const { cookie, csrf } = stage;
    const json = { 'content-type': 'application/json', cookie, 'x-csrf-token': csrf };
    const bare = { path, method: 'POST', body: JSON.stringify(body) };
    // Neither a form, which tells no origin where it is old, nor one that knows the address alone.
    expect((await stage.ask({ ...bare, headers: json })).status).toBe(403);
    expect((await stage.post(path, body, { 'x-csrf-token': '' })).status).toBe(403);
    expect((await stage.post(path, body, { 'x-csrf-token': 'a'.repeat(43) })).status).toBe(403);
    expect((await stage.post(path, 'answer=deny', { 'content-type': 'text/plain' })).status).toBe(415);
    expect(stage.engine.asked).toEqual([]);
    expect((await stage.post(path, body)).status).toBe(200);
    expect(stage.engine.asked).toMatchObject([{ action: 'deny', pinset: 'bank' }]);
  });

  it('is let into no frame, and none of its scripts, styles and requests into ours', async () => {
    await stage.open();
    const { headers } = await stage.ask({ path: '/' });
    const policy = String(headers['content-security-policy']);
    expect(policy.split('; ').map((part) => part.replace(/;$/, ''))).toEqual(
      expect.arrayContaining([
        ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"],
        ...["frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"],
      ]),
    );
    expect(policy).not.toContain('unsafe');
    expect(headers).toMatchObject({
      ...{ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'x-frame-options': 'DENY' },
      ...{ 'cross-origin-opener-policy': 'same-origin', 'cross-origin-resource-policy': 'same-origin' },
    });
    expect(headers['access-control-allow-origin']).toBeUndefined();
  });
});

describe('whoever is signed in', () => {
  it('changes nothing where the console only shows', async () => {
    const path = await openWithEntry({ allowsChanges: false });
    expect(await stage.post(path, { answer: 'accept' })).toMatchObject({ status: 403, text: /--allow-changes/ });
    expect(JSON.parse((await stage.get('/api/session')).text)).toMatchObject({ may_change: false });
    expect(stage.engine.asked).toEqual([]);
  });

  it('is told what is wrong with a request, and the engine is not', async () => {
    const path = await openWithEntry();
    const wrong = [
      {},
      { answer: 'burn' },
      { answer: 'deny', dry_run: true },
      { answer: 'deny', comment: 7 },
      { answer: 'accept' },
      { answer: 'accept', seen: { key: 'k', generation: '1', config: 'c' } },
      'nonsense',
      '[]',
    ];
    for (const body of wrong) expect([body, (await stage.post(path, body)).status]).toEqual([body, 400]);
    expect((await stage.post('/api/inbox/ffffffffffff', { answer: 'deny' })).status).toBe(404);
    expect((await stage.post(path, { answer: 'deny', comment: 'x'.repeat(20_000) })).status).toBe(413);
    expect((await stage.get('/api/verdicts?who=%3Cscript%3E')).status).toBe(400);
    expect((await stage.get('/api/verdicts?limit=-1')).status).toBe(400);
    expect(stage.engine.asked).toEqual([]);
    stage.engine.refusal = 'the pinset "bank" takes no keys while tlspin runs';
    const { key } = stage.served.console.inbox.entries[0]!;
    const seen = { key, generation: 3, config: 'sha256:00' };
    expect(await stage.post(path, { answer: 'accept', seen: { ...seen, key: 'another' } })).toMatchObject({
      ...{ status: 409, text: /look again/ },
    });
    expect(stage.engine.asked).toEqual([]);
    expect(await stage.post(path, { answer: 'accept', seen })).toMatchObject({ status: 409, text: /takes no keys/ });
    expect(stage.engine.asked).toMatchObject([{ action: 'accept', key, generation: 3, config: 'sha256:00' }]);
  });

  it('and sends a body without end is not read to its end', async () => {
    const path = await openWithEntry();
    const headers = { 'transfer-encoding': 'chunked' };
    const { status } = await stage.post(
      path,
      JSON.stringify({ answer: 'deny', comment: 'x'.repeat(1_000_000) }),
      headers,
    );
    expect(status).toBe(413);
    expect(stage.engine.asked).toEqual([]);
  });

  it('asks too often is asked to wait', async () => {
    await stage.open({ rate: { perSecond: 0.001, burst: 5 } });
    await stage.signIn();
    for (let i = 0; i < 4; i++) expect((await stage.get('/api/session')).status).toBe(200);
    expect(await stage.get('/api/session')).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
  });

  it('and who has the token are not kept out by strangers on the same machine', async () => {
    await stage.open({ rate: { perSecond: 0.001, burst: 5 } });
    for (let i = 0; i < 5; i++) await stage.ask({ path: '/' });
    expect((await stage.ask({ path: '/' })).status).toBe(429);
    expect((await stage.ask({ path: '/enter?token=wrong' })).headers['set-cookie']).toBeUndefined();
    await stage.signIn();
    expect((await stage.get('/api/inbox')).status).toBe(200);
  });

  it('gets a connection, however many strangers hold open', async () => {
    await stage.open();
    const strangers = Array.from({ length: 300 }, () => connect(stage.port, '127.0.0.1').on('error', () => {}));
    await Promise.all(strangers.map((socket) => once(socket, 'connect')));
    await stage.signIn();
    expect((await stage.get('/api/inbox')).status).toBe(200);
    await expect.poll(() => strangers.filter(({ readyState }) => readyState === 'open').length).toBeLessThan(256);
    expect(strangers.filter(({ readyState }) => readyState === 'open').length).toBeGreaterThan(200);
    for (const socket of strangers) socket.destroy();
  });

  it('gets no file but those of the page', async () => {
    await stage.open();
    await stage.signIn();
    for (const path of ['/../secret.txt', '/%2e%2e/secret.txt', '/..%2fsecret.txt', '//secret.txt', '/secret.txt']) {
      expect([path, (await stage.get(path)).status]).toEqual([path, 404]);
    }
    // Paths of the page's own.
    expect((await stage.get('/inbox')).text).toContain('<title>page</title>');
  });
});

describe('an address that is not on loopback', () => {
  it('takes TLS and a password that nobody else may read', async () => {
    const file = join(stage.folder, 'password');
    writeFileSync(file, 'correct horse\n', { mode: 0o600 });
    const listen = '0.0.0.0:8477';
    expect(() => listening({ listen })).toThrow('not on loopback');
    expect(() => listening({ listen, passwordFile: file })).toThrow('not on loopback');
    chmodSync(file, 0o644);
    expect(() => listening({ listen, passwordFile: file })).toThrow(`may be read by others: chmod 600 ${file}`);
    writeFileSync(file, 'short');
    chmodSync(file, 0o600);
    expect(() => listening({ listen, passwordFile: file })).toThrow('12 characters at the least');
    expect(() => listening({ listen: 'localhost:80' })).toThrow('no ADDRESS:PORT');
    expect(() => listening({ listen: '127.0.0.1:0' })).toThrow('no ADDRESS:PORT');
    await stage.open();
  });
});
