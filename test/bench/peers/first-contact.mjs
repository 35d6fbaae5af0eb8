/**
 * A client of TLS 1.3 that asks for another name each time: `first-contact.mjs SERVER PORT` makes so many handshakes one after
 * the other, and prints { handshakes, total, seconds, p50, p99 }, the last two in microseconds from its SYN on.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:tls';

const HANDSHAKES = 100;
const [host, port] = process.argv.slice(2);

const began = performance.now();
const micros = [];
for (let i = 0; i < HANDSHAKES; i++) {
  const servername = `${randomUUID()}.nginx.example`;
  const start = performance.now();
  const socket = connect({ host, port: Number(port), servername, minVersion: 'TLSv1.3', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  micros.push((performance.now() - start) * 1000);
  socket.destroy();
}
micros.sort((a, b) => a - b);
const at = (quantile) => micros[Math.floor(HANDSHAKES * quantile)];
console.log(
  JSON.stringify({
    handshakes: HANDSHAKES,
    total: HANDSHAKES,
    seconds: (performance.now() - began) / 1000,
    p50: at(0.5),
    p99: at(0.99),
  }),
);
