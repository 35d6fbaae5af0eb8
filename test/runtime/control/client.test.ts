/** A client on a real socket, of somebody who takes his time. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { ControlClient } from '../../../src/runtime/control/client.ts';

let directory: string;
let path: string;
let server: Server;
let asked: Socket | undefined;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tlspin-client-'));
  path = join(directory, 'control.sock');
  asked = undefined;
  server = createServer((socket) => socket.on('data', () => (asked = socket)).on('error', () => {}));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(async () => {
  vi.useRealTimers();
  asked?.destroy();
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true });
});

const whenAsked = async () => {
  while (asked === undefined) await new Promise((resolve) => setImmediate(resolve));
};

it('gives up after ten seconds in which nothing came, and says that nothing was done', async () => {
  const client = await ControlClient.connect(path);
  const answer = client.ask({ command: 'shutdown' });
  await whenAsked();
  vi.advanceTimersByTime(10_000);
  await expect(answer).rejects.toThrow('does not answer within 10 s: what was asked for is not done');
});

it('waits longer for what is under way, but not for ever', async () => {
  const client = await ControlClient.connect(path);
  const answer = client.ask({ command: 'reload' });
  const given = expect(answer).rejects.toThrow('has not answered within 60 s: it may yet be done');
  await whenAsked();
  asked!.write(' ');
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  vi.advanceTimersByTime(59_000);
  await new Promise((resolve) => setImmediate(resolve));
  vi.advanceTimersByTime(60_000);
  await given;
});

it('who has to know by a time of its own waits no longer, also for what is under way', async () => {
  const client = await ControlClient.connect(path, 5_000);
  const answer = client.ask({ command: 'health' });
  const given = expect(answer).rejects.toThrow('does not answer within 5 s');
  await whenAsked();
  asked!.write(' ');
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  vi.advanceTimersByTime(5_000);
  await given;
});

it('takes an answer that comes in time', async () => {
  const client = await ControlClient.connect(path);
  const answer = client.ask({ command: 'status' });
  await whenAsked();
  asked!.write(' ');
  asked!.write('{"ok":true,"status":{}}\n');
  expect(await answer).toEqual({ ok: true, status: {} });
  client.close();
});
