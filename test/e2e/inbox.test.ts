/**
 * A server changes its certificate: the question and each of its answers, by the console and by the terminal, with a real
 * engine between real clients and servers.
 */
import { readFileSync } from 'node:fs';

import { expect, it } from 'vitest';

import type { Answered, Inbox, InboxEntry, Session } from '../../src/web/api.ts';
import { spkiPin } from '../../src/runtime/demo/certificates.ts';
import type { Child } from '../../src/runtime/demo/child.ts';
import { Engine, TLSPIN } from '../support/lab/engine.ts';
import { NAME as HOST } from '../support/lab/bank.ts';
import { requestWithNode, startTlsServer } from '../support/lab/peers.ts';
import { ca, forged, genuine, lab } from '../support/lab/twins-of-each.ts';

const BACKUP = `sha256//${Buffer.alloc(32, 7).toString('base64')}`;
const ORIGIN = 'http://127.0.0.1:8477';

it('a server changes its certificate: the inbox shows it, deny stays denied, accept lets the next client through', async () => {
  const engine = await startEngine();
  let server = await startTlsServer(lab, 'server', { identity: genuine });
  expect(await request()).toBeNull();
  const browser = await openConsole();

  server = await replace(server, forged);
  expect(await request()).not.toBeNull();
  const first = await millisUntil(() => browser.entries().length === 1);
  const [entry] = browser.entries() as [InboxEntry];
  expect(entry).toMatchObject({
    ...{ host: HOST, pinset: 'bank', state: 'open', reason: 'pin-mismatch', count: 1, refused: 1 },
    key: spkiPin(forged.cert).replace('sha256//', 'spki-sha256:'),
    before: { leaf: { spki_sha256: spkiPin(genuine.cert).replace('sha256//', '') } },
    clients: { known: [{ value: lab.address('client'), count: 1 }] },
  });
  expect(entry.differences.map(({ code }) => code)).toEqual(['new-key', 'same-issuer']);

  expect(browser.answer(entry, { answer: 'deny' }).entry.state).toBe('denied');
  expect(await request()).not.toBeNull();
  const second = await millisUntil(() => browser.entries()[0]!.refused === 2);
  expect(browser.entries()[0]).toMatchObject({ state: 'denied', refused: 2 });
  // It is told at once; a busy machine has its seconds.
  expect(Math.min(first, second)).toBeLessThan(5_000);

  const dry = browser.answer(entry, { answer: 'accept', dry_run: true });
  expect(dry.accepted).toMatchObject({ list: 'accepted', pinsets: ['bank'], replay: { newly_accepted: 2 } });
  expect(await request()).not.toBeNull();
  const { generation, config } = dry.accepted!;
  const seen = { key: entry.key, generation, config };
  expect(browser.answer(entry, { answer: 'accept', seen, comment: 'ticket 4711' }).entry.state).toBe('accepted');
  expect(await request()).toBeNull();
  expect(readFileSync(lab.path('accepted.list'), 'utf8')).toMatch(
    /^spki-sha256:\S+ # www\.bank\.example, accepted \S+ by control \(uid 0, pid \d+\): ticket 4711\n$/,
  );

  // The same from the terminal, and by the log once the engine that was told has died.
  const third = lab.certificates.leaf('third', { issuer: ca, names: [HOST], key: 'rsa' });
  await replace(server, third);
  expect(await request()).not.toBeNull();
  const open = (JSON.parse(inbox('list', '--json')) as Inbox).entries;
  expect(open).toMatchObject([{ host: HOST, state: 'open', before: { leaf: { spki_sha256: entry.key.slice(12) } } }]);
  const { id } = open[0]!;
  expect(inbox('snooze', id, '--for', '1h')).toBe(`${id}: denied as before; it will be asked again\n`);
  expect(inbox()).toContain('nothing waits for an answer');
  expect(inbox('accept', id, '--dry-run')).toContain(' into the list accepted (');
  expect(await request()).not.toBeNull();
  expect(inbox('accept', id)).toMatch(/^accepted: spki-sha256:\S+ into the list accepted \(/);
  expect(await request()).toBeNull();
  await engine.kill();
  await engine.run();
  expect(await request()).toBeNull();
  const known = (JSON.parse(inbox('list', '--all', '--json')) as Inbox).entries;
  expect(known.map(({ state, answer }) => [state, answer?.answer])).toEqual([
    ['accepted', 'accept'],
    ['accepted', 'accept'],
  ]);
  await expect.poll(() => browser.overview().engine.state).toBe('connected');
}, 240_000);

async function millisUntil(isSo: () => boolean): Promise<number> {
  const began = performance.now();
  await expect.poll(isSo, { interval: 50 }).toBe(true);
  return performance.now() - began;
}

async function startEngine(): Promise<Engine> {
  return Engine.start(lab, {
    config: {
      control: { socket: 'control.sock' },
      lists: { accepted: { file: 'accepted.list', writable: true } },
      pinsets: [{ name: 'bank', match: { hosts: [HOST] }, pins: [spkiPin(genuine.cert), BACKUP, '@accepted'] }],
    },
  });
}

async function replace(server: Child, identity: typeof genuine): Promise<Child> {
  await server.stop();
  return startTlsServer(lab, 'server', { identity });
}

async function request(): Promise<string | null> {
  const of = { host: lab.address('server'), servername: HOST, ca: ca.cert };
  const [outcome] = await requestWithNode(lab, 'client', of);
  return outcome!.error;
}

function inbox(...args: string[]): string {
  return lab.run('gateway', ...TLSPIN, 'inbox', ...args, '--control', lab.path('control.sock'));
}

/** A browser, as far as curl is one. */
async function openConsole() {
  const args = ['--control', lab.path('control.sock'), '--token-file', lab.path('token'), '--allow-changes'];
  const child = lab.start('gateway', [...TLSPIN, 'web', ...args]);
  await child.says(/the token is in/);
  const link = child.output.trim();
  const jar = lab.path('cookies');
  const curl = (...more: string[]): string =>
    lab.run('gateway', 'curl', '--silent', '--show-error', '--cookie', jar, '--cookie-jar', jar, ...more);
  curl(link);
  const get = <T>(path: string): T => JSON.parse(curl(`${ORIGIN}${path}`)) as T;
  const { csrf } = get<Session>('/api/session');
  const headers = [`Origin: ${ORIGIN}`, `X-CSRF-Token: ${csrf}`, 'Content-Type: application/json'];
  return {
    entries: () => get<Inbox>('/api/inbox').entries,
    overview: () => get<{ engine: { state: string } }>('/api/overview'),
    answer: ({ id }: InboxEntry, body: object): Answered =>
      JSON.parse(
        curl(...headers.flatMap((header) => ['-H', header]), '-d', JSON.stringify(body), `${ORIGIN}/api/inbox/${id}`),
      ) as Answered,
  };
}
