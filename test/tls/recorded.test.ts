import { X509Certificate } from 'node:crypto';
import type * as nodeTls from 'node:tls';
import { constants } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import { authenticationOf, cipherSuiteName } from '../../src/tls/cipher-suites.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { verifyServerKeyExchange } from '../../src/x509/proof.ts';
import { type HandshakeRecorder, watch } from '../support/handshake-recorder.ts';
import { identity, record, type Recording, ServerMemory } from '../support/recorded.ts';

const VERSIONS = { TLSv1: 0x0301, 'TLSv1.1': 0x0302, 'TLSv1.2': 0x0303, 'TLSv1.3': 0x0304 } as const;
const der = (cert: string) => new X509Certificate(cert).raw;

function expectSameInPieces(recording: Recording): void {
  const whole = watch(recording.fed).lines;
  for (const size of [1, 2, 3, 5, 7, 64, 1000]) expect(watch(recording.fed, { size }).lines).toEqual(whole);
}

/** Whether the signature in ServerKeyExchange proves the key of the certificate that was seen. */
function proves(watched: HandshakeRecorder): boolean {
  const { clientHello, serverHello, exchange, certificates } = watched;
  return verifyServerKeyExchange({
    spki: presentCertificate(certificates[0]!).spki!,
    version: serverHello!.version,
    scheme: exchange!.scheme,
    authentication: authenticationOf(serverHello!.cipherSuite),
    signed: Buffer.concat([clientHello!.random, serverHello!.random, exchange!.params]),
    signature: exchange!.signature,
  });
}

const upTo12 = (['TLSv1', 'TLSv1.1', 'TLSv1.2'] as const).flatMap((version) =>
  (['rsa', 'ecdsa'] as const).map((kind) => [version, kind] as const),
);

describe.each(upTo12)('%s with a certificate for %s', (version, kind) => {
  it('shows the name, the version, the suite, the certificate and a proof that verifies', async () => {
    const own = identity(kind);
    const recording = await record({ identity: own }, { maxVersion: version });
    const watched = watch(recording.fed);
    expect(recording.protocol).toBe(version);
    expect(watched.names.slice(0, 5)).toEqual([
      'ClientHello',
      'ServerHello',
      'Certificate',
      'ServerKeyExchange',
      'ServerHelloDone',
    ]);
    expect(watched.names.at(-1)).toBe('ServerChangeCipherSpec');
    expect(watched.clientHello!.serverName).toBe('www.bank.example');
    expect(watched.serverHello!.version).toBe(VERSIONS[version]);
    expect(cipherSuiteName(watched.serverHello!.cipherSuite)).toBe(recording.cipher);
    expect(Buffer.compare(watched.certificates[0]!, der(own.cert))).toBe(0);
    expect(proves(watched)).toBe(true);
    expect(watched.observer.done).toBe(true);
    expectSameInPieces(recording);
  });
});

