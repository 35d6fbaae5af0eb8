/**
 * HTTPS requests at a steady rate by Node's own TLS, of several kinds in turn. Argument: JSON {host, kinds: [options of
 * tls.connect with a `kind`], perSecond, seconds, timeout}. Prints a JSON array: {kind, at, error, bytes, millis}; and says
 * `half` on standard error when half of the time is over.
 */
import { connect } from 'node:tls';

const { host, kinds, perSecond, seconds, timeout } = JSON.parse(process.argv[2]);
const began = performance.now();
const outcomes = [];
for (let n = 0; n < perSecond * seconds; n++) {
  const wait = began + (n * 1000) / perSecond - performance.now();
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  if (n === Math.floor((perSecond * seconds) / 2)) process.stderr.write('half\n');
  outcomes.push(request(kinds[n % kinds.length]));
}
process.stdout.write(`${JSON.stringify(await Promise.all(outcomes))}\n`);

function request({ kind, ...options }) {
  const at = performance.now();
  return new Promise((resolve) => {
    let bytes = 0;
    const finish = (error) => {
      clearTimeout(timer);
      socket.destroy();
      const millis = Math.round(performance.now() - at);
      resolve({ kind, at: Math.round(at - began), error: error?.code ?? error?.message ?? null, bytes, millis });
    };
    const socket = connect({ host, ...options, rejectUnauthorized: false }, () =>
      socket.write('GET / HTTP/1.0\r\n\r\n'),
    );
    const timer = setTimeout(() => finish({ code: 'TIMEOUT' }), timeout);
    socket.on('data', (chunk) => (bytes += chunk.length));
    socket.on('error', finish);
    socket.on('close', () => finish());
  });
}
