/** Real sockets, real clients; only what is answered is made up. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { ControlClient } from '../../../src/runtime/control/client.ts';
import { type AnswerRequest, type ControlBounds, ControlServer } from '../../../src/runtime/control/server.ts';
import { loadBinding, type PeerCredentials } from '../../../src/source/binding.ts';

let directory: string;
let path: string;
let servers: ControlServer[];
let sockets: Socket[];
let release: (() => void) | undefined;
let noted: number;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tlspin-control-'));
  path = join(directory, 'control.sock');
  servers = [];
  sockets = [];
  release = undefined;
  noted = 0;
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) await server.stop();
  rmSync(directory, { recursive: true });
});

/** Answers with the request; `wait` waits until it is released, `note` is counted, `fail` fails, `big` gives octets. */
const echo: AnswerRequest = async (request, peer) => {
  if (request['command'] === 'wait') await new Promise<void>((resolve) => (release = resolve));
  if (request['command'] === 'note') noted++;
  if (request['command'] === 'fail') throw new Error('it does not work');
  if (request['command'] === 'big') return { ok: true, big: 'x'.repeat(Number(request['octets'])) };
  return { ok: true, request, uid: peer.uid };
};

interface Options {
  readonly mode?: number;
  readonly bounds?: Partial<ControlBounds>;
  readonly peer?: PeerCredentials;
}

async function serve({ mode = 0o600, bounds = {}, peer }: Options = {}): Promise<ControlServer> {
  const binding = peer === undefined ? loadBinding() : { peerCredentials: () => peer };
  const server = new ControlServer({ path, mode, answer: echo, binding, bounds });
  await server.start();
  servers.push(server);
  return server;
}

/** A client by hand: what it has been sent, and whether the other end has closed. */
function open() {
  const socket = connect({ path, allowHalfOpen: true });
  const client = { socket, text: '', isEnded: false, isClosed: false };
  socket.setEncoding('utf8').on('data', (text: string) => (client.text += text));
  socket.on('end', () => (client.isEnded = true));
  socket.on('close', () => (client.isClosed = true));
  socket.on('error', () => {});
  sockets.push(socket);
  return client;
}

const answersOf = ({ text }: { text: string }) =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const until = (met: () => boolean) => expect.poll(met, { timeout: 5000 }).toBe(true);
const isAnswered = async () => {
  const client = await ControlClient.connect(path);
  await client.ask({ command: 'x' });
  client.close();
};

describe('requests', () => {
  it('are answered one a line, in their order', async () => {
    await serve();
    const client = open();
    client.socket.write('{"command":"a"}\n{"command":"b"}\n\n{"comm');
    client.socket.write('and":"c"}\n');
    await until(() => answersOf(client).length === 3);
    expect(answersOf(client).map(({ request }) => request)).toEqual([
      { command: 'a' },
      { command: 'b' },
      { command: 'c' },
    ]);
  });

  it('follow one another: the next begins when the one before is answered', async () => {
    await serve();
    const client = open();
    client.socket.write('{"command":"wait"}\n{"command":"b"}\n');
    await until(() => release !== undefined);
    await isAnswered(); // others do not wait
    expect(client.text.trim()).toBe('');
    release!();
    await until(() => answersOf(client).length === 2);
  });

  it('of a client that has gone meanwhile are not done', async () => {
    await serve();
    const client = open();
    client.socket.write('{"command":"wait"}\n{"command":"note"}\n');
    await until(() => release !== undefined);
    client.socket.destroy();
    await until(() => client.isClosed);
    release!();
    await isAnswered();
    expect(noted).toBe(0);
    const other = open();
    other.socket.write('{"command":"note"}\n');
    await until(() => answersOf(other).length === 1);
    expect(noted).toBe(1);
  });

  it('are told to be under way by a blank ahead of the answer', async () => {
    await serve();
    const client = open();
    client.socket.write('{"command":"wait"}\n');
    await until(() => client.text === ' ');
    release!();
    await until(() => answersOf(client).length === 1);
  });

  it('are answered also when the client has ended its side, with or without a last newline', async () => {
    await serve();
    const client = open();
    client.socket.end('{"command":"a"}\n{"command":"b"}');
    await until(() => client.isEnded);
    expect(answersOf(client)).toHaveLength(2);
  });

  it.each([
    ['nonsense', 'nonsense', /^not JSON: /],
    ['a list', '[1]', /^a request is an object such as/],
    ['null', 'null', /^a request is an object/],
    ['a text', '"x"', /^a request is an object/],
    ['a hundred thousand brackets', '['.repeat(100_000), /./],
    ['what fails', '{"command":"fail"}', /^it does not work$/],
  ])('that cannot be answered are told so, and the conversation goes on: %s', async (_, line, error) => {
    await serve();
    const client = open();
    client.socket.write(`${line}\n{"command":"after"}\n`);
    await until(() => answersOf(client).length === 2);
    expect(answersOf(client)[0]).toEqual({ ok: false, error: expect.stringMatching(error) as string });
    expect(answersOf(client)[1]).toMatchObject({ ok: true });
  });
});

