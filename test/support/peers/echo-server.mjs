/** A TLS server that says whatever it hears. Argument: JSON {port, cert, key}; files by path. Says `listening`. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:tls';

const { port, ...files } = JSON.parse(process.argv[2]);
const [cert, key] = [files.cert, files.key].map((path) => readFileSync(path));
createServer({ cert, key }, (socket) => socket.on('error', () => {}).pipe(socket)).listen(port, '::', () =>
  console.log('listening'),
);
