/** The addon's surface as far as it needs neither privileges nor a kernel queue. */
import { execFileSync } from 'node:child_process';
import { type AddressInfo, connect, createServer } from 'node:net';
import { constants } from 'node:os';
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { closeSync, readFileSync, readlinkSync } from 'node:fs';
import { expect, test } from 'vitest';

import { FIELD, FLAG } from '../../src/packet/batch.ts';
import { CAP_NET_ADMIN, loadBinding, SET, VERDICT } from '../../src/source/binding.ts';
import { ROOT } from '../support/built.ts';

const binding = loadBinding();
const { errno } = constants;

test('a slot holds the largest attribute and what stands around it', () => {
  expect(binding.SLOT).toBe(0x11000);
});

test('columns and bits have the same numbers in C and in TypeScript', () => {
  const nfqueue = readFileSync(`${ROOT}native/nfqueue.h`, 'utf8');
  const nfqnl = readFileSync(`${ROOT}native/nfqnl.h`, 'utf8');
  const columns = (prefix: string, text: string) => [...text.matchAll(new RegExp(`^\\t${prefix}_([A-Z_]+)`, 'gm'))];
  const inC = (name: string) => name.replace(/[A-Z]/g, '_$&').toUpperCase();

  const rows = columns('ROW', nfqueue).map((match) => match[1]);
  for (const [name, column] of Object.entries(FIELD)) {
    if (name !== 'ROW') expect(rows[column], name).toBe(inC(name));
  }
  expect(nfqueue).toContain(`ROW_WORDS = ${FIELD.ROW}`);

  const verdicts = columns('VERDICT', nfqueue).map((match) => match[1]);
  for (const [name, column] of Object.entries(VERDICT)) {
    expect(verdicts[column], name).toBe(name === 'ROW' ? 'WORDS' : inC(name));
  }
  for (const [name, bit] of Object.entries(SET)) expect(nfqnl).toContain(`NFQNL_SET_${inC(name)} 0x${bit}u`);
  const bits = [...nfqnl.matchAll(/NFQNL_FLAG_\w+ (0x\w+)u/g)].map((match) => Number(match[1]));
  expect(bits).toEqual(Object.values(FLAG));
});

test('a queue without its memory is refused', () => {
  const Queue = binding.Queue as unknown as new (options?: unknown) => unknown;
  expect(() => new Queue()).toThrow(TypeError);
  expect(() => new Queue({})).toThrow('slab, rows, verdicts or payload is missing or too small');
  expect(() => new Queue({ slab: Buffer.alloc(10), rows: new Uint32Array(16), verdicts: new Uint32Array(8) })).toThrow(
    TypeError,
  );
});

test('methods refuse objects that are no queue', () => {
  expect(() => binding.Queue.prototype.close.call({})).toThrow();
});

test('SO_MARK on what is no socket answers with an errno', () => {
  expect(binding.setMark(-1, 1)).toBe(errno.EBADF);
  expect(binding.setMark(1 << 20, 1)).toBe(errno.EBADF);
});

test('capabilities are those that the kernel shows in /proc', () => {
  const effective = BigInt(`0x${/CapEff:\s*(\w+)/.exec(readFileSync('/proc/thread-self/status', 'utf8'))![1]}`);
  for (const capability of [0, CAP_NET_ADMIN, 21, 39, 63]) {
    expect(binding.hasCapability(capability)).toBe(((effective >> BigInt(capability)) & 1n) === 1n);
  }
  expect(binding.hasCapability(64)).toBe(false);
});

test('a notification is one datagram with its descriptors, also to an abstract socket', () => {
  const script = `
import socket, subprocess, sys
path = '\\0tlspin-test-notify-%d' % ${process.pid}
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(path); s.settimeout(5)
subprocess.check_call([sys.argv[1], '-e', 'process.exitCode = require(process.argv[1]).notify(process.argv[2], "READY=1\\\\nSTATUS=ok", [0, 2])', sys.argv[2], '@' + path[1:]])
message, descriptors, _, _ = socket.recv_fds(s, 100, 4)
print(message.decode(), len(descriptors))`;
  const addon = `${ROOT}native/build/Release/node_nfqueue.node`;
  expect(execFileSync('python3', ['-c', script, process.execPath, addon], { encoding: 'utf8' })).toBe(
    'READY=1\nSTATUS=ok 2\n',
  );
});

test('a notification that cannot be sent answers with an errno', () => {
  expect(binding.notify('/nonexistent/notify', 'READY=1', [])).toBe(errno.ENOENT);
  expect(binding.notify('relative', 'READY=1', [])).toBe(errno.EINVAL);
  expect(binding.notify('', 'READY=1', [])).toBe(errno.EINVAL);
  expect(binding.notify(`/${'x'.repeat(110)}`, 'READY=1', [])).toBe(errno.ENAMETOOLONG);
});

