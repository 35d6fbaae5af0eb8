import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { ProbeHandshake, type ProbeHandshakeOptions } from '../../src/probe/handshake.ts';
import { type Mirror, mirrorOf } from '../../src/probe/mirror.ts';
import { CertificateShop } from '../../src/runtime/demo/certificates.ts';
import { certificate } from '../support/certificates.ts';
import { extensionOf, type Script, ScriptedServer, withExtension } from '../support/scripted-server.ts';
import {
  alert,
  extension,
  helloRetryRequest,
  record,
  serverHello,
  serverHello13,
  vector8,
} from '../support/tls-bytes.ts';
import { clientHelloOf, type MemoryServerOptions, talk } from '../support/memory-tls.ts';
import { certificate13, certificateRequest, encryptedExtensions, finished13, SPKI } from '../support/tls13-bytes.ts';

const limits = { handshakeBytes: 65_536, records: 256, certificates: 16 };
const directory = mkdtempSync(join(tmpdir(), 'tlspin-probe-'));
let ec: { cert: Buffer; key: Buffer };
let rsa: { cert: Buffer; key: Buffer };

beforeAll(() => {
  const shop = new CertificateShop(directory);
  const authority = shop.authority('authority');
  const issue = (key: 'rsa' | 'p-256') => {
    const leaf = shop.leaf(`leaf-${key}`, { issuer: authority, names: ['www.example.com'], key });
    const chain = shop.chain(`leaf-${key}`, leaf.cert, authority.cert);
    return { cert: readFileSync(chain), key: readFileSync(leaf.key) };
  };
  ec = issue('p-256');
  rsa = issue('rsa');
});

afterAll(() => rmSync(directory, { recursive: true }));

const mirrorFor = async (options: ConnectionOptions = {}) => mirrorOf(await clientHelloOf(options)) as Mirror;

function handshake(mirror: Mirror, options: Partial<ProbeHandshakeOptions> = {}): ProbeHandshake {
  return new ProbeHandshake({ mirror, recordVersion: 0x0301, limits, ...options });
}

/** As the prober goes about it: a group that cannot be done is left out of another attempt. */
async function probe(server: MemoryServerOptions, client: ConnectionOptions = {}, cut?: number) {
  const mirror = await mirrorFor(client);
  const { outcome } = await talk(handshake(mirror), server, cut);
  if (outcome?.kind !== 'unusable-group') return outcome;
  return (await talk(handshake(mirror, { withoutGroups: [outcome.group] }), server, cut)).outcome;
}

const derOf = (identity: { cert: Buffer }) => new Uint8Array(new X509Certificate(identity.cert).raw);