describe('TLS 1.2', () => {
  const max12: nodeTls.ConnectionOptions = { maxVersion: 'TLSv1.2' };

  it('with static RSA shows no exchange', async () => {
    const recording = await record({ identity: identity('rsa') }, { ...max12, ciphers: 'AES128-GCM-SHA256' });
    expect(recording.cipher).toBe('TLS_RSA_WITH_AES_128_GCM_SHA256');
    expect(watch(recording.fed).names).not.toContain('ServerKeyExchange');
    expect(watch(recording.fed).certificates.length).toBe(1);
    expectSameInPieces(recording);
  });

  it('with finite-field Diffie-Hellman proves the key too', async () => {
    const recording = await record(
      { identity: identity('rsa'), dhparam: 'auto' },
      { ...max12, ciphers: 'DHE-RSA-AES128-GCM-SHA256' },
    );
    expect(recording.cipher).toBe('TLS_DHE_RSA_WITH_AES_128_GCM_SHA256');
    expect(proves(watch(recording.fed))).toBe(true);
    expectSameInPieces(recording);
  });

  it("with a client certificate: the server's and the client's are told apart", async () => {
    const [own, client] = [identity('ecdsa'), identity('rsa', 'client')];
    const recording = await record(
      { identity: own, requestCert: true, rejectUnauthorized: false },
      { ...max12, ...client },
    );
    const watched = watch(recording.fed);
    expect(Buffer.compare(watched.certificates[0]!, der(own.cert))).toBe(0);
    expect(watched.lines).toContain(`ClientCertificate ${der(client.cert).toString('hex')}`);
    expect(watched.fault).toBeUndefined();
    expectSameInPieces(recording);
  });

  it('where the client has no certificate to show', async () => {
    const recording = await record({ identity: identity('rsa'), requestCert: true, rejectUnauthorized: false }, max12);
    expect(watch(recording.fed).lines).toContain('ClientCertificate ');
  });

  it('resumed by a ticket is abbreviated, and the ticket is the one that was handed out', async () => {
    const server = { identity: identity('ecdsa'), memory: new ServerMemory() };
    const first = await record(server, max12);
    const second = await record(server, { ...max12, session: first.session! });
    expect([first.resumed, second.resumed]).toEqual([false, true]);
    const [full, abbreviated] = [watch(first.fed), watch(second.fed)];
    expect(full.lines.at(-1)).toBe('ServerChangeCipherSpec full');
    expect(abbreviated.lines.at(-1)).toBe('ServerChangeCipherSpec abbreviated');
    const handedOut = full.lines.find((line) => line.startsWith('NewSessionTicket'))!.split(' ')[2];
    expect(Buffer.from(abbreviated.clientHello!.sessionTicket!).toString('hex')).toBe(handedOut);
    expect(abbreviated.names).not.toContain('Certificate');
    expectSameInPieces(second);
  });

  it('resumed by a session id is abbreviated, and the id is the one of the first ServerHello', async () => {
    const server = {
      identity: identity('ecdsa'),
      memory: new ServerMemory(),
      secureOptions: constants.SSL_OP_NO_TICKET,
    };
    const first = await record(server, max12);
    const second = await record(server, { ...max12, session: first.session! });
    expect([first.resumed, second.resumed]).toEqual([false, true]);
    const [full, abbreviated] = [watch(first.fed), watch(second.fed)];
    expect(abbreviated.lines.at(-1)).toBe('ServerChangeCipherSpec abbreviated');
    expect(full.serverHello!.sessionId.length).toBe(32);
    expect(abbreviated.clientHello!.sessionId).toEqual(full.serverHello!.sessionId);
    expect(abbreviated.serverHello!.sessionId).toEqual(full.serverHello!.sessionId);
    expectSameInPieces(second);
  });
});

describe('TLS 1.3', () => {
  it('shows the hellos and hides the rest', async () => {
    const recording = await record({ identity: identity('ecdsa') });
    const watched = watch(recording.fed);
    expect(watched.names).toEqual(['ClientHello', 'ServerHello']);
    expect(watched.serverHello).toMatchObject({ version: 0x0304, isTls13: true, isHelloRetryRequest: false });
    expect(watched.observer.done).toBe(true);
    expectSameInPieces(recording);
  });

  it('with HelloRetryRequest shows two of each', async () => {
    const recording = await record({ identity: identity('ecdsa'), ecdhCurve: 'P-384' }, { ecdhCurve: 'X25519:P-384' });
    const watched = watch(recording.fed);
    expect(watched.names).toEqual(['ClientHello', 'ServerHello', 'ClientHello', 'ServerHello']);
    expect(watched.fault).toBeUndefined();
    expectSameInPieces(recording);
  });

  it('resumed offers and selects a pre-shared key', async () => {
    const server = { identity: identity('ecdsa'), memory: new ServerMemory() };
    const first = await record(server);
    const second = await record(server, { session: first.session! });
    expect(second.resumed).toBe(true);
    const watched = watch(second.fed);
    expect([watched.clientHello!.offersPsk, watched.serverHello!.selectsPsk]).toEqual([true, true]);
    expect(watched.fault).toBeUndefined();
  });
});
