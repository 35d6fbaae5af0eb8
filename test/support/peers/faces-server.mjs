/**
 * TLS servers that show different faces to different connections. Argument: JSON {ports: {443: [face, …], …}}; each
 * connection gets the first face of its port that fits:
 *   from     only connections from this address
 *   times    only so many connections
 *   nth      only the connection of that number, the first of its port being 0
 *   does     serve (default) | silent | reset | close | garbage: what is done once the client has spoken
 *   delay    milliseconds until the first octet is answered
 *   cert, key, second: {cert, key}, body, …options of tls.createServer; files by path
 * Says `listening`, then one JSON line each: {event: connection | secure | request | over, port, from, face, …}.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

const { ports } = JSON.parse(process.argv[2]);
const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

for (const [port, faces] of Object.entries(ports)) {
  const known = faces.map((face) => ({ ...face, used: 0, server: tlsServer(face) }));
  let number = 0;
  const server = createServer((socket) => {
    const nth = number++;
    const from = socket.remoteAddress.replace(/^::ffff:/, '');
    const fits = (face) =>
      (face.from ?? from) === from && face.used < (face.times ?? Infinity) && (face.nth ?? nth) === nth;
    const at = known.findIndex(fits);
    const about = { port: Number(port), from, fromPort: socket.remotePort, face: at };
    say({ event: 'connection', ...about });
    socket.on('error', () => {});
    socket.on('close', () => say({ event: 'over', ...about }));
    if (at < 0) return socket.resetAndDestroy();
    known[at].used++;
    socket.about = about;
    setTimeout(() => show(known[at], socket), known[at].delay ?? 0);
  });
  await new Promise((resolve) => server.listen(Number(port), '::', 1024, resolve));
}
process.stdout.write('listening\n');

function show({ does = 'serve', server }, socket) {
  if (does === 'serve') return server.emit('connection', socket);
  socket.on('data', () => {
    if (does === 'reset') socket.resetAndDestroy();
    if (does === 'close') socket.end();
    if (does === 'garbage') socket.end('220 mail.example ESMTP\r\n');
  });
}

function tlsServer({ cert, key, second, body = 5, ...options }) {
  if (cert === undefined) return undefined;
  const pairs = [{ cert, key }, ...(second === undefined ? [] : [second])];
  const read = (name) => pairs.map((pair) => readFileSync(pair[name]));
  const server = createTlsServer({ ...options, cert: read('cert'), key: read('key') }, (socket) => {
    const about = socket._parent?.about ?? {};
    say({ event: 'secure', ...about, resumed: socket.isSessionReused(), protocol: socket.getProtocol() });
    socket.on('error', () => {});
    socket.once('data', () => {
      say({ event: 'request', ...about });
      socket.write(`HTTP/1.0 200 OK\r\nContent-Length: ${body}\r\n\r\n`);
      socket.end(Buffer.alloc(body, 'b'));
    });
  });
  server.on('tlsClientError', (error) => say({ event: 'tls-error', code: error.code }));
  return server;
}
