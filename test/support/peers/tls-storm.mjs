/**
 * Many HTTPS requests at the same time by Node's own TLS. Argument: JSON {clients: [options of tls.connect, …], timeout,
 * …options of all}. Prints one line, a JSON array in the same order: {error, bytes, millis}.
 */
import { connect } from 'node:tls';

const { clients, timeout = 15_000, ...common } = JSON.parse(process.argv[2]);
process.stdout.write(`${JSON.stringify(await Promise.all(clients.map(request)))}\n`);

function request(options) {
  const began = performance.now();
  return new Promise((resolve) => {
    let bytes = 0;
    const finish = (error) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ error: error?.code ?? error?.message ?? null, bytes, millis: Math.round(performance.now() - began) });
    };
    const socket = connect({ ...common, ...options, rejectUnauthorized: false }, () =>
      socket.write('GET / HTTP/1.0\r\n\r\n'),
    );
    const timer = setTimeout(() => finish({ code: 'TIMEOUT' }), timeout);
    socket.on('data', (chunk) => (bytes += chunk.length));
    socket.on('error', finish);
    socket.on('close', () => finish());
  });
}