describe('the certificate of an OpenSSL server', () => {
  it.each<[string, number, MemoryServerOptions, ConnectionOptions]>([
    ['of TLS 1.3', 0x0304, {}, {}],
    ['with AES-256', 0x0304, {}, { ciphers: 'TLS_AES_256_GCM_SHA384' }],
    ['with ChaCha20', 0x0304, {}, { ciphers: 'TLS_CHACHA20_POLY1305_SHA256' }],
    ['that has another group and asks again', 0x0304, { ecdhCurve: 'P-384' }, {}],
    ['that asks again for P-256', 0x0304, { ecdhCurve: 'P-256' }, { ecdhCurve: 'X25519:P-256' }],
    ['that asks again for P-521', 0x0304, { ecdhCurve: 'P-521' }, {}],
    ['that asks again for X448', 0x0304, { ecdhCurve: 'X448' }, {}],
    ['that knows up to TLS 1.2', 0x0303, { maxVersion: 'TLSv1.2' }, {}],
    ['with DHE', 0x0303, { maxVersion: 'TLSv1.2', ciphers: 'DHE-RSA-AES128-GCM-SHA256', dhparam: 'auto' }, {}],
    ['for a client that knows up to TLS 1.2', 0x0303, {}, { maxVersion: 'TLSv1.2' }],
    ['that wants a client’s certificate', 0x0304, { requestCert: true }, {}],
    ['that wants one, of TLS 1.2', 0x0303, { requestCert: true, maxVersion: 'TLSv1.2' }, {}],
  ])('%s is shown and proven', async (_, version, server, client) => {
    const outcome = await probe({ ...rsa, ...server }, client);
    expect(outcome).toMatchObject({ kind: 'certificates', version, proven: true, isRawPublicKey: false });
    expect(outcome).toMatchObject({ chain: [derOf(rsa), expect.anything()] });
  });

  it('that has two is the one that this client would get', async () => {
    const both = { cert: [ec.cert, rsa.cert], key: [ec.key, rsa.key] };
    const onlyRsa = await probe(both, { sigalgs: 'rsa_pss_rsae_sha256' });
    const onlyEc = await probe(both, { sigalgs: 'ecdsa_secp256r1_sha256' });
    expect(onlyRsa).toMatchObject({ chain: [derOf(rsa), expect.anything()], proven: true });
    expect(onlyEc).toMatchObject({ chain: [derOf(ec), expect.anything()], proven: true });
  });

  it('without a signed key exchange is not proven', async () => {
    const server = { ...rsa, maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' } as const;
    expect(await probe(server)).toMatchObject({ kind: 'certificates', version: 0x0303, proven: false });
  });

  it('is the same in segments of every size', async () => {
    for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
      for (const cut of [1, 2, 3, 5, 100]) {
        const outcome = await probe({ ...ec, maxVersion: version, ecdhCurve: 'P-384' }, {}, cut);
        expect(outcome).toMatchObject({ kind: 'certificates', proven: true });
      }
    }
  });

  it('is no certificate where suites are anonymous', async () => {
    const ciphers = 'ADH-AES128-SHA256@SECLEVEL=0';
    const server = { ciphers, maxVersion: 'TLSv1.2', dhparam: 'auto' } as const;
    expect(await probe(server, { ciphers })).toMatchObject({ kind: 'failed', reason: 'no-certificate' });
  });

  it('cannot be had where the server refuses', async () => {
    const refused = await probe({ ...ec, minVersion: 'TLSv1.3' }, { maxVersion: 'TLSv1.2' });
    expect(refused).toEqual({ kind: 'failed', reason: 'alert', detail: '70' });
  });
});

describe('on the wire', () => {
  it('nothing follows the hello ahead of what is asked for', async () => {
    const { sent } = await talk(handshake(await mirrorFor()), ec);
    expect(sent.length).toBe(5 + sent.readUInt16BE(3));
  });

  it('the record is of the version that the client’s was', async () => {
    const hello = handshake(await mirrorFor(), { recordVersion: 0x0302 }).start();
    expect([...hello.subarray(0, 3)]).toEqual([22, 3, 2]);
  });

  it('a second hello has ChangeCipherSpec before it where there is a session id', async () => {
    const mirror = await mirrorFor();
    expect(mirror.hello.sessionId).toHaveLength(32);
    const { sent } = await talk(handshake(mirror), { ...ec, ecdhCurve: 'P-384' });
    const second = sent.subarray(5 + sent.readUInt16BE(3));
    expect([...second.subarray(0, 9)]).toEqual([20, 3, 3, 0, 1, 1, 22, 3, 3]);
  });
});

