/** The addon by itself on the kernel's queue: the programs of its README, as they stand there. */
import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { ROOT } from '../support/built.ts';
import { Netns } from '../support/netns.ts';

const README = readFileSync(`${ROOT}native/README.md`, 'utf8');
const [LOOP, BATCHES] = [...README.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code!);
const RULE = /```sh\n(.*?)```/s.exec(README)![1]!;

const net = new Netns('npm');
let host: string;
beforeAll(() => {
  host = net.add('host');
});
afterAll(() => net.close());

const programs: ChildProcess[] = [];
afterEach(async () => {
  net.run(host, 'iptables -F; ip6tables -F');
  for (const program of programs.splice(0)) {
    program.kill('SIGKILL');
    await once(program, 'exit');
  }
});

test("the README's ten lines drop a port, and nothing else", async () => {
  await run(`${LOOP}`);
  net.run(host, RULE);
  await listen(25);
  await listen(26);
  expect(fetchText('127.0.0.1:26')).toBe('here');
  expect(() => fetchText('127.0.0.1:25')).toThrow();
  net.run(host, 'iptables -F');
  expect(fetchText('127.0.0.1:25')).toBe('here');
});

test("the README's batches go on, and IPv6 is marked", async () => {
  await run(`${BATCHES}`);
  net.run(host, RULE.replace('iptables', 'ip6tables'));
  net.run(host, RULE);
  for (const iptables of ['iptables', 'ip6tables']) net.run(host, `${iptables} -A INPUT -p tcp -m mark --mark 6`);
  await listen(27);
  expect(fetchText('127.0.0.1:27')).toBe('here');
  expect(fetchText('[::1]:27')).toBe('here');
  expect(marked('iptables')).toBe(0);
  expect(marked('ip6tables')).toBeGreaterThan(0);
});

test('a packet is replaced, and its mark too, long after it came', async () => {
  const code = `
    import { Queue } from 'node-nfqueue';
    import { setTimeout } from 'node:timers/promises';
    const queue = await Queue.open({ queueNum: 7, maxLength: 16 });
    queue.on('packet', async (packet) => {
      await setTimeout(200);
      const payload = Buffer.from(packet.payload);
      payload.write('world', 28);
      payload.writeUInt16BE(0, 26); // no checksum
      packet.accept({ payload, mark: 9 });
    });`;
  await run(code);
  net.run(host, 'iptables -A OUTPUT -p udp --dport 9000 -j NFQUEUE --queue-num 7; iptables -A INPUT -m mark --mark 9');
  const answer = `import socket
r = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); r.bind(('127.0.0.1', 9000)); r.settimeout(5)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'hello', ('127.0.0.1', 9000))
print(r.recv(100).decode())`;
  expect(net.run(host, `python3 -c "${answer}"`).trim()).toBe('world');
  expect(marked('iptables')).toBe(1);
});

/** A program that holds queue 7. */
async function run(code: string): Promise<void> {
  start(['--input-type=module', '--eval', code]);
  await expect.poll(() => net.run(host, 'cat /proc/net/netfilter/nfnetlink_queue')).toMatch(/^ *7 /);
}

async function listen(port: number): Promise<void> {
  start(['--eval', `require('node:http').createServer((_, to) => to.end('here')).listen(${port}, '::')`]);
  await expect.poll(() => net.run(host, `ss -Hltn sport = :${port}`)).not.toBe('');
}

function start(args: string[]): void {
  programs.push(net.spawn(host, [process.execPath, ...args], { cwd: ROOT, stdio: 'inherit' }));
}

const fetchText = (address: string): string => net.run(host, `curl -sS --noproxy '*' --max-time 2 http://${address}/`);

/** Packets that the one rule of INPUT has counted. */
const marked = (iptables: string): number =>
  Number(net.run(host, `${iptables} -vnxL INPUT`).split('\n')[2]!.trim().split(/\s+/)[0]);
