/** Handshakes between OpenSSL and OpenSSL, watched and decrypted with what the client logs. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { connect, type ConnectionOptions, createSecureContext, type SecureContextOptions, TLSSocket } from 'node:tls';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { CertificateShop } from '../../src/runtime/demo/certificates.ts';
import { parseKeyLog } from '../../src/source/key-log.ts';
import { EncryptedFlight, type ServerAuthentication } from '../../src/tls/encrypted-flight.ts';
import { tls13SuiteOf } from '../../src/tls/key-schedule.ts';
import { RecordReader } from '../../src/tls/record.ts';
import { parseServerHello, type ServerHello } from '../../src/tls/server-hello.ts';
import { Transcript } from '../../src/tls/transcript.ts';
import { verifyIdentity } from '../../src/x509/certificate-verify.ts';
import { der } from '../support/tls-bytes.ts';

const limits = { handshakeBytes: 65_536, records: 256, certificates: 16 };
const directory = mkdtempSync(join(tmpdir(), 'tlspin-keylogged-'));
let identity: { cert: Buffer; key: Buffer };
let leaf: Buffer;

beforeAll(() => {
  const shop = new CertificateShop(directory);
  const { cert, key } = shop.leaf('leaf', { issuer: shop.authority('authority'), names: ['a.example'] });
  identity = { cert: readFileSync(cert), key: readFileSync(key) };
  leaf = der(cert);
});

afterAll(() => rmSync(directory, { recursive: true }));

interface Watched {
  readonly fromClient: Buffer;
  readonly fromServer: Buffer;
  readonly keyLog: Buffer;
  readonly session: Buffer | undefined;
}

/** Both directions of one connection, on which a request and an answer go by. */
function watch(client: ConnectionOptions, server: SecureContextOptions & { requestCert?: boolean }): Promise<Watched> {
  const seen: { client: Buffer[]; server: Buffer[]; keys: Buffer[]; session?: Buffer } = {
    client: [],
    server: [],
    keys: [],
  };
  const end = (from: 'client' | 'server', other: () => Duplex) =>
    new Duplex({
      read() {},
      write(chunk: Buffer, _, done) {
        seen[from].push(Buffer.from(chunk));
        other().push(chunk);
        done();
      },
    });
  const clientEnd: Duplex = end('client', () => serverEnd);
  const serverEnd: Duplex = end('server', () => clientEnd);
  return new Promise((resolve, reject) => {
    const { requestCert = false, ...context } = server;
    const secureContext = createSecureContext({ ...identity, ...context });
    const accepted = new TLSSocket(serverEnd, {
      isServer: true,
      secureContext,
      requestCert,
      rejectUnauthorized: false,
    });
    accepted.on('error', reject).once('data', () => accepted.write('answer'));
    const asking = connect({ servername: 'a.example', rejectUnauthorized: false, ...client, socket: clientEnd });
    asking.on('error', reject).on('session', (session) => (seen.session = session));
    asking.on('keylog', (line) => seen.keys.push(line));
    asking.once('secureConnect', () => asking.write('question'));
    asking.once('data', () => {
      const [fromClient, fromServer, keyLog] = [seen.client, seen.server, seen.keys].map((each) => Buffer.concat(each));
      resolve({ fromClient: fromClient!, fromServer: fromServer!, keyLog: keyLog!, session: seen.session });
    });
  });
}

/** Bodies of the handshake messages in clear, and what follows the last of them. */
function clearMessages(stream: Buffer): { bodies: Buffer[]; rest: Buffer } {
  const bodies: Buffer[] = [];
  let at = 0;
  while (stream[at] === 22 || (stream[at] === 20 && stream[at + 6] === 22)) {
    const end = at + 5 + stream.readUInt16BE(at + 3);
    if (stream[at] === 22) bodies.push(stream.subarray(at + 9, end));
    at = end;
  }
  return { bodies, rest: stream.subarray(at) };
}

function decrypt({ fromClient, fromServer, keyLog }: Watched, secret?: Uint8Array) {
  const client = clearMessages(fromClient).bodies;
  const { bodies: server, rest } = clearMessages(fromServer);
  const [clientHello, secondClientHello] = [client[0]!, client[1]];
  const last = parseServerHello(server.at(-1)!) as ServerHello;
  const retry = server.length === 1 ? undefined : { helloRetryRequest: server[0]!, clientHello: secondClientHello! };
  const suite = tls13SuiteOf(last.cipherSuite)!;
  const transcript = Transcript.ofHellos(suite.hash, { clientHello, retry, serverHello: last.body });
  const random = clientHello.subarray(2, 34);
  const logged = parseKeyLog(keyLog).find(({ clientRandom }) => Buffer.compare(clientRandom, random) === 0);
  const serverSecret = secret ?? logged!.secret;
  const flight = new EncryptedFlight({ suite, serverSecret, transcript, offersRawPublicKey: false, limits });
  const reader = new RecordReader(flight);
  reader.feed(rest, 0, rest.length);
  return { authentication: flight.authentication, fault: reader.fault?.code };
}

function isProven(authentication: ServerAuthentication | undefined): boolean {
  return authentication?.kind === 'certificate' && verifyIdentity(authentication, Date.now());
}

/** Which some versions of OpenSSL take for too weak. */
const SHORT_TAG = { ciphers: 'TLS_AES_128_CCM_8_SHA256:ALL:@SECLEVEL=0' };

describe('the secret that a client logs', () => {
  it.each<[string, ConnectionOptions, SecureContextOptions & { requestCert?: boolean }]>([
    ['of a handshake', {}, {}],
    ['with AES-256 and SHA-384', { ciphers: 'TLS_AES_256_GCM_SHA384' }, {}],
    ['with ChaCha20', { ciphers: 'TLS_CHACHA20_POLY1305_SHA256' }, {}],
    ['with CCM', { ciphers: 'TLS_AES_128_CCM_SHA256' }, { ciphers: 'TLS_AES_128_CCM_SHA256' }],
    ['with a short tag', SHORT_TAG, SHORT_TAG],
    ['after a HelloRetryRequest', {}, { ecdhCurve: 'P-384' }],
    ['with a request for a client’s certificate', {}, { requestCert: true }],
  ])('%s opens the certificate and its proof', async (_, client, server) => {
    const { authentication, fault } = decrypt(await watch(client, server));
    expect(fault).toBeUndefined();
    expect(authentication).toMatchObject({ kind: 'certificate', certificates: [new Uint8Array(leaf)] });
    expect(isProven(authentication)).toBe(true);
  });

  it('of a session that is resumed shows that there is no certificate', async () => {
    const ticketKeys = Buffer.alloc(48, 7);
    const { session } = await watch({}, { ticketKeys });
    const resumed = await watch({ session: session! }, { ticketKeys });
    expect(decrypt(resumed)).toEqual({ authentication: { kind: 'psk' }, fault: undefined });
  });

  it('of another handshake opens nothing', async () => {
    const [one, other] = [await watch({}, {}), await watch({}, {})];
    const secret = parseKeyLog(other.keyLog)[0]!.secret;
    expect(decrypt(one, secret)).toEqual({ authentication: undefined, fault: 'tls.record.undecipherable' });
  });
});
