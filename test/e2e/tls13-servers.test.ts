/**
 * What servers and clients of TLS 1.3 do beyond the ordinary: the probe sees what the client would see, genuine servers
 * pass with all of it and forged ones do not.
 */
import { createPrivateKey, createPublicKey, randomBytes, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { brotliCompressSync, deflateSync } from 'node:zlib';

import { beforeAll, describe, expect, it } from 'vitest';

import type { Identity } from '../../src/runtime/demo/certificates.ts';
import { spkiPin } from '../../src/runtime/demo/certificates.ts';
import { NAME, pinset } from '../support/lab/bank.ts';
import { bank, lab, openFaces, openScene, requestTo, scene } from '../support/lab/bank-scene.ts';
import type { VerdictRecord } from '../support/lab/engine.ts';
import { describeClients } from '../support/lab/clients.ts';
import type { Face } from '../support/lab/faces.ts';
import { startGoServer } from '../support/lab/go.ts';
import { selfSigned, startNginx, startOpensslServer } from '../support/lab/openssl.ts';
import { requestWithCurl, requestWithNode, requestWithOpenssl, TcpClient } from '../support/lab/peers.ts';
import type { Outcome } from '../support/lab/peers.ts';
import { startRelayed } from '../support/lab/relayed.ts';
import { clientHelloOf } from '../support/memory-tls.ts';
import { lacks, started } from '../support/programs.ts';
import { ScriptedServer, withExtension } from '../support/scripted-server.ts';
import type { Script } from '../support/scripted-server.ts';
import { der, extension, handshake, readFlight, record, u16, vector16, vector8 } from '../support/tls-bytes.ts';
import {
  certificate13,
  certificateBody13,
  certificateRequest,
  compressedCertificate,
  encryptedExtensions,
} from '../support/tls13-bytes.ts';

/** A genuine server's port; the forged one's is behind it. */
const PORT = {
  group: 4430,
  client: 4432,
  both: 4434,
  mixed: 4436,
  nginx: 4438,
  go: 4440,
  padded: 4442,
  cut: 4444,
  plain: 4446,
  scripted: 4460,
  gnutls: 4450,
  retried: 4452,
};
const DENIED = /alert|ALERT|bad certificate/;

let ec: Identity;
let forgedEc: Identity;
beforeAll(async () => {
  const curve = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  await openScene(() => {
    [ec, forgedEc] = [
      selfSigned(lab.directory, 'ec', NAME, curve),
      selfSigned(lab.directory, 'forged-ec', NAME, curve),
    ];
    lab.withoutOffload('client');
    const pins = [bank.pin, spkiPin(ec.cert)];
    return { pinsets: [pinset({ pins })], ports: ['4430-4499'], probe: { recheck: 0, perClient: 600, timeout: 2_000 } };
  });
  const pair = (port: number, options: Partial<Face>, [one, other] = [bank.genuineChain, bank.forgedChain]) => ({
    [port]: [{ ...one!, ...options }],
    [port + 1]: [{ ...other!, ...options }],
  });
  const clientCa = readFileSync(ec.cert, 'utf8');
  await openFaces({
    ...pair(PORT.plain, {}),
    ...pair(PORT.group, { ecdhCurve: 'P-384' }),
    ...pair(PORT.retried, { ecdhCurve: 'P-521' }),
    ...pair(PORT.client, { requestCert: true, rejectUnauthorized: true, ca: clientCa }),
    [PORT.both]: [{ ...bank.genuineChain, second: ec }],
    [PORT.mixed]: [{ ...bank.genuineChain, second: forgedEc }],
  });
});

const node = async (port: number, options: object = {}): Promise<Outcome> =>
  (await requestWithNode(lab, 'client', { ...requestTo(port), ...options }))[0]!;
const curl = (port: number): Promise<Outcome> => requestWithCurl(lab, 'client', requestTo(port));
const openssl = (port: number, ...args: string[]): Promise<Outcome> =>
  requestWithOpenssl(lab, 'client', { ...requestTo(port), args });

async function expectMatch(outcome: Outcome): Promise<VerdictRecord> {
  expect(outcome).toMatchObject({ error: null });
  expect(outcome.bytes).toBeGreaterThan(0);
  const found = await scene.verdict();
  expect(found).toMatchObject({
    verdict: { action: 'accept', reason: 'probe-match', evidence: 'probed' },
    tls: { version: 'TLS 1.3' },
  });
  return found;
}

async function expectMismatch(outcome: Outcome): Promise<void> {
  expect(outcome.bytes).toBe(0);
  expect(outcome.error).toMatch(DENIED);
  expect((await scene.verdict()).verdict).toMatchObject({
    action: 'tls-alert',
    reason: 'probe-mismatch',
    evidence: 'probed',
  });
}

/** The genuine server's port, and the forged one's behind it. */
async function expectBoth(request: (port: number) => Promise<Outcome>, port: number): Promise<void> {
  await expectMatch(await request(port));
  scene.begin();
  await expectMismatch(await request(port + 1));
}

describe('a server that asks for another group (HelloRetryRequest)', () => {
  describeClients((ask) => {
    it('P-384', () => expectBoth((port) => ask(lab, 'client', requestTo(port)), PORT.group));
  });

  it('P-521, which no probe can do: what cannot be asked is denied, and the log says so', async () => {
    const outcome = await node(PORT.retried);
    const { verdict } = await scene.verdict();
    if (verdict.reason === 'probe-match') return expect(outcome).toMatchObject({ error: null });
    expect(outcome.bytes).toBe(0);
    expect(verdict).toMatchObject({ action: 'tls-alert', reason: 'probe-failed' });
  });
});

describe('a server that wants a client’s certificate', () => {
  it('is reached by the client that has one, although the probe has none', async () => {
    const identity = { cert: ec.cert, key: ec.key };
    await expectBoth((port) => node(port, identity), PORT.client);
  });

  it('and by openssl and curl', async () => {
    await expectMatch(await openssl(PORT.client, '-cert', ec.cert, '-key', ec.key));
    scene.begin();
    const args = ['--cert', ec.cert, '--key', ec.key];
    await expectMatch(await requestWithCurl(lab, 'client', { ...requestTo(PORT.client), args }));
  });

  it('still refuses the one that has none: the verdict is about the server', async () => {
    expect((await node(PORT.client)).error).toMatch(DENIED);
    expect((await scene.verdict()).verdict).toMatchObject({ action: 'accept', reason: 'probe-match' });
  });
});

describe('a server with an RSA and an ECDSA certificate', () => {
  const only = { rsa: 'rsa_pss_rsae_sha256', ecdsa: 'ecdsa_secp256r1_sha256' };
  const client = (port: number, sigalgs: string) => node(port, { sigalgs, rejectUnauthorized: false });

  it.each(Object.entries(only))(
    'both pinned: a client that only knows %s passes by that one',
    async (kind, sigalgs) => {
      const { verdict } = await expectMatch(await client(PORT.both, sigalgs));
      expect(verdict.matched).toContain((kind === 'rsa' ? bank.pin : spkiPin(ec.cert)).slice('sha256//'.length));
    },
  );

  it('the RSA one pinned, the ECDSA one forged: each client is judged by the one that it would be shown', async () => {
    await expectMatch(await client(PORT.mixed, only.rsa));
    scene.begin();
    await expectMismatch(await client(PORT.mixed, only.ecdsa));
    scene.begin();
    await expectMatch(await openssl(PORT.mixed, '-sigalgs', 'RSA-PSS+SHA256'));
  });
});

describe('other programs', () => {
  it.skipIf(lacks('nginx'))('nginx', async () => {
    await startNginx(lab, 'server', bank.genuineChain, { port: PORT.nginx, protocols: 'TLSv1.2 TLSv1.3' });
    await expectMatch(await curl(PORT.nginx));
  });

  it.skipIf(lacks('go'))('Go', async () => {
    await startGoServer(lab, 'server', bank.genuineChain, PORT.go);
    await startGoServer(lab, 'server', bank.forgedChain, PORT.go + 1);
    await expectBoth(curl, PORT.go);
  });

  it.each([
    ['that pads its records', PORT.padded, ['-record_padding', '512']],
    [
      'that cuts its flight into small records, without middlebox compatibility',
      PORT.cut,
      ['-max_send_frag', '512', '-no_middlebox'],
    ],
  ])('openssl, %s', async (_, port, args) => {
    const chain = bank.genuineChain.cert;
    await startOpensslServer(lab, 'server', { identity: bank.genuine, chain, port, args });
    await startOpensslServer(lab, 'server', { identity: bank.forged, port: port + 1, args });
    await expectBoth(node, port);
  });
});

describe('long hellos, as those with post-quantum shares are', () => {
  const longer = (octets: number) => ({
    ALPNProtocols: Array.from({ length: Math.ceil(octets / 200) }, (_, n) => `${n}`.padEnd(199, 'x')),
  });

  it.each([
    [2, 1_600],
    [3, 3_400],
  ])('over %d segments', async (_, octets) => {
    await expectBoth((port) => node(port, longer(octets)), PORT.plain);
  });

  const hasMlKem = versionOf(process.versions.openssl) >= versionOf('3.5');
  it.skipIf(!hasMlKem)('X25519MLKEM768 (where the runtime’s OpenSSL has it: 3.5)', async () => {
    await expectBoth((port) => node(port, { ecdhCurve: 'X25519MLKEM768' }), PORT.plain);
  });
});

/** Servers whose flights are made by hand, and which cannot finish a handshake: clients that only listen talk to them. */
describe('what only some libraries do', () => {
  let ports = PORT.scripted;

  interface Oddity {
    readonly offered?: Buffer;
    readonly messages: (leaf: Buffer) => Buffer[];
    readonly script?: Partial<Script>;
  }

  async function meet({ offered, messages, script }: Oddity, shown: Identity, signer = shown): Promise<Buffer> {
    const port = ports++;
    const key = createPrivateKey(readFileSync(signer.key));
    const server = await startRelayed(lab, 'server', port, (socket) => {
      const scripted = new ScriptedServer({ ...script, messages: messages(der(shown.cert)), key });
      socket.on('data', (bytes) => void socket.write(scripted.feed(bytes)));
    });
    const hello = await clientHelloOf({ servername: NAME });
    const body = offered === undefined ? hello : withExtension(hello, offered);
    const send = record(22, handshake(1, body), 0x0301);
    const client = new TcpClient(lab, 'client', { host: lab.address('server'), port, send, wait: 600 });
    const { received } = await client.outcome();
    server.close();
    return received;
  }

  const compression = extension(27, vector8(Buffer.concat([1, 2, 3].map(u16))));
  const compressed = (algorithm: number, compress: (body: Buffer) => Buffer) => ({
    offered: compression,
    messages: (leaf: Buffer) => {
      const body = certificateBody13([leaf]);
      return [encryptedExtensions(), compressedCertificate(algorithm, compress(body), body.length)];
    },
  });
  const plain = (leaf: Buffer) => [encryptedExtensions(), certificate13(leaf)];
  const oddities: Readonly<Record<string, Oddity>> = {
    'a certificate compressed with zlib': compressed(1, deflateSync),
    'a certificate compressed with brotli': compressed(2, brotliCompressSync),
    'a raw public key': {
      offered: extension(20, vector8(Buffer.from([2, 0]))),
      messages: (leaf) => [
        encryptedExtensions(extension(20, Buffer.from([2]))),
        certificate13(new X509Certificate(leaf).publicKey.export({ type: 'spki', format: 'der' })),
      ],
    },
    'an encrypted ClientHello, or GREASE in its place': { offered: ech(), messages: plain },
    'records of one octet of content': { messages: plain, script: { size: 1 } },
    'records that are mostly padding': { messages: plain, script: { size: 100, padding: 10_000 } },
    'a request for a certificate, and a cookie': {
      messages: (leaf) => [encryptedExtensions(), certificateRequest(), certificate13(leaf)],
    },
  };

  it.each(Object.entries(oddities))('%s', async (_, oddity) => {
    const { handshake: genuine, alerts } = readFlight(await meet(oddity, ec));
    const { verdict } = await scene.verdict();
    expect(verdict).toMatchObject({ action: 'accept', reason: 'probe-match', evidence: 'probed' });
    expect(genuine[0]).toBe(2);
    expect(alerts).toEqual([]);
    scene.begin();
    await expectAlert(await meet(oddity, forgedEc), 'probe-mismatch');
    scene.begin();
    await expectAlert(await meet(oddity, ec, forgedEc), 'no-proof');
  });

  async function expectAlert(received: Buffer, reason: string): Promise<void> {
    const { handshake: nothing, alerts } = readFlight(received);
    expect(nothing.length).toBe(0);
    expect(alerts[0]).toEqual({ level: 2, description: 42 });
    expect((await scene.verdict()).verdict).toMatchObject({ action: 'tls-alert', reason, evidence: 'probed' });
  }
});

describe('GnuTLS', () => {
  it.skipIf(lacks('gnutls-serv', 'gnutls-cli'))('with a raw public key', async () => {
    const serve = async (identity: Identity, port: number): Promise<void> => {
      const key = createPublicKey(readFileSync(identity.cert)).export({ type: 'spki', format: 'pem' }) as string;
      const files = ['--rawpkkeyfile', identity.key, '--rawpkfile', lab.write(`raw-${port}.pem`, key)];
      const priority = 'NORMAL:+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK';
      const command = [started('gnutls-serv'), '--port', `${port}`, '--http', '--priority', priority, ...files];
      await lab.start('server', command).says(/IPv6.*done/);
    };
    const request = async (identity: Identity, port: number): Promise<Outcome> => {
      await serve(identity, port);
      const priority = 'NORMAL:-CTYPE-ALL:+CTYPE-CLI-X509:+CTYPE-SRV-RAWPK';
      const began = performance.now();
      const client = lab.start(
        'client',
        [
          ...['timeout', '10', started('gnutls-cli'), '--no-ca-verification', '--logfile', lab.path('gnutls.log')],
          ...['--sni-hostname', NAME, '--priority', priority, '--port', `${port}`, lab.address('server')],
        ],
        { input: 'GET / HTTP/1.0\r\n\r\n' },
      );
      const { code } = await client.ended;
      const millis = performance.now() - began;
      return { error: code === 0 ? null : client.errors, bytes: client.output.length, millis };
    };
    await expectMatch(await request(ec, PORT.gnutls));
    scene.begin();
    await expectMismatch(await request(forgedEc, PORT.gnutls + 1));
  });
});

/** RFC 9849 §5: the outer form, of any sender. */
function ech(): Buffer {
  const head = Buffer.from([0, 0, 1, 0, 1, 7]);
  return extension(0xfe0d, Buffer.concat([head, vector16(randomBytes(32)), vector16(randomBytes(144))]));
}

function versionOf(text: string): number {
  const [major = 0, minor = 0] = text.split('.').map(Number);
  return major * 100 + minor;
}