test('worker threads load it, several at once and after others have ended', async () => {
  const code = `require('node:worker_threads').parentPort.postMessage(require('node:worker_threads').workerData.map((path) => require(path).SLOT));`;
  for (let round = 0; round < 3; round++) {
    const workers = [0, 1, 2].map(
      () => new Worker(code, { eval: true, workerData: [`${ROOT}native/build/Release/node_nfqueue.node`] }),
    );
    for (const [answer] of await Promise.all(workers.map((worker) => once(worker, 'message')))) {
      expect(answer).toEqual([binding.SLOT]);
    }
  }
});

test('a first word goes to whoever is connected, and to nobody else', async () => {
  const server = createServer((socket) => socket.once('data', (heard) => socket.end(heard))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  expect(binding.sayBehindAck(fd, Buffer.from('hello'))).toBe(5);
  expect(String((await once(socket, 'data'))[0])).toBe('hello');
  await once(socket, 'close');
  server.close();
  expect(binding.sayBehindAck(-1, Buffer.from('hello'))).toBe(-errno.EBADF);
  expect(() => binding.sayBehindAck(1, 'hello' as never)).toThrow(TypeError);
});

test('frames and packets need a descriptor of their kind, and a tunnel a name that fits', () => {
  const octets = new Uint8Array(60);
  expect(binding.sendFrame(-1, 1, octets)).toBe(errno.EBADF);
  expect(binding.writePacket(-1, octets)).toBe(errno.EBADF);
  expect(() => binding.sendFrame(1, 1, 'frame' as never)).toThrow(TypeError);
  expect(() => binding.writePacket(1, undefined as never)).toThrow(TypeError);
  expect(() => binding.discardPackets('' as never)).toThrow(TypeError);
  binding.discardPackets(-1);
  const operation = 'open a tunnel';
  expect(() => binding.openTunnel('a'.repeat(20))).toThrow(expect.objectContaining({ operation, errno: errno.EINVAL }));
});

test('a stream from an address that is none, or from this host’s own, is refused, or there', () => {
  const loopback = Buffer.from([127, 0, 0, 1]);
  expect(binding.streamFrom(Buffer.alloc(5), 0, new Int32Array(0))).toBe(-errno.EINVAL);
  expect(binding.streamFrom(loopback, 0, Int32Array.of(0, 0x7fff, 1))).toBeLessThan(0);
  expect(() => binding.streamFrom(loopback, 0, Int32Array.of(0, 19))).toThrow(TypeError);
  expect(() => binding.streamFrom(loopback, 65_536, new Int32Array(0))).toThrow(TypeError);
  const fd = binding.streamFrom(loopback, 0, new Int32Array(0));
  expect(fd).toBeGreaterThan(2);
  expect(readlinkSync(`/proc/self/fd/${fd}`)).toMatch(/^socket:/);
  closeSync(fd);
  expect(binding.forgetStream(Buffer.alloc(4), 1, Buffer.alloc(5), 1, new Int32Array(0))).toBe(errno.EINVAL);
});

test('a program outlasts the worker that runs it', { timeout: 60_000 }, async () => {
  const code = `
    const { workerData, parentPort } = require('node:worker_threads');
    const { runProgram } = require(workerData);
    const options = { argv: ['sleep', '0.05'], kept: 1, patienceMs: 5000, mostOctets: 100 };
    for (let i = 0; i < 5; i++) runProgram(options, () => {});
    parentPort.postMessage('')`;
  const addon = `${ROOT}native/build/Release/node_nfqueue.node`;
  for (let patience = 0; patience < 100; patience += 10) {
    const worker = new Worker(code, { eval: true, workerData: addon });
    await once(worker, 'message');
    await new Promise((resolve) => setTimeout(resolve, patience));
    await worker.terminate();
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
});

test('a program without what it is to be given is refused', () => {
  const run = binding.runProgram as unknown as (...given: unknown[]) => unknown;
  const options = { argv: ['true'], kept: 1, patienceMs: 1000, mostOctets: 100 };
  expect(() => run()).toThrow(TypeError);
  expect(() => run(options)).toThrow(TypeError);
  for (const wrong of [{ argv: [] }, { argv: [1] }, { kept: 0 }, { kept: 3 }, { patienceMs: 'x' }, { input: 1 }]) {
    expect(() => run({ ...options, ...wrong }, () => {}), JSON.stringify(wrong)).toThrow(TypeError);
  }
});
