/**
 * A plain TCP client that believes nothing: it sends given bytes and tells which ones arrived, in order, as its kernel
 * gave them. Argument: JSON {host, port, localPort, send (hex), wait (ms of silence that end it), timeout}. Further lines
 * of hex on standard input are sent when they come. Prints `connected`, then one JSON line.
 */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

const { send = '', wait = 1_500, timeout = 8_000, ...options } = JSON.parse(process.argv[2]);
const received = [];
let silence;
let began = Date.now();

const socket = connect({ ...options, noDelay: true }, () => {
  process.stdout.write('connected\n');
  if (send !== '') socket.write(Buffer.from(send, 'hex'));
  rearm();
});
socket.on('data', (chunk) => {
  received.push(chunk);
  rearm();
});
socket.on('end', () => finish('fin'));
socket.on('error', (error) => finish(error.code));
setTimeout(() => finish('timeout'), timeout);
createInterface({ input: process.stdin }).on('line', (line) => {
  socket.write(Buffer.from(line, 'hex'));
  rearm();
});

function rearm() {
  clearTimeout(silence);
  silence = setTimeout(() => finish('silence'), wait);
}

function finish(end) {
  process.stdout.write(
    `${JSON.stringify({ end, received: Buffer.concat(received).toString('hex'), millis: Date.now() - began })}\n`,
  );
  // Gone at once, so that its port can be used again.
  socket.resetAndDestroy();
  setImmediate(() => process.exit(0));
}
