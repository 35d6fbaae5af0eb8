/** One connection of a probe: what comes first on it. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { converse } from '../../src/probe/connection.ts';

let server: Server;

beforeEach(async () => {
  server = createServer((socket) => socket.end('gone')).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => server.close());

/** In their order: the first word, and being connected. */
async function steps(pause: number): Promise<string[]> {
  const said: string[] = [];
  const { port } = server.address() as { port: number };
  await new Promise<unknown>((done) => {
    converse<{ kind: 'told' }>({
      server: { address: Uint8Array.of(127, 0, 0, 1), port },
      mark: undefined,
      pause,
      timeout: 5_000,
      conversation: {
        outcome: undefined,
        start: () => (said.push('hello'), Uint8Array.of(1)),
        feed: () => Uint8Array.of(),
      },
      connected: () => said.push('connected'),
      done,
    });
  });
  return said;
}

it('says its own hello ahead of the client’s, which waits until it is connected', async () => {
  expect(await steps(0)).toEqual(['hello', 'connected']);
});

it('says it behind that where it is to be late', async () => {
  expect((await steps(50))[0]).toBe('connected');
});
