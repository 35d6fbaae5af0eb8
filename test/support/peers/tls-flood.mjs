/**
 * Both ends of TLS 1.2 handshakes that nobody completes, without any cryptography. Argument: JSON, one of
 *   {listen: port, certificate (DER, base64), does}   `half`: a ServerHello and half a Certificate, then silence;
 *                                                     `another`: a whole one, with another serial number each time
 *   {host, port, hello (hex), count, rate, stay}      so many clients, `rate` a second, which stay for `stay` ms
 * Says `listening`, or when all clients are gone: {connected, failed}.
 */
import { randomBytes } from 'node:crypto';
import { connect, createServer } from 'node:net';

const given = JSON.parse(process.argv[2]);
if (given.listen === undefined) flood(given);
else serve(given);

function serve({ listen, certificate, does }) {
  const der = Buffer.from(certificate, 'base64');
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      const octets = Buffer.concat([record(serverHello()), record(certificateMessage(renumbered(der)))]);
      socket.write(does === 'half' ? octets.subarray(0, octets.length - (der.length >> 1)) : octets);
    });
  });
  server.listen({ port: listen, host: '::', backlog: 65_535 }, () => process.stdout.write('listening\n'));
}

function flood({ host, port, hello, count, rate, stay }) {
  const octets = Buffer.from(hello, 'hex');
  const counts = { connected: 0, failed: 0 };
  let made = 0;
  let gone = 0;
  const timer = setInterval(() => {
    for (let due = Math.ceil(rate / 50); due > 0 && made < count; due--) visit();
    if (made === count) clearInterval(timer);
  }, 20);

  function visit() {
    made++;
    const socket = connect({ host, port, noDelay: true }, () => {
      counts.connected++;
      socket.write(octets);
      setTimeout(() => socket.destroy(), stay);
    });
    socket.on('data', () => {});
    socket.on('error', () => counts.failed++);
    socket.on('close', () => {
      if (++gone === count) process.stdout.write(`${JSON.stringify(counts)}\n`);
    });
  }
}

function serverHello() {
  const extensions = Buffer.from([0, 5, 0xff, 1, 0, 1, 0]);
  return handshake(
    2,
    Buffer.concat([Buffer.from([3, 3]), randomBytes(32), Buffer.from([0, 0xc0, 0x2f, 0]), extensions]),
  );
}

function certificateMessage(der) {
  return handshake(11, Buffer.concat([uint24(der.length + 3), uint24(der.length), der]));
}

/** X.509: the serial number follows SEQUENCE, SEQUENCE and the version. */
function renumbered(der) {
  const other = Buffer.from(der);
  randomBytes(7).copy(other, SERIAL_AT);
  return other;
}

function handshake(type, body) {
  return Buffer.concat([Buffer.from([type]), uint24(body.length), body]);
}

function record(body) {
  return Buffer.concat([Buffer.from([22, 3, 3, body.length >> 8, body.length & 255]), body]);
}

function uint24(value) {
  return Buffer.from([value >> 16, (value >> 8) & 255, value & 255]);
}

const SERIAL_AT = 16;
