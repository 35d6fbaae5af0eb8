/** `tlspin audit` of a real server whose TLS begins inside another protocol, with a key of each kind, over both families. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Identity, spkiPin } from '../../src/runtime/demo/certificates.ts';
import { ensureBuilt, tlspin } from '../support/command-line.ts';
import { NAME } from '../support/lab/bank.ts';
import { selfSigned } from '../support/lab/openssl.ts';
import { lacks, started } from '../support/programs.ts';

const ADDRESSES = ['127.0.0.1', '::1'];
const PORT = 21;
const folder = mkdtempSync(join(tmpdir(), 'tlspin-audit-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(lacks('vsftpd'))('an audit behind STARTTLS', () => {
  let rsa: Identity;
  let ec: Identity;
  let server: ChildProcess;
  beforeAll(async () => {
    ensureBuilt();
    rsa = selfSigned(folder, 'rsa', NAME, ['rsa:2048']);
    ec = selfSigned(folder, 'ec', NAME, ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256']);
    server = await startVsftpd({ rsa, ec });
  }, 60_000);
  afterAll(() => server.kill('SIGKILL'));

  it('sees both keys at both addresses, and who is asked for another one', async () => {
    const { status, hosts } = await audit([spkiPin(rsa.cert), spkiPin(ec.cert), BACKUP]);
    expect(hosts).toEqual(
      ADDRESSES.flatMap((address) => [
        [address, PORT, 'ecdsa', [shownAs(ec)]],
        [address, PORT, 'rsa', [shownAs(rsa)]],
      ]),
    );
    expect(status).toBe(0);
    const other = await audit([spkiPin(rsa.cert), BACKUP]);
    expect(other).toMatchObject({ status: 2, findings: [{ code: 'mismatch' }, { code: 'mismatch' }] });
  });

  it('says so of a server that offers no TLS', async () => {
    server.kill('SIGKILL');
    server = await startVsftpd(undefined);
    const { status, findings } = await audit([spkiPin(rsa.cert), BACKUP]);
    expect(status).toBe(3);
    expect(findings.map(({ code }) => code)).toEqual(['unreachable', 'unreachable']);
    for (const { text } of findings) expect(text).toMatch(/: the server does not go over to TLS by ftp$/);
  });

  async function audit(pins: readonly unknown[]) {
    const match = { addresses: ADDRESSES, ports: [PORT] };
    const file = join(folder, 'tlspin.json');
    writeFileSync(file, JSON.stringify({ version: 1, pinsets: [{ name: 'files', match, names: [NAME], pins }] }));
    const { status, out } = await tlspin(['audit', '-c', file, '--json', '--days', '5']);
    const document = JSON.parse(out) as {
      pinsets: { hosts: Record<string, unknown>[] }[];
      findings: { code: string; text: string }[];
    };
    const hosts = document.pinsets[0]!.hosts.map((host) =>
      ['dest_ip', 'dest_port', 'keys', 'matched'].map((key) => host[key]),
    );
    return { status, hosts, findings: document.findings };
  }
});

/** Without keys it offers no TLS. As whoever starts it: in a namespace of an ordinary user there is nobody else. */
async function startVsftpd(keys: { rsa: Identity; ec: Identity } | undefined): Promise<ChildProcess> {
  const empty = join(folder, 'empty');
  mkdirSync(empty, { recursive: true });
  const settings = {
    listen_ipv6: 'YES',
    background: 'NO',
    run_as_launching_user: 'YES',
    secure_chroot_dir: empty,
    anonymous_enable: 'YES',
    anon_root: empty,
    ssl_enable: keys === undefined ? 'NO' : 'YES',
    allow_anon_ssl: 'YES',
    ...(keys === undefined
      ? {}
      : {
          rsa_cert_file: keys.rsa.cert,
          rsa_private_key_file: keys.rsa.key,
          dsa_cert_file: keys.ec.cert,
          dsa_private_key_file: keys.ec.key,
          ssl_ciphers: 'HIGH',
        }),
  };
  const file = join(folder, 'vsftpd.conf');
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(file, lines.join(''));
  const server = spawn(started('vsftpd'), [file], { stdio: 'inherit' });
  while (!(await answers())) {
    if (server.exitCode !== null) throw new Error(`vsftpd has ended with ${server.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return server;
}

function answers(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(PORT, '::1', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

const shownAs = ({ cert }: Identity): string => spkiPin(cert).replace('sha256//', 'spki-sha256:');
const BACKUP = { pin: `spki-sha256:${Buffer.alloc(32, 7).toString('base64')}`, role: 'backup' };
