/** How servers of NATS are reached: never in the clear where the configuration says TLS. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

import { describe, expect, it } from 'vitest';

import { NatsBroker } from '../../src/fleet/nats/broker.ts';
import { natsOptions } from '../../src/fleet/nats/options.ts';
import type { FleetPolicy } from '../../src/pins/policy.ts';

describe('a server that offers no TLS', () => {
  it('is told nothing where the configuration says tls://', async () => {
    const { said, detail } = await connectTo('tls');
    expect([said, detail]).toEqual([0, "server does not support 'tls'"]);
  });

  it('is spoken to where it says nats://', async () => {
    expect((await connectTo('nats')).said).toBeGreaterThan(0);
  });
});

/** As much as was heard of the client, and what became of it. */
async function connectTo(scheme: string): Promise<{ readonly said: number; readonly detail: string }> {
  let said = 0;
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('INFO {"server_id":"x","version":"2.10.0","proto":1,"max_payload":1000,"headers":true}\r\n');
    socket.on('data', ({ length }) => {
      said += length;
      socket.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const policy = { servers: [`${scheme}://127.0.0.1:${port}`], credentials: null, nkey: null, tls: null };
  const broker = new NatsBroker(natsOptions(policy as unknown as FleetPolicy, 'test'));
  await expect.poll(() => broker.connection.detail, { timeout: 5_000 }).not.toBe('not connected yet');
  const { detail } = broker.connection;
  await broker.close();
  server.close();
  return { said, detail };
}