describe('groups', () => {
  const hasMlkem = Number(process.versions.openssl.split('.').slice(0, 2).join('.')) >= 3.5;
  const GROUPS = { x25519: 29, p256: 23, frodo: 0xff01 };
  /** A hello whose groups are replaced octet by octet: the second becomes one that nobody can do. */
  async function mirrorWithUnknownGroup(): Promise<Mirror> {
    const body = await clientHelloOf({ ecdhCurve: 'X25519:P-256' });
    const at = body.indexOf(Buffer.from('000a00060004001d0017', 'hex'));
    body.writeUInt16BE(GROUPS.frodo, at + 8);
    return mirrorOf(body) as Mirror;
  }
  const retryFor = (group: number) => {
    const message = Buffer.from(helloRetryRequest);
    message.writeUInt16BE(group, message.indexOf(Buffer.from('003300020017', 'hex')) + 4);
    return record(22, message);
  };

  it.each(['X25519', 'X448', 'P-256', 'P-384', 'P-521', 'ffdhe2048', 'ffdhe3072', 'ffdhe4096'])(
    'are those of the client, alone or asked for: %s',
    async (group) => {
      expect(await probe({ ...ec, ecdhCurve: group }, { ecdhCurve: group })).toMatchObject({ proven: true });
      const asked = group === 'X25519' ? `P-256:${group}` : `X25519:${group}`;
      expect(await probe({ ...ec, ecdhCurve: group }, { ecdhCurve: asked })).toMatchObject({ proven: true });
    },
  );

  it.skipIf(!hasMlkem).each(['X25519MLKEM768', 'SecP256r1MLKEM768', 'SecP384r1MLKEM1024', 'MLKEM768'])(
    'that the runtime’s TLS has from OpenSSL 3.5 on: %s',
    async (group) => {
      expect(await probe({ ...ec, ecdhCurve: group }, { ecdhCurve: group })).toMatchObject({ proven: true });
    },
  );

  it('that the client lists and this runtime cannot do are told, so that another hello can leave them out', async () => {
    const conversation = handshake(await mirrorWithUnknownGroup());
    conversation.start();
    conversation.feed(retryFor(GROUPS.frodo));
    expect(conversation.outcome).toEqual({ kind: 'unusable-group', group: GROUPS.frodo });
  });

  it('that are left out are not on the list', async () => {
    const mirror = await mirrorWithUnknownGroup();
    const hello = Buffer.from(handshake(mirror, { withoutGroups: [GROUPS.frodo] }).start());
    expect(hello.includes(Buffer.from('000a00040002001d', 'hex'))).toBe(true);
    const conversation = handshake(mirror, { withoutGroups: [GROUPS.frodo] });
    conversation.start();
    conversation.feed(retryFor(GROUPS.frodo));
    expect(conversation.outcome).toMatchObject({ kind: 'failed', reason: 'protocol' });
  });

  it.each([
    ['that the client does not list', GROUPS.p256],
    ['for which it has sent a share', GROUPS.x25519],
  ])('%s are nothing to ask for again', async (_, group) => {
    const conversation = handshake(await mirrorFor({ ecdhCurve: 'X25519:P-384' }));
    conversation.start();
    conversation.feed(retryFor(group));
    expect(conversation.outcome).toMatchObject({ reason: 'protocol', detail: 'tls.hello-retry-request.nothing-new' });
  });
});

