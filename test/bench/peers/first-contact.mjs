/**
 * A client of TLS 1.3 that asks for another name each time: `first-contact.mjs SERVER PORT` makes so many handshakes one after
 * the other, and prints { handshakes, failed, total, seconds, p50, p99, connected }, the last three in microseconds from its SYN on:
 * until half of the handshakes were over, 99 of a hundred, and until half of the connections were there, which is one round
 * trip as a client sees it.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:tls';

const HANDSHAKES = 100;
const [host, port] = process.argv.slice(2);

const began = performance.now();
const [micros, connected, failures] = [[], [], []];
for (let i = 0; i < HANDSHAKES; i++) {
  const servername = `${randomUUID()}.nginx.example`;
  const start = performance.now();
  const socket = connect({ host, port: Number(port), servername, minVersion: 'TLSv1.3', rejectUnauthorized: false });
  socket.once('connect', () => connected.push((performance.now() - start) * 1000));
  try {
    await once(socket, 'secureConnect');
    micros.push((performance.now() - start) * 1000);
  } catch (error) {
    failures.push(error.message);
  }
  socket.destroy();
}
const at = (quantile, values) => values.toSorted((a, b) => a - b)[Math.floor(values.length * quantile)];
for (const failure of failures) console.error(failure);
if (micros.length === 0) process.exit(1);
console.log(
  JSON.stringify({
    handshakes: micros.length,
    failed: failures.length,
    total: HANDSHAKES,
    seconds: (performance.now() - began) / 1000,
    p50: at(0.5, micros),
    p99: at(0.99, micros),
    connected: at(0.5, connected),
  }),
);
