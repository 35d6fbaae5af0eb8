/**
 * A server that shows a certificate it does not have the key of: a TLS 1.0 to 1.2 flight, ServerHello, Certificate,
 * ServerKeyExchange on X25519, ServerHelloDone, signed with whatever key it is given. Argument: JSON {port, cert (PEM
 * chain), key (PEM that signs), version (0x0303), scheme (0x0401), suite (0xc02f), stale (sign other randoms)}.
 */
import {
  constants,
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  privateEncrypt,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const options = JSON.parse(process.argv[2]);
const { port, version = 0x0303, scheme = 0x0401, suite = 0xc02f, stale = false } = options;
const key = createPrivateKey(readFileSync(options.key));
const pem = readFileSync(options.cert, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
const chain = pem.map((text) => new X509Certificate(text).raw);

const number = (value, octets) => Buffer.from(value.toString(16).padStart(2 * octets, '0'), 'hex');
const vector = (octets, ...parts) => Buffer.concat([number(Buffer.concat(parts).length, octets), ...parts]);
const message = (type, ...parts) => Buffer.concat([number(type, 1), vector(3, ...parts)]);

createServer((socket) => {
  let received = Buffer.alloc(0);
  let answered = false;
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    const clientRandom = randomOf(received);
    if (answered || clientRandom === undefined) return;
    answered = true;
    socket.write(flight(clientRandom));
  });
}).listen(port, '::', () => process.stdout.write('listening\n'));

/** Of the ClientHello, which every client here sends in one record. */
function randomOf(bytes) {
  if (bytes.length < 5 || bytes.length < 5 + bytes.readUInt16BE(3)) return undefined;
  return bytes.subarray(5 + 4 + 2, 5 + 4 + 2 + 32);
}

function flight(clientRandom) {
  const serverRandom = randomBytes(32);
  const { publicKey } = generateKeyPairSync('x25519');
  const point = Buffer.from(publicKey.export({ format: 'jwk' }).x, 'base64url');
  const params = Buffer.concat([number(3, 1), number(29, 2), vector(1, point)]);
  const signed = Buffer.concat([stale ? randomBytes(32) : clientRandom, serverRandom, params]);
  const hello = message(
    2,
    number(version, 2),
    serverRandom,
    vector(1, randomBytes(32)),
    number(suite, 2),
    number(0, 1),
  );
  const certificate = message(11, vector(3, ...chain.map((der) => vector(3, der))));
  const name = version < 0x0303 ? [] : [number(scheme, 2)];
  const exchange = message(12, params, ...name, vector(2, signature(signed)));
  return [hello, certificate, exchange, message(14)].reduce(
    (all, one) => Buffer.concat([all, number(22, 1), number(version, 2), vector(2, one)]),
    Buffer.alloc(0),
  );
}

/** RFC 5246 §7.4.3; below TLS 1.2, RSA signs MD5 and SHA-1 together (RFC 4346 §7.4.3). */
function signature(signed) {
  if (version >= 0x0303) return sign('sha256', signed, key);
  if (key.asymmetricKeyType !== 'rsa') return sign('sha1', signed, key);
  const digest = Buffer.concat(['md5', 'sha1'].map((algorithm) => createHash(algorithm).update(signed).digest()));
  return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, digest);
}
