/**
 * One of the demonstration's servers, a program of its own: HTTPS for whoever comes, of TLS 1.2 and 1.3, and any number
 * at a time, since a probe asks while its client waits. Knows nothing of the demonstration.
 *
 *   node site.js CERT KEY PAGE ADDRESS…        says "listening" once it does, at all of them
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

const [cert = '', key = '', page = '', ...addresses] = process.argv.slice(2);
const identity = { cert: readFileSync(cert), key: readFileSync(key) };
for (const host of addresses) {
  const server = createServer(identity, (_, response) => response.end(`${page}\n`));
  // Whoever hangs up after the handshake is a probe, or somebody who believes nothing.
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen({ host, port: 443 }, resolve));
}
process.stdout.write('listening\n');
