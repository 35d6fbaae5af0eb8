/** A server of the test's own process, at a port of a host of the lab. */
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

import type { Lab } from './lab.ts';

/** Listens until the lab is gone; each connection is the test's to answer. */
export async function startRelayed(
  lab: Lab,
  host: string,
  port: number,
  onSocket: (socket: Socket) => void,
): Promise<Server> {
  const path = lab.path(`relayed-${port}`);
  const server = createServer((socket) => {
    socket.on('error', () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  server.unref();
  await lab.start(host, [process.execPath, SCRIPT, JSON.stringify({ port, path })]).says(/listening/);
  return server;
}

const SCRIPT = fileURLToPath(new URL('../peers/relay.mjs', import.meta.url));
