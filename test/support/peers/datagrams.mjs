/**
 * Sockets for datagrams, as many as are named. Each line of standard input sends one: JSON {socket, to: [address, port],
 * data (hex)}; a socket that is new is opened at `port` if the line has one. Prints one JSON line for each that comes:
 * {socket, from: [address, port], data}.
 */
import { createSocket } from 'node:dgram';
import { createInterface } from 'node:readline';

const sockets = new Map();

createInterface({ input: process.stdin }).on('line', (line) => {
  const { socket: name, port, to, data } = JSON.parse(line);
  let socket = sockets.get(name);
  if (socket === undefined) sockets.set(name, (socket = open(name, port)));
  if (to !== undefined) socket.send(Buffer.from(data, 'hex'), to[1], to[0]);
});

function open(name, port) {
  const socket = createSocket('udp6');
  socket.on('message', (message, { address, port: from }) => {
    say({ socket: name, from: [address, from], data: message.toString('hex') });
  });
  socket.on('error', () => {});
  socket.bind(port ?? 0, '::', () => say({ opened: name }));
  return socket;
}

function say(event) {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}
