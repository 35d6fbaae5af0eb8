/**
 * A TLS server that answers each request with a body of a given size. Argument: JSON {port, cert, key, body, …options of
 * tls.createServer}; files by path. Says `listening`, then one JSON line a handshake and a request.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:tls';

const { port, cert, key, body = 5, ...options } = JSON.parse(process.argv[2]);
const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

const server = createServer({ ...options, cert: readFileSync(cert), key: readFileSync(key) }, (socket) => {
  say({ event: 'secure', resumed: socket.isSessionReused() });
  socket.on('error', (error) => say({ event: 'error', code: error.code }));
  socket.once('data', () => {
    say({ event: 'request' });
    socket.write(`HTTP/1.0 200 OK\r\nContent-Length: ${body}\r\n\r\n`);
    send(socket, body);
  });
});
server.on('tlsClientError', (error) => say({ event: 'tls-error', code: error.code, message: error.message }));
server.listen(port, '::', () => process.stdout.write('listening\n'));

/** In pieces of 64 KiB, each when the one before has left. */
function send(socket, left) {
  if (left === 0) return socket.end();
  const size = Math.min(left, 65536);
  socket.write(Buffer.alloc(size, 'b'), () => send(socket, left - size));
}
