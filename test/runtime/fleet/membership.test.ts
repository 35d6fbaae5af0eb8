/** A gateway's part in a fleet whose server takes connections, and does not answer any more. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import type { FleetPolicy } from '../../../src/pins/policy.ts';
import type { RecentVerdict } from '../../../src/runtime/control/recent-verdicts.ts';
import { Membership } from '../../../src/runtime/fleet/membership.ts';
import { policy } from '../../support/policy.ts';
import { verdictEvent } from '../../support/verdict-event.ts';

let folder: string;
let server: Server;
let connections: Socket[];
let heard: string;
let isHung: boolean;
let troubles: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tlspin-membership-'));
  writeFileSync(join(folder, 'fleet.key'), 'k'.repeat(32));
  [connections, heard, isHung, troubles] = [[], '', false, []];
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  for (const connection of connections) connection.destroy();
  server.close();
  rmSync(folder, { recursive: true });
});

it('ends within seconds, with what the server has not taken on disk', async () => {
  const membership = new Membership(fleetPolicy(), '1.0');
  let decide: (verdict: RecentVerdict) => void = () => {};
  membership.attach({
    configuration: {
      policy: policy(),
      changeList: () => Promise.reject(new Error('no list is shared')),
      share: () => Promise.reject(new Error('nothing is shared')),
    },
    verdicts: { latest: () => [], listen: (listener) => (decide = listener) },
    log: { recordOf: () => ({}), write: () => {} },
    protection: { begin: (...trouble) => troubles.push(trouble.join(' ')), end: () => {}, notice: () => {} },
    learner: undefined,
    daemon: { policy: policy(), newSessions: () => Promise.resolve([]), remember: () => {}, probed: null },
  });
  membership.start();
  await expect.poll(() => heard, PATIENCE).toContain('$JS.API');
  decide({ number: 1, queue: 0, event: verdictEvent() });
  await expect.poll(() => heard, PATIENCE).toContain('tlspin-verdicts-office');
  isHung = true;
  const began = performance.now();
  await membership.stop();
  await membership.settle();
  expect(performance.now() - began).toBeLessThan(14_000);
  expect(membership.counts).toMatchObject({ shared: 0, lost: 0, waiting: 4096 });
  expect(troubles).toEqual([]);
});

/** As much of NATS as a client waits for; JetStream is not there. */
function answer(connection: Socket): void {
  connections.push(connection);
  connection.write('INFO {"server_id":"s","version":"2.10.0","proto":1,"headers":true,"max_payload":1048576}\r\n');
  connection.on('error', () => {});
  connection.on('data', (octets) => {
    const text = octets.toString('latin1');
    heard += text;
    if (!isHung && text.includes('PING\r\n')) connection.write('PONG\r\n');
  });
}

function fleetPolicy(): FleetPolicy {
  const { port } = server.address() as AddressInfo;
  return {
    name: 'office',
    gateway: 'gw1',
    servers: [`nats://127.0.0.1:${port}`],
    trustedKeys: [],
    spool: folder,
    credentials: null,
    nkey: null,
    tls: null,
    key: join(folder, 'fleet.key'),
    lists: [],
    share: 'verdicts',
    isWitness: false,
    network: null,
    tellsLearned: false,
    corroborate: 0,
    spoolBytes: 1_000_000,
    local: [],
    refuseAbove: 0.01,
  };
}

const PATIENCE = { timeout: 20_000, interval: 20 };