describe('a client that', () => {
  it('sends more octets than a request has is told so and sent away', async () => {
    await serve();
    const client = open();
    client.socket.write('x'.repeat(1024 * 1024 + 1));
    await until(() => client.isEnded);
    expect(answersOf(client)).toEqual([{ ok: false, error: 'a request has 1048576 octets at the most' }]);
    await isAnswered();
  });

  it('sends a whole MiB is answered', async () => {
    await serve();
    const client = open();
    const frame = JSON.stringify({ command: 'x', more: '' }).length;
    client.socket.write(`${JSON.stringify({ command: 'x', more: 'x'.repeat(1024 * 1024 - frame) })}\n`);
    await until(() => client.text.endsWith('\n'));
    expect(answersOf(client)[0]).toMatchObject({ ok: true });
  });

  it('does not end what it begins, however often it sends another octet, is sent away', async () => {
    await serve({ bounds: { patience: 300 } });
    const client = open();
    const trickle = setInterval(() => client.socket.write('{'), 50);
    await until(() => client.isClosed);
    clearInterval(trickle);
    await isAnswered();
  });

  it('says nothing is sent away after a while', async () => {
    await serve({ bounds: { idle: 200 } });
    const client = open();
    await until(() => client.isEnded || client.isClosed);
  });

  it('never reads is sent away, and keeps nobody waiting', async () => {
    await serve({ bounds: { patience: 300 } });
    const client = open();
    client.socket.pause();
    client.socket.write('{"command":"big","octets":5000000}\n'.repeat(50));
    await isAnswered();
    await new Promise((resolve) => setTimeout(resolve, 500));
    client.socket.resume();
    await until(() => client.isEnded || client.isClosed);
    // What the kernel had taken, and no further answer.
    expect(client.text.length).toBeLessThan(5_000_000);
    await isAnswered();
  });

  it('goes away in the middle disturbs nobody', async () => {
    await serve();
    const client = open();
    client.socket.write('{"command":"wait"}\n');
    await until(() => release !== undefined);
    client.socket.destroy();
    release!();
    await isAnswered();
  });

  it('is one too many is told so', async () => {
    await serve({ bounds: { clients: 2 } });
    const [first] = [open(), open()];
    first.socket.write('{"command":"x"}\n');
    await until(() => first.text !== '');
    const third = open();
    await until(() => third.isEnded);
    expect(answersOf(third)).toEqual([{ ok: false, error: 'too many clients: try again later' }]);
    first.socket.destroy();
    await expect.poll(isAnsweredQuietly).toBe(true);
  });
});

async function isAnsweredQuietly(): Promise<boolean> {
  return isAnswered().then(
    () => true,
    () => false,
  );
}

