/** A socket of datagrams as syslog daemons have it, that is there, goes away, comes back and is full. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { EveRecord } from '../../../src/report/eve.ts';
import { LogOutput, type LogTrouble } from '../../../src/report/log-output.ts';
import { syslogDestination, syslogMessage } from '../../../src/runtime/events/syslog.ts';
import { loadBinding } from '../../../src/source/binding.ts';

const RECORD: EveRecord = {
  event_type: 'verdict',
  timestamp: '2026-11-21T19:31:36.120123+0000',
  verdict: { action: 'tls-alert', reason: 'pin-mismatch' },
};

describe('a record', () => {
  it('is as programs of the host write them', () => {
    const text = syslogMessage({ facility: 3, format: 'local' }, RECORD, '{}');
    expect(text).toMatch(
      new RegExp(`^<28>[A-Z][a-z]{2} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d tlspin\\[${process.pid}\\]: \\{\\}$`),
    );
  });

  it('is as RFC 5424 has it, with its own time', () => {
    expect(syslogMessage({ facility: 16, format: 'rfc5424' }, RECORD, '{}')).toBe(
      `<132>1 2026-11-21T19:31:36.120123Z ${hostname()} tlspin ${process.pid} verdict - {}`,
    );
  });

  it.each([
    [{ event_type: 'verdict', verdict: { action: 'accept' } }, 6],
    [{ event_type: 'verdict', verdict: { action: 'drop' } }, 4],
    [{ event_type: 'anomaly', anomaly: { event: 'learn.changed' } }, 4],
    [{ event_type: 'anomaly', anomaly: { severity: 'unprotected', state: 'begin' } }, 2],
    [{ event_type: 'anomaly', anomaly: { severity: 'unprotected', state: 'end' } }, 5],
    [{ event_type: 'stop', stop: {} }, 5],
    [{ event_type: 'stats', stats: {} }, 6],
  ] as [EveRecord, number][])('%j has severity %d', (record, severity) => {
    expect(syslogMessage({ facility: 0, format: 'local' }, record, '')).toMatch(new RegExp(`^<${severity}>`));
  });
});

describe('the daemon', () => {
  let directory: string;
  let path: string;
  let told: LogTrouble[];
  const daemons: ChildProcess[] = [];
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tlspin-syslog-'));
    path = join(directory, 'log');
    told = [];
  });
  afterEach(() => {
    for (const daemon of daemons.splice(0)) daemon.kill('SIGKILL');
    rmSync(directory, { recursive: true });
  });

  /** Prints a line for each datagram. */
  const listen = async () => {
    const daemon = spawn('python3', ['-uc', DAEMON, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    daemons.push(daemon);
    const received: string[] = [];
    let isListening = false;
    let text = '';
    daemon.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      const all = text.split('\n');
      text = all.pop()!;
      if (!isListening && all.shift() !== undefined) isListening = true;
      received.push(...all);
    });
    await until(() => isListening);
    return { daemon, received };
  };
  const open = (backlog = 1_000) => {
    const connect = (at: string) => loadBinding().connectUnix(at, true);
    const destination = syslogDestination(
      { kind: 'syslog', socket: path, facility: 3, format: 'local' },
      'syslog',
      connect,
    );
    return new LogOutput({ destination, backlog, onTrouble: (trouble) => void told.push(trouble) });
  };
  const write = (output: LogOutput, from: number, to: number) => {
    for (let n = from; n < to; n++) output.write(output.destination.form!(RECORD, `{"n":${n}}\n`));
  };
  const numbers = (received: string[]) => received.map((line) => Number(/\{"n":(\d+)\}$/.exec(line)?.[1]));
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

  it('has a datagram for each record, in order, however fast they come', async () => {
    const { received } = await listen();
    const output = open();
    write(output, 0, 1_000);
    await until(() => received.length === 1_000);
    expect(numbers(received)).toEqual(range(0, 1_000));
    await output.close();
    expect([output.written, output.dropped, told]).toEqual([1_000, 0, []]);
  });

  it('that is not there, and one that comes back, has what waited', async () => {
    const output = open();
    expect(told.map(({ detail }) => detail)).toEqual([
      'log syslog: cannot be written (ENOENT: nobody listens there): up to 1000 records wait, further ones are lost',
    ]);
    write(output, 0, 5);
    const first = await listen();
    await until(() => first.received.length === 5);
    await until(() => told.length === 2);
    expect(told[1]!.detail).toBe('log syslog: is written again: no record was lost');
    first.daemon.kill('SIGKILL');
    await once(first.daemon, 'exit');
    rmSync(path);
    write(output, 5, 10);
    await until(() => told.length === 3);
    const second = await listen();
    await until(() => second.received.length === 5);
    expect(numbers(second.received)).toEqual(range(5, 10));
    await output.close();
    expect([output.written, output.dropped]).toEqual([10, 0]);
  });

  it('that reads nothing costs records beyond the backlog, and no time', async () => {
    const { daemon } = await listen();
    daemon.kill('SIGSTOP');
    const output = open(50);
    const before = performance.now();
    write(output, 0, 1_000);
    expect(performance.now() - before).toBeLessThan(500);
    await until(() => told.length > 0);
    expect(told[0]!.detail).toBe('log syslog: its reader is too slow: records are lost');
    await output.close();
    expect(output.written + output.dropped).toBe(1_000);
    expect(output.dropped).toBeGreaterThan(900);
  });

  it('is not given what is too long for a datagram', async () => {
    const { received } = await listen();
    const output = open();
    output.write(output.destination.form!(RECORD, `{"text":"${'x'.repeat(1 << 20)}"}\n`));
    write(output, 0, 3);
    await until(() => received.length === 3);
    expect(told[0]!.detail).toMatch(/does not take some records \(too long for a datagram\): they are lost/);
    await output.close();
    expect([output.written, output.dropped]).toEqual([3, 1]);
  });
});

async function until(isSo: () => boolean): Promise<void> {
  for (const end = Date.now() + 15_000; !isSo();) {
    if (Date.now() > end) throw new Error('not so');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const DAEMON = `
import socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(sys.argv[1])
print('listening')
while True: print(server.recv(65536).decode())
`;
