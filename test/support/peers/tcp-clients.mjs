/**
 * Many plain TCP clients in one process, which believe nothing. Each line of standard input starts one: JSON {id, host,
 * port, send (hex), wait (ms of silence that end it), timeout}. Prints one JSON line when it is connected, with its port,
 * and one when it is over, with what arrived in order, as its kernel gave it.
 */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

createInterface({ input: process.stdin }).on('line', (line) => start(JSON.parse(line)));

function start({ id, host, port = 443, send, wait, timeout }) {
  const received = [];
  let silence;
  const socket = connect({ host, port, noDelay: true }, () => {
    say({ event: 'connected', id, port: socket.localPort });
    socket.write(Buffer.from(send, 'hex'));
    rearm();
  });
  const deadline = setTimeout(finish, timeout);
  socket.on('data', (chunk) => {
    received.push(chunk);
    rearm();
  });
  socket.on('end', finish);
  socket.on('error', finish);

  function rearm() {
    clearTimeout(silence);
    silence = setTimeout(finish, wait);
  }

  function finish() {
    clearTimeout(silence);
    clearTimeout(deadline);
    socket.removeAllListeners().on('error', () => {});
    // Gone at once, so that nothing of it is under way any more.
    socket.resetAndDestroy();
    say({ event: 'over', id, received: Buffer.concat(received).toString('hex') });
  }
}

function say(event) {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}
