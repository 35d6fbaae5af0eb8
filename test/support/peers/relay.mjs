/**
 * Carries TCP connections to a unix socket, which knows no network namespaces. Argument: JSON {port, path}. Says
 * `listening`.
 */
import { connect, createServer } from 'node:net';

const { port, path } = JSON.parse(process.argv[2]);
createServer((client) => {
  const server = connect(path);
  for (const [one, other] of [
    [client, server],
    [server, client],
  ]) {
    one.pipe(other);
    one.on('error', () => other.destroy()).on('close', () => other.destroy());
  }
}).listen(port, '::', () => process.stdout.write('listening\n'));
