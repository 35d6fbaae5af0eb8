/**
 * TLS servers that stay with their clients: a line for each line. Argument: JSON {port: {cert, key, …options of
 * tls.createServer}, …}; files by path. Says `listening`.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:tls';

for (const [port, { cert, key, ...options }] of Object.entries(JSON.parse(process.argv[2]))) {
  const server = createServer({ ...options, cert: readFileSync(cert), key: readFileSync(key) }, (socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => socket.write('x\n'.repeat(data.toString('latin1').split('\n').length - 1)));
  });
  server.on('tlsClientError', () => {});
  await new Promise((resolve) => server.listen({ port: Number(port), host: '::', backlog: 4_096 }, resolve));
}
process.stdout.write('listening\n');
