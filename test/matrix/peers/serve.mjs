/** Node's https. Arguments: port, certificate file, key file, folder, version of TLS. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

const [, , port, cert, key, folder, version] = process.argv;
const versions = { minVersion: `TLSv${version}`, maxVersion: `TLSv${version}` };
const page = readFileSync(`${folder}/index.html`);
createServer({ cert: readFileSync(cert), key: readFileSync(key), ...versions }, (_, answer) => {
  answer.writeHead(200, { 'content-type': 'text/html', connection: 'close' }).end(page);
}).listen(Number(port));
