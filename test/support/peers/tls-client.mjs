/**
 * One HTTPS request by Node's own TLS. Argument: JSON {host, port, servername, ca, timeout, requests, …options of
 * tls.connect}. Prints one JSON line a request: what came, or which error; a session is offered again from one request to the next.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';

const { ca, timeout = 10_000, requests = 1, ...options } = JSON.parse(process.argv[2]);
let session;
for (let n = 0; n < requests; n++) process.stdout.write(`${JSON.stringify(await request())}\n`);

function request() {
  const began = performance.now();
  return new Promise((resolve) => {
    let bytes = 0;
    let protocol = null;
    let resumed = false;
    const finish = (error) => {
      clearTimeout(timer);
      socket.destroy();
      const millis = Math.round(performance.now() - began);
      resolve({ error: error?.code ?? error?.message ?? null, bytes, protocol, resumed, millis });
    };
    const socket = connect({ ...options, ...(session && { session }), ...(ca && { ca: readFileSync(ca) }) }, () => {
      protocol = socket.getProtocol();
      resumed = socket.isSessionReused();
      socket.write('GET / HTTP/1.0\r\n\r\n');
    });
    const timer = setTimeout(() => finish({ code: 'TIMEOUT' }), timeout);
    socket.on('session', (ticket) => (session = ticket));
    socket.on('data', (chunk) => (bytes += chunk.length));
    socket.on('error', finish);
    socket.on('close', () => finish());
  });
}
