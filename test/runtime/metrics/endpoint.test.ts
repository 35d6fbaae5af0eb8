/** Where the metrics are to be had: by HTTP, on an address or a unix socket. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { ListenAddress } from '../../../src/pins/policy.ts';
import type { Overview } from '../../../src/runtime/control/status.ts';
import { MetricsEndpoint } from '../../../src/runtime/metrics/endpoint.ts';
import { Protection } from '../../../src/runtime/protection/protection.ts';
import { policy } from '../../support/policy.ts';

let directory: string;
let endpoint: MetricsEndpoint | undefined;
let said: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tlspin-metrics-'));
  said = [];
});
afterEach(() => {
  endpoint?.stop();
  rmSync(directory, { recursive: true });
});

describe('on a unix socket', () => {
  it('the metrics are at /metrics, and nothing is anywhere else', async () => {
    const path = join(directory, 'metrics.sock');
    await listenAt({ path });
    expect(statSync(path).mode & 0o777).toBe(0o660);
    const answer = await ask({ socketPath: path, path: '/metrics' });
    expect(answer).toMatchObject({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8' });
    expect(answer.text).toContain('tlspin_protection_state{state="starting"} 1');
    expect(answer.text).toContain('process_cpu_seconds_total');
    expect(await ask({ socketPath: path, path: '/' })).toMatchObject({ status: 404 });
    expect(await ask({ socketPath: path, path: '/metrics', method: 'POST' })).toMatchObject({ status: 405 });
  });

  it('what a dead process has left there is no trouble, and a file is', async () => {
    const path = join(directory, 'metrics.sock');
    writeFileSync(path, '');
    await expect(listenAt({ path })).rejects.toThrow(`metrics socket ${path}: there is a file of that name`);
  });
});

describe('on an address', () => {
  it('it answers, and after its end another one can listen there', async () => {
    const port = await freePort();
    await listenAt({ host: '127.0.0.1', port });
    expect(said).toEqual([`metrics at http://127.0.0.1:${port}/metrics`]);
    expect(await ask({ port, path: '/metrics' })).toMatchObject({ status: 200 });
    endpoint!.stop();
    await listenAt({ host: '127.0.0.1', port });
    expect(await ask({ port, path: '/metrics' })).toMatchObject({ status: 200 });
  });

  it('that is taken it says so', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as AddressInfo;
    await expect(listenAt({ host: '127.0.0.1', port })).rejects.toThrow(
      `metrics http://127.0.0.1:${port}/metrics: cannot listen there (EADDRINUSE): somebody listens there already`,
    );
    taken.close();
  });
});

it('is nowhere unless it is asked for', async () => {
  await listenAt(undefined);
  endpoint!.take([]);
  expect(said).toEqual([]);
});

function listenAt(listen: ListenAddress | undefined): Promise<void> {
  const protection = new Protection({ log: { write: () => {} }, say: () => {} });
  const overview = {
    version: '1.2.3',
    configuration: { policy: policy(), generation: 1, inForce: { since: new Date(), age: 0 } },
    daemon: { status: () => ({ queues: [], probes: null }) },
    log: { written: 0, dropped: 0 },
    protection,
  } as unknown as Overview;
  endpoint = new MetricsEndpoint({ listen, overview: () => overview, say: (line) => void said.push(line) });
  return endpoint.start();
}

function ask(options: object): Promise<{ status: number; type: string; text: string }> {
  return new Promise((resolve, reject) => {
    get({ agent: false, host: '127.0.0.1', ...options }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => {
        resolve({ status: response.statusCode!, type: response.headers['content-type'] ?? '', text });
      });
    }).on('error', reject);
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