describe('what a client would not take is no answer', () => {
  const answerTo = async (options: ConnectionOptions, ...answers: Uint8Array[]) => {
    const conversation = handshake(await mirrorFor(options));
    conversation.start();
    for (const answer of answers) conversation.feed(answer);
    return conversation.outcome;
  };

  it.each<[string, ConnectionOptions, Uint8Array[], object]>([
    [
      'a version that it did not offer',
      { maxVersion: 'TLSv1.2' },
      [record(22, serverHello13)],
      { reason: 'protocol', detail: 'tls.server-hello.unsolicited' },
    ],
    [
      'an older version than any that it offered',
      { minVersion: 'TLSv1.3' },
      [record(22, serverHello(0xc02f))],
      { reason: 'protocol', detail: 'tls.server-hello.version' },
    ],
    [
      'a suite that it did not offer',
      { ciphers: 'TLS_AES_256_GCM_SHA384' },
      [record(22, serverHello13)],
      { reason: 'protocol', detail: 'tls.server-hello.cipher-suite' },
    ],
    [
      'a second HelloRetryRequest',
      { ecdhCurve: 'X25519:P-256' },
      [record(22, helloRetryRequest), record(22, helloRetryRequest)],
      { reason: 'protocol', detail: 'tls.hello-retry-request.repeated' },
    ],
    ['an alert', {}, [alert('fatal', 40)], { reason: 'alert', detail: '40' }],
    ['no TLS at all', {}, [Buffer.from('HTTP/1.1 400 Bad Request\r\n')], { reason: 'protocol' }],
    ['application data', {}, [record(23, Buffer.alloc(40))], { reason: 'protocol' }],
  ])('%s', async (_, options, answers, outcome) => {
    expect(await answerTo(options, ...answers)).toMatchObject({ kind: 'failed', ...outcome });
  });

  it('and whatever octets come, nothing is thrown', async () => {
    const mirror = await mirrorFor();
    const { received } = await talk(handshake(mirror), ec);
    const damage = fc.array(fc.tuple(fc.nat(received.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(damage, fc.uint8Array({ maxLength: 300 }), (changes, junk) => {
        const answer = Uint8Array.from(received);
        for (const [at, value] of changes) answer[at] = value;
        for (const bytes of [answer, junk, Buffer.concat([received.subarray(0, 50), junk])]) {
          const conversation = handshake(mirror);
          conversation.start();
          conversation.feed(bytes);
          expect(conversation.outcome).not.toMatchObject({ proven: true });
        }
      }),
    );
  });
});

describe('a server that OpenSSL would not be', () => {
  const leaf = certificate('leaf');

  /** With a client that also takes raw public keys. */
  async function play(script: Script, client: ConnectionOptions = {}, cut = Infinity) {
    const hello = withExtension(await clientHelloOf(client), extension(20, vector8(Buffer.from([2, 0]))));
    const conversation = handshake(mirrorOf(hello) as Mirror);
    const server = new ScriptedServer(script);
    const flights: Buffer[] = [];
    let flight = conversation.start();
    while (flight.length > 0) {
      flights.push(Buffer.from(flight));
      const answer = server.feed(flight);
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < answer.length; at += cut) pieces.push(conversation.feed(answer.subarray(at, at + cut)));
      flight = Buffer.concat(pieces);
    }
    return { outcome: conversation.outcome, flights };
  }

  it('shows a certificate that is not its own, and proves nothing', async () => {
    const { outcome } = await play({ messages: [encryptedExtensions(), certificate13(leaf)] });
    expect(outcome).toMatchObject({ kind: 'certificates', chain: [leaf], proven: false });
  });

  it('shows a raw public key, and proves it', async () => {
    const messages = [encryptedExtensions(extension(20, Buffer.from([2]))), certificate13(SPKI)];
    const { outcome } = await play({ messages });
    expect(outcome).toMatchObject({ chain: [new Uint8Array(SPKI)], isRawPublicKey: true, proven: true });
  });

  it.each<[string, NonNullable<Script['retry']>]>([
    ['a cookie', { cookie: Buffer.from('keep this') }],
    ['a group', { group: 23 }],
    ['both', { group: 24, cookie: Buffer.alloc(300, 0xc0) }],
  ])('asks for %s, and gets it, with nothing else changed', async (_, retry) => {
    const messages = [encryptedExtensions(extension(20, Buffer.from([2]))), certificate13(SPKI)];
    const client = { ecdhCurve: 'X25519:P-256:P-384' };
    const { outcome, flights } = await play({ messages, retry }, client);
    expect(outcome).toMatchObject({ proven: true });
    const [first, second] = [flights[0]!.subarray(9), flights[1]!.subarray(6 + 9)] as [Buffer, Buffer];
    expect(second.subarray(0, 67)).toEqual(first.subarray(0, 67));
    const cookie = extensionOf(second, 44);
    expect(cookie?.subarray(2)).toEqual(retry.cookie);
    expect(extensionOf(second, 51)!.readUInt16BE(2)).toBe(retry.group ?? 29);
    if (retry.group === undefined) expect(extensionOf(second, 51)).toEqual(extensionOf(first, 51));
    for (const type of [0, 10, 11, 13, 16, 35, 43, 45]) {
      expect(extensionOf(second, type)).toEqual(extensionOf(first, type));
    }
  });

  it('cuts its octets and its records as it likes', async () => {
    const messages = [encryptedExtensions(extension(20, Buffer.from([2]))), certificateRequest(), certificate13(SPKI)];
    for (const cut of [1, 7, 64]) {
      const { outcome } = await play({ messages, size: 50, padding: 9, retry: { group: 23 } }, {}, cut);
      expect(outcome).toMatchObject({ proven: true });
    }
  });

  it('goes on without a certificate, as if there were a session', async () => {
    const { outcome } = await play({ messages: [encryptedExtensions(), finished13] });
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'protocol', detail: 'tls.server-hello.psk' });
  });
});