describe('who may ask', () => {
  it('the socket has its mode from its first moment, whatever the umask', async () => {
    const before = process.umask(0);
    try {
      await serve({ mode: 0o640 });
      expect(statSync(path).mode & 0o777).toBe(0o640);
      expect(process.umask()).toBe(0);
    } finally {
      process.umask(before);
    }
  });

  it('credentials are those of the process at the other end', async () => {
    await serve();
    const client = await ControlClient.connect(path);
    expect(await client.ask({ command: 'x' })).toMatchObject({ uid: process.getuid!() });
    client.close();
  });

  it.each([
    [0o600, 0, true],
    [0o600, process.geteuid!(), true],
    [0o600, 4242, false],
    [0o640, 4242, false],
    [0o660, 4242, true],
    [0o666, 4242, true],
  ])('mode %o, uid %i: %s', async (mode, uid, isAllowed) => {
    await serve({ mode, peer: { pid: 1, uid, gid: uid } });
    const client = open();
    client.socket.write('{"command":"x"}\n');
    await until(() => client.text !== '');
    const refusal = { ok: false, error: 'not allowed: this socket is for root and its owner' };
    expect(answersOf(client)[0]).toMatchObject(isAllowed ? { ok: true } : refusal);
  });

  it.runIf(process.getuid!() === 0)('another user is kept out, even where the file would let him in', async () => {
    await serve({ mode: 0o600 });
    chmodSync(directory, 0o755);
    const script = `require('net').connect(${JSON.stringify(path)}).on('data', (t) => process.stdout.write(t)).on('error', (e) => process.stdout.write(e.code))`;
    const asNobody = () => outputAs(65534, script);
    expect(await asNobody()).toBe('EACCES');
    chmodSync(path, 0o666); // by somebody who should not have
    expect(await asNobody()).toContain('not allowed');
  });
});

/** What a script prints that another user runs. */
async function outputAs(id: number, script: string): Promise<string> {
  // It becomes that user only once it runs: the runtime itself may stand where others cannot reach it.
  const become = `process.setgroups([]); process.setgid(${String(id)}); process.setuid(${String(id)}); `;
  const child = spawn(process.execPath, ['-e', become + script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (text: Buffer) => (out += text.toString()));
  await once(child, 'close');
  return out;
}

describe('its place', () => {
  it('that a dead process left is taken over', async () => {
    const script = `const s = require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script]);
    expect(statSync(path).isSocket()).toBe(true);
    await serve();
    await isAnswered();
  });

  it('where somebody listens is left alone', async () => {
    await serve();
    await expect(serve()).rejects.toThrow(`control socket ${path}: somebody listens there already`);
    await isAnswered();
  });

  it('where somebody listens who answers nobody is left alone too', async () => {
    const busy = createServer().listen({ path, backlog: 1 });
    await expect(serve()).rejects.toThrow('somebody listens there already');
    busy.close();
  });

  it('where there is a file is left alone', async () => {
    writeFileSync(path, 'mine');
    await expect(serve()).rejects.toThrow(`control socket ${path}: there is a file of that name: remove it`);
  });

  it('that cannot be is named', async () => {
    path = join(directory, 'nowhere', 'x');
    await expect(serve()).rejects.toThrow(`control socket ${path}: cannot be made (`);
    path = join(directory, 'x'.repeat(120));
    await expect(serve()).rejects.toThrow('the path of a socket has 107 octets at the most');
  });
});

describe('stopping', () => {
  it('gives the answer that is under way, sends everybody away, and removes the socket', async () => {
    const server = await serve();
    const [busy, idle] = [open(), open()];
    busy.socket.write('{"command":"wait"}\n{"command":"never"}\n');
    await until(() => release !== undefined);
    const stopped = server.stop();
    release!();
    await until(() => busy.isEnded && idle.isEnded);
    expect(answersOf(busy)).toHaveLength(1);
    for (const { socket } of [busy, idle]) socket.end();
    await stopped;
    expect(existsSync(path)).toBe(false);
  });

  it('does not wait for who does not go', async () => {
    const server = await serve();
    const client = open();
    await until(() => client.socket.readyState === 'open');
    const begun = Date.now();
    await server.stop();
    expect(Date.now() - begun).toBeLessThan(5000);
  });
});

describe('asking', () => {
  it('an answer that is an error is thrown, and the next is asked', async () => {
    await serve();
    const client = await ControlClient.connect(path);
    await expect(client.ask({ command: 'fail' })).rejects.toThrow('it does not work');
    expect(await client.ask({ command: 'x' })).toMatchObject({ ok: true });
    client.close();
  });

  it('where nobody is says what may be done', async () => {
    await expect(ControlClient.connect(path)).rejects.toThrow(`control socket ${path}: there is none (does tlspin run`);
    writeFileSync(path, '');
    await expect(ControlClient.connect(path)).rejects.toThrow(`control socket ${path}: `);
  });

  it('an end without an answer is an error', async () => {
    const server = createServer((socket) => socket.destroy()).listen(path);
    const client = await ControlClient.connect(path);
    await expect(client.ask({ command: 'x' })).rejects.toThrow('closed without an answer');
    server.close();
  });
});
