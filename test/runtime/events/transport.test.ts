/** Real transports of pino, from npm and by hand, in their processes: what becomes of lines whatever those do. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createSocket } from 'node:dgram';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { TransportTarget } from '../../../src/pins/policy.ts';
import type { EveRecord } from '../../../src/report/eve.ts';
import { LogOutput, type LogTrouble } from '../../../src/report/log-output.ts';
import type * as Transport from '../../../src/runtime/events/transport.ts';
import { ROOT } from '../../support/built.ts';

// Its process is started as it is shipped.
const { transportDestination } = (await import(`${ROOT}dist/runtime/events/transport.js`)) as typeof Transport;

let directory: string;
let told: LogTrouble[];
let output: LogOutput | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tlspin-transport-'));
  told = [];
});
afterEach(async () => {
  await output?.close();
  output = undefined;
  rmSync(directory, { recursive: true });
});

const at = (name: string) => join(directory, name);
const open = (more: Partial<TransportTarget> & Pick<TransportTarget, 'stages'>, backlog = 1_000) => {
  const target: TransportTarget = { kind: 'transport', folder: ROOT, ...more };
  const destination = transportDestination(target, target.stages.at(-1)!.target);
  output = new LogOutput({ destination, backlog, onTrouble: (trouble) => void told.push(trouble) });
  return output;
};
/** A transport of our own. */
const own = (name: string, source: string) => {
  writeFileSync(at(name), `const { appendFileSync, writeFileSync } = require('node:fs');\n${source}`);
  return [{ target: at(name), options: { to: at('out') } }];
};
const until = async (isSo: () => boolean, forMs = 15_000) => {
  for (const end = Date.now() + forMs; !isSo();) {
    if (Date.now() > end) throw new Error(`not so after ${forMs} ms; told: ${JSON.stringify(told)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};
const lines = (name: string) =>
  existsSync(at(name)) ? readFileSync(at(name), 'utf8').split('\n').filter(Boolean) : [];
const numbers = (count: number) => Array.from({ length: count }, (_, n) => `${n}`);
const write = (count: number) => {
  for (const n of numbers(count)) output!.write(`${n}\n`);
};

describe('a transport that works', () => {
  it('has every line in order, the last ones as it is closed', async () => {
    open({ stages: [{ target: 'pino/file', options: { destination: at('out') } }] });
    const all = numbers(900);
    output!.write(`${all[0]}\n`);
    await until(() => lines('out').length === 1); // a closed one waits three seconds, and a busy machine may start slowly
    for (const n of all.slice(1)) output!.write(`${n}\n`);
    await output!.close();
    expect(lines('out')).toEqual(all);
    expect([output!.written, output!.dropped, told]).toEqual([900, 0, []]);
  });

  it('is waited for while it starts, also by who closes it', async () => {
    const source = `
      module.exports = async ({ to }) => {
        await new Promise((resolve) => setTimeout(resolve, 300));
        return new (require('node:stream').Writable)({ write(chunk, _, done) { appendFileSync(to, chunk); done(); } });
      };`;
    open({ stages: own('slow.cjs', source) });
    write(3);
    await output!.close();
    expect(lines('out')).toEqual(numbers(3));
    expect([output!.written, output!.dropped, told]).toEqual([3, 0, []]);
  });

  it('may be a package, found from the configuration’s folder: pino-socket, over TCP', async () => {
    let received = '';
    const server = createServer((socket: Socket) => socket.on('data', (octets) => (received += String(octets))));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    open({ stages: [{ target: 'pino-socket', options: { address: '127.0.0.1', port, mode: 'tcp' } }] });
    write(500);
    await until(() => received.split('\n').length === 501);
    expect(received).toBe(
      numbers(500)
        .map((n) => `${n}\n`)
        .join(''),
    );
    await output!.close();
    server.close();
  });

  it('sends a datagram of RFC 5424 for each record: pino-socket, over UDP', async () => {
    const server = createSocket('udp4');
    const received: string[] = [];
    server.on('message', (octets) => void received.push(String(octets)));
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
    const stages = [
      { target: 'pino-socket', options: { address: '127.0.0.1', port: server.address().port, mode: 'udp' } },
    ];
    open({ stages, syslog: { facility: 16, format: 'rfc5424' } });
    const record: EveRecord = {
      event_type: 'verdict',
      timestamp: '2026-11-21T19:31:36.120123+0000',
      verdict: { action: 'reset' },
    };
    const line = JSON.stringify(record);
    for (let n = 0; n < 5; n++) output!.write(output!.destination.form!(record, `${line}\n`));
    await until(() => received.length === 5);
    expect(received[0]).toMatch(/^<132>1 2026-11-21T19:31:36\.120123Z \S+ tlspin \d+ verdict - \{/);
    expect(new Set(received.map((text) => text.slice(text.indexOf('{'))))).toEqual(new Set([`${line}\n`]));
    server.close();
  });
});

describe('a transport that is not there', () => {
  it('is named, and how to have it', () => {
    expect(() => open({ stages: [{ target: 'pino-none', options: {} }], folder: '/etc/tlspin' })).toThrow(
      'log pino-none: the package pino-none is not found from /etc/tlspin: npm install --prefix /etc/tlspin pino-none',
    );
    expect(() => open({ stages: [{ target: at('none.cjs'), options: {} }] })).toThrow(
      `log ${at('none.cjs')}: there is no file ${at('none.cjs')}`,
    );
  });

  it('or fails as it starts, is said at once', async () => {
    open({ stages: own('fails.cjs', `module.exports = () => { throw new Error('no such server'); };`) });
    await until(() => told.length === 1, 5_000);
    expect(told[0]!.detail).toMatch(
      /: cannot be written \((its process has ended: no such server|it has not started within 4 s)\): up to 1000 records wait/,
    );
  });
});

describe('a transport that takes nothing', () => {
  it.each([
    ['waits', `module.exports = () => new (require('node:stream').Writable)({ write() {} });`],
    ['never comes back', `module.exports = () => new (require('node:stream').Writable)({ write() { for (;;); } });`],
  ])('(%s) costs records beyond the backlog, which are counted, and holds nobody up', async (_, source) => {
    open({ stages: own('stuck.cjs', source) }, 100);
    const delay = monitorEventLoopDelay({ resolution: 5 });
    write(1);
    await until(() => told.length > 0 || output!.written > 0 || output!.dropped > 0, 1_000).catch(() => {});
    delay.enable();
    for (let n = 0; n < 200; n++) {
      for (let i = 0; i < 10; i++) output!.write(`${'x'.repeat(2_000)}\n`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    delay.disable();
    expect(delay.max / 1e6).toBeLessThan(1_000);
    await until(() => output!.dropped > 0, 5_000);
    expect(told[0]!.detail).toMatch(/its reader is too slow: records are lost$/);
    const before = performance.now();
    await output!.close();
    expect(performance.now() - before).toBeLessThan(8_000);
    expect(output!.written + output!.dropped).toBe(2_001);
  });
});

describe('a transport that ends', () => {
  it('is said, started again, and has what it had not taken', async () => {
    // The first one ends in the midst of the lines, the second one takes them.
    const source = `
      module.exports = ({ to }) => new (require('node:stream').Writable)({
        write(chunk, _, done) {
          const isFirst = !require('node:fs').existsSync(to + '.first');
          if (isFirst) { writeFileSync(to + '.first', ''); process.exit(3); }
          appendFileSync(to, chunk);
          done();
        },
      });`;
    open({ stages: own('dies.cjs', source) });
    write(300);
    await until(() => told.length === 1, 5_000);
    expect(told[0]).toMatchObject({ isOver: false });
    expect(told[0]!.detail).toMatch(/cannot be written \((its process has ended|it has not started within 4 s)/);
    await until(() => told.length === 2);
    expect(told[1]).toMatchObject({ isOver: true });
    await output!.close();
    expect(lines('out')).toEqual(numbers(300));
    expect([output!.written, output!.dropped]).toEqual([300, 0]);
  });

  it('by each record is given others', async () => {
    const source = `
      module.exports = ({ to }) => new (require('node:stream').Writable)({
        write(chunk, _, done) {
          if (String(chunk).includes('poison')) throw new Error('indigestible');
          appendFileSync(to, chunk);
          done();
        },
      });`;
    open({ stages: own('chokes.cjs', source) });
    output!.write('poison\n');
    await until(() => told.length > 0);
    write(10);
    await until(() => output!.written === 10, 60_000);
    expect(output!.dropped).toBe(1);
    expect(told[0]!.detail).toMatch(
      /its process has ended: (indigestible|it has closed its stream)|it has not started within 4 s/,
    );
  }, 90_000);

  it('while there is nothing to write is said within five seconds', async () => {
    const source = `
      module.exports = () => {
        setTimeout(() => process.exit(1), 500);
        return new (require('node:stream').Writable)({ write(_, __, done) { done(); } });
      };`;
    open({ stages: own('leaves.cjs', source) });
    await until(() => told.length > 0, 5_000);
    expect(told[0]!.detail).toMatch(/its process has ended|it has not started within 4 s/);
  });
});
