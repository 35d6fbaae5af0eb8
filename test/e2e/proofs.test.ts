/**
 * Proof of possession with real servers: every version, key and signature that OpenSSL still has is verified, and a
 * server that shows the genuine certificate without its key is found out before the client has anything of it.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { spkiPin } from '../../src/runtime/demo/certificates.ts';
import type { Identity } from '../../src/runtime/demo/certificates.ts';
import type { Child } from '../../src/runtime/demo/child.ts';
import { NAME, pinset } from '../support/lab/bank.ts';
import { Engine } from '../support/lab/engine.ts';
import type { VerdictRecord } from '../support/lab/engine.ts';
import { Lab } from '../support/lab/lab.ts';
import {
  runOpensslClient,
  selfSigned,
  selfSignedDsa,
  startImpostor,
  startOpensslServer,
} from '../support/lab/openssl.ts';
import type { ImpostorOptions } from '../support/lab/openssl.ts';
import { TcpClient } from '../support/lab/peers.ts';
import { clientHello, HANDSHAKE, readFlight } from '../support/tls-bytes.ts';

const KEYS = {
  rsa: ['rsa:2048'],
  'rsa-pss': ['rsa-pss', '-pkeyopt', 'rsa_keygen_bits:2048'],
  'p-256': ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  'p-384': ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  'p-521': ['ec', '-pkeyopt', 'ec_paramgen_curve:P-521'],
  ed25519: ['ed25519'],
  ed448: ['ed448'],
} as const;
type Key = keyof typeof KEYS | 'dsa';

let directory: string;
const identities = new Map<Key, Identity>();
let otherRsa: Identity;
let otherEc: Identity;
/** One for all: every key is pinned, and the names say how the proof is taken. */
let lab: Lab;
let engine: Engine;
let logged: number;
let server: Child | undefined;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tlspin-proofs-'));
  for (const [name, key] of Object.entries(KEYS)) {
    identities.set(name as Key, selfSigned(directory, name, NAME, key));
  }
  identities.set('dsa', selfSignedDsa(directory, 'dsa', NAME));
  otherRsa = selfSigned(directory, 'other-rsa', NAME, KEYS.rsa);
  otherEc = selfSigned(directory, 'other-ec', NAME, KEYS['p-256']);
  const pins = [...identities.values()].map(({ cert }) => spkiPin(cert));
  const withProof = (proofOfPossession: string): object =>
    pinset({
      name: proofOfPossession,
      match: { hosts: [nameFor(proofOfPossession)] },
      pins,
      checks: { proofOfPossession },
    });
  lab = new Lab();
  engine = await Engine.start(lab, { config: { pinsets: [pinset({ pins }), withProof('off'), withProof('report')] } });
});
afterAll(async () => {
  await lab.close();
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(() => {
  logged = engine.verdicts.length;
});
afterEach(() => server?.stop('SIGKILL'));

const VERSIONS = { TLSv1: '-tls1', 'TLS 1.1': '-tls1_1', 'TLS 1.2': '-tls1_2' } as const;
const genuine = (key: Key): Identity => identities.get(key)!;

const nameFor = (proof: string): string => `${proof}.bank.example`;
const verdict = async (): Promise<VerdictRecord> => engine.next(logged);

describe('the key’s holder passes', () => {
  it.each<[keyof typeof VERSIONS, Key, string, string]>([
    ['TLSv1', 'rsa', 'ECDHE-RSA-AES128-SHA', ''],
    ['TLSv1', 'rsa', 'DHE-RSA-AES128-SHA', ''],
    ['TLSv1', 'rsa', 'AES128-SHA', ''],
    ['TLSv1', 'p-256', 'ECDHE-ECDSA-AES128-SHA', ''],
    ['TLSv1', 'p-384', 'ECDHE-ECDSA-AES128-SHA', ''],
    ['TLSv1', 'dsa', 'DHE-DSS-AES128-SHA', ''],
    ['TLS 1.1', 'rsa', 'ECDHE-RSA-AES128-SHA', ''],
    ['TLS 1.1', 'rsa', 'DHE-RSA-AES128-SHA', ''],
    ['TLS 1.1', 'p-256', 'ECDHE-ECDSA-AES128-SHA', ''],
    ['TLS 1.2', 'rsa', 'ECDHE-RSA-AES128-GCM-SHA256', 'RSA+SHA1'],
    ['TLS 1.2', 'rsa', 'ECDHE-RSA-AES128-GCM-SHA256', 'RSA+SHA256'],
    ['TLS 1.2', 'rsa', 'ECDHE-RSA-AES256-GCM-SHA384', 'RSA+SHA512'],
    ['TLS 1.2', 'rsa', 'ECDHE-RSA-CHACHA20-POLY1305', 'RSA-PSS+SHA256'],
    ['TLS 1.2', 'rsa', 'DHE-RSA-AES128-GCM-SHA256', 'RSA-PSS+SHA512'],
    ['TLS 1.2', 'rsa', 'AES128-GCM-SHA256', ''],
    ['TLS 1.2', 'rsa-pss', 'ECDHE-RSA-AES128-GCM-SHA256', 'rsa_pss_pss_sha256'],
    ['TLS 1.2', 'p-256', 'ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDSA+SHA1'],
    ['TLS 1.2', 'p-256', 'ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDSA+SHA256'],
    ['TLS 1.2', 'p-384', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDSA+SHA384'],
    ['TLS 1.2', 'p-521', 'ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDSA+SHA512'],
    ['TLS 1.2', 'ed25519', 'ECDHE-ECDSA-AES128-GCM-SHA256', 'ed25519'],
    ['TLS 1.2', 'ed448', 'ECDHE-ECDSA-AES128-GCM-SHA256', 'ed448'],
    ['TLS 1.2', 'dsa', 'DHE-DSS-AES128-GCM-SHA256', 'DSA+SHA256'],
  ])('%s, key %s, %s %s', async (version, key, suite, sigalgs) => {
    const args = [VERSIONS[version], '-cipher', `${suite}:@SECLEVEL=0`];
    if (sigalgs !== '') args.push('-sigalgs', sigalgs);
    server = await startOpensslServer(lab, 'server', { identity: genuine(key), args });
    const address = lab.address('server');
    const run = await runOpensslClient(lab, 'client', { address, servername: NAME, args });
    expect(run.answered, run.text).toBe(true);
    expect(await verdict()).toMatchObject({
      verdict: { action: 'accept', reason: 'pin-match', evidence: 'observed' },
      tls: { version },
    });
  });
});

type Flight = ReturnType<typeof readFlight>;

describe('the genuine certificate without its key', () => {
  /** What a client gets that believes everything. */
  async function listen(key: Key, options: Omit<ImpostorOptions, 'cert'>, name = NAME): Promise<Flight> {
    server = await startImpostor(lab, 'server', { ...options, cert: genuine(key).cert });
    const { version = 0x0303 } = options;
    const send = clientHello({ name, version, suites: [options.suite ?? 0xc02f] });
    const client = new TcpClient(lab, 'client', { host: lab.address('server'), send, wait: 600 });
    return readFlight((await client.outcome()).received);
  }

  const IMPOSTORS: readonly [string, Key, () => Omit<ImpostorOptions, 'cert'>][] = [
    ['RSA, TLS 1.2', 'rsa', () => ({ key: otherRsa.key, scheme: 0x0401 })],
    ['RSA, TLS 1.1', 'rsa', () => ({ key: otherRsa.key, version: 0x0302, suite: 0xc013 })],
    ['RSA, TLS 1.0', 'rsa', () => ({ key: otherRsa.key, version: 0x0301, suite: 0xc013 })],
    ['ECDSA, TLS 1.2', 'p-256', () => ({ key: otherEc.key, scheme: 0x0403, suite: 0xc02b })],
    ['ECDSA, TLS 1.0', 'p-256', () => ({ key: otherEc.key, version: 0x0301, suite: 0xc009 })],
    ['another kind of key', 'rsa', () => ({ key: otherEc.key, scheme: 0x0403, suite: 0xc02b })],
    ['an old signature of the true key', 'rsa', () => ({ key: genuine('rsa').key, stale: true })],
    [
      'an old signature, TLS 1.0',
      'rsa',
      () => ({ key: genuine('rsa').key, stale: true, version: 0x0301, suite: 0xc013 }),
    ],
  ];

  it.each(IMPOSTORS)('%s: denied before the client has the key exchange', async (_name, key, options) => {
    const flight = await listen(key, options());
    expect((await verdict()).verdict).toMatchObject({ action: 'tls-alert', reason: 'no-proof' });
    expect(flight.alerts).toEqual([{ level: 2, description: 42 }]);
    expect(messages(flight.handshake)).not.toContain(HANDSHAKE.serverKeyExchange);
  });

  it.each<[string, Key, () => Omit<ImpostorOptions, 'cert'>]>([
    ['RSA, TLS 1.2', 'rsa', () => ({ key: genuine('rsa').key })],
    ['RSA, TLS 1.0', 'rsa', () => ({ key: genuine('rsa').key, version: 0x0301, suite: 0xc013 })],
    ['ECDSA, TLS 1.2', 'p-256', () => ({ key: genuine('p-256').key, scheme: 0x0403, suite: 0xc02b })],
  ])('with its key after all, the same server passes: %s', async (_name, key, options) => {
    const flight = await listen(key, options());
    expect((await verdict()).verdict).toMatchObject({ action: 'accept', reason: 'pin-match' });
    expect(messages(flight.handshake)).toEqual([
      HANDSHAKE.serverHello,
      HANDSHAKE.certificate,
      HANDSHAKE.serverKeyExchange,
      HANDSHAKE.serverHelloDone,
    ]);
  });

  it('a client of OpenSSL hears the alert of the gateway, not its own complaint', async () => {
    server = await startImpostor(lab, 'server', { cert: genuine('rsa').cert, key: otherRsa.key });
    const options = { address: lab.address('server'), servername: NAME, args: ['-tls1_2'] };
    const { text } = await runOpensslClient(lab, 'client', options);
    expect(text).toMatch(/alert bad certificate/);
    expect((await verdict()).verdict.reason).toBe('no-proof');
  });

  it('passes where the proof is not asked for', async () => {
    const flight = await listen('rsa', { key: otherRsa.key }, nameFor('off'));
    expect((await verdict()).verdict).toMatchObject({ action: 'accept', reason: 'pin-match' });
    expect(messages(flight.handshake)).toContain(HANDSHAKE.serverHelloDone);
  });

  it('passes, and is told, where it is only to be reported', async () => {
    const flight = await listen('rsa', { key: otherRsa.key }, nameFor('report'));
    expect((await verdict()).verdict).toMatchObject({ action: 'accept', reason: 'pin-match' });
    expect(readFileSync(lab.path('verdicts.ndjson'), 'utf8')).toContain('tls.proof.failed');
    expect(messages(flight.handshake)).toContain(HANDSHAKE.serverHelloDone);
  });
});

/** The types of the handshake messages that are there whole. */
function messages(handshake: Buffer): number[] {
  const types: number[] = [];
  for (let at = 0; at + 4 <= handshake.length; at += 4 + handshake.readUIntBE(at + 1, 3)) {
    if (at + 4 + handshake.readUIntBE(at + 1, 3) <= handshake.length) types.push(handshake[at]!);
  }
  return types;
}
