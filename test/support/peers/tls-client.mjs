/**
 * HTTPS requests by Node's own TLS. Argument: JSON {host, port, servername, ca, timeout, requests, keylog (a file),
 * wrongKeylog (with spoilt secrets), keylogSocket, pause (ms between requests), counts (octets on the wire), cert and key (files), …options of tls.connect}.
 * Prints one JSON line a request: what came, or which error; a session is offered again from one request to the next.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { connect } from 'node:tls';

const given = JSON.parse(process.argv[2]);
const {
  ca,
  timeout = 10_000,
  requests = 1,
  keylog,
  keylogSocket,
  wrongKeylog,
  pause = 0,
  counts = false,
  cert,
  key,
  ...options
} = given;
const log = keylogSocket === undefined ? undefined : connectPlain(keylogSocket).unref();
let session;
for (let n = 0; n < requests; n++) {
  if (n > 0) await new Promise((resolve) => setTimeout(resolve, pause));
  process.stdout.write(`${JSON.stringify(await request())}\n`);
}

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
      const octets = raw && { octets: raw.bytesRead };
      resolve({ error: error?.code ?? error?.message ?? null, bytes, protocol, resumed, millis, ...octets });
    };
    const raw = counts ? connectPlain(options).on('error', finish) : undefined;
    const files = {
      ...(ca && { ca: readFileSync(ca) }),
      ...(cert && { cert: readFileSync(cert), key: readFileSync(key) }),
    };
    const socket = connect({ ...options, ...(raw && { socket: raw }), ...(session && { session }), ...files }, () => {
      protocol = socket.getProtocol();
      resumed = socket.isSessionReused();
      socket.write('GET / HTTP/1.0\r\n\r\n');
    });
    const timer = setTimeout(() => finish({ code: 'TIMEOUT' }), timeout);
    socket.on('session', (ticket) => (session = ticket));
    socket.on('keylog', (line) => {
      if (keylog !== undefined) appendFileSync(keylog, line);
      log?.write(line);
      if (wrongKeylog !== undefined) appendFileSync(wrongKeylog, spoilt(line));
    });
    socket.on('data', (chunk) => (bytes += chunk.length));
    socket.on('error', finish);
    socket.on('close', () => finish());
  });
}

/** A line of the log with another secret of the same length. */
function spoilt(line) {
  return line.toString().replace(/[0-9a-f]{2}$/m, (octet) => (octet === '00' ? 'ff' : '00'));
}
