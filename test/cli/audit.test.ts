/** `tlspin audit` as a process, on real servers with keys of two kinds at addresses of two families. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { Shown } from '../../src/cli/audit/asking.ts';
import { findingsOf } from '../../src/cli/audit/findings.ts';
import { targetsOf } from '../../src/cli/audit/targets.ts';
import { type PresentedCertificate, presentCertificate } from '../../src/x509/presented.ts';
import { certificate } from '../support/certificates.ts';
import { ensureBuilt, tlspin } from '../support/command-line.ts';
import { PIN_A, PIN_B, policyOf } from '../support/configuration.ts';

const folder = mkdtempSync(join(tmpdir(), 'tlspin-audit-'));
const at = (name: string) => join(folder, name);
const servers: Server[] = [];
let port = 0;

beforeAll(async () => {
  ensureBuilt();
  for (const [name, ...key] of [
    ['rsa', '-newkey', 'rsa:2048'],
    ['ec', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  ] as const) {
    const made = ['-keyout', at(`${name}.key`), '-out', at(`${name}.pem`), '-subj', `/CN=${name}`, '-days', '9'];
    execFileSync('openssl', ['req', '-x509', '-nodes', ...key, ...made], { stdio: 'pipe' });
  }
  port = await serve('127.0.0.1', 0);
  await serve('::1', port);
}, 60_000);
afterAll(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true });
});

async function serve(host: string, wanted: number): Promise<number> {
  const read = (extension: string) => ['rsa', 'ec'].map((name) => readFileSync(at(`${name}.${extension}`)));
  const server = createServer({ key: read('key'), cert: read('pem') });
  server.on('tlsClientError', () => {});
  servers.push(server);
  await new Promise<void>((resolve, reject) => server.on('error', reject).listen(wanted, host, resolve));
  return (server.address() as AddressInfo).port;
}

const pinOf = (name: string): string => {
  const pem = execFileSync('openssl', ['x509', '-in', at(`${name}.pem`), '-outform', 'DER']);
  return `spki-sha256:${Buffer.from(presentCertificate(pem).spkiSha256!, 'hex').toString('base64')}`;
};
const pinsetOf = (pins: unknown[], more: object = {}) => ({
  name: 'bank',
  match: { addresses: ['127.0.0.1', '::1'], ports: [port] },
  pins,
  ...more,
});

async function audit(pinset: object, ...args: string[]) {
  writeFileSync(at('tlspin.json'), JSON.stringify({ version: 1, pinsets: [pinset] }));
  const { status, out } = await tlspin(['audit', '-c', at('tlspin.json'), '--json', '--days', '5', ...args]);
  const document = JSON.parse(out) as {
    pinsets: { hosts: Record<string, unknown>[]; pins: Record<string, unknown>[] }[];
    findings: { code: string; text: string; paste?: string }[];
  };
  return { status, ...document, codes: document.findings.map(({ code }) => code) };
}

describe('an audit', () => {
  it('asks each address for each kind of key, and is content where all is as it should be', async () => {
    const pins = [pinOf('rsa'), pinOf('ec'), { pin: PIN_A, role: 'backup' }];
    const { status, findings, pinsets } = await audit(pinsetOf(pins));
    expect([status, findings]).toEqual([0, []]);
    const asked = pinsets[0]!.hosts.map((host) => [host['dest_ip'], host['keys'], host['subject'], host['matched']]);
    expect(asked).toEqual([
      ['127.0.0.1', 'ecdsa', 'CN=ec', [pinOf('ec')]],
      ['127.0.0.1', 'rsa', 'CN=rsa', [pinOf('rsa')]],
      ['::1', 'ecdsa', 'CN=ec', [pinOf('ec')]],
      ['::1', 'rsa', 'CN=rsa', [pinOf('rsa')]],
    ]);
    expect(pinsets[0]!.pins.map((pin) => (pin['shown_by'] as string[]).length)).toEqual([2, 2, 0]);
  });

  it('finds the key of the other kind that no pin is of, with the line that would let it pass', async () => {
    const { status, codes, findings } = await audit(pinsetOf([pinOf('ec'), { pin: PIN_A, role: 'backup' }]));
    expect([status, new Set(codes)]).toEqual([2, new Set(['mismatch'])]);
    expect(findings[0]!.text).toContain(`RSA) shows ${pinOf('rsa')}, which no pin is of`);
    const line = JSON.parse(findings[0]!.paste!.replace(/,$/, '')) as object;
    expect((await audit(pinsetOf([pinOf('ec'), line, { pin: PIN_A, role: 'backup' }]))).status).toBe(0);
  });

  it('says what is in reserve, what is not used, and what ends soon', async () => {
    const all = [pinOf('rsa'), pinOf('ec')];
    expect(await audit(pinsetOf(all))).toMatchObject({ status: 1, codes: ['no-backup'] });
    expect(await audit(pinsetOf([...all, PIN_A]))).toMatchObject({ status: 1, codes: ['unused-pin'] });
    const inUse = [pinOf('rsa'), { pin: pinOf('ec'), role: 'backup' }, { pin: PIN_A, role: 'backup' }];
    expect(await audit(pinsetOf(inUse))).toMatchObject({ status: 1, codes: ['backup-in-use'] });
    const soon = await audit(pinsetOf([...all, { pin: PIN_A, role: 'backup' }]), '--days', '10');
    expect(soon).toMatchObject({ status: 1, codes: ['expires-soon', 'expires-soon'] });
    expect(soon.findings[0]!.text).toMatch(/^CN=ec of \S+ ends on \d{4}-\d\d-\d\d, in \d days$/);
    const past = [...all, { pin: PIN_A, role: 'backup', expires: '2020-01-01' }, { pin: PIN_B, role: 'backup' }];
    expect(await audit(pinsetOf(past))).toMatchObject({ status: 2, codes: ['expired'] });
  });

  it('says who could not be asked', async () => {
    const closed = { match: { addresses: ['127.0.0.1'], ports: [1] } };
    const { status, findings } = await audit(pinsetOf([pinOf('ec'), PIN_A], closed));
    expect([status, findings]).toMatchObject([
      3,
      [{ code: 'unreachable', text: '127.0.0.1 (127.0.0.1:1): the host refuses connections to this port' }],
    ]);
  });

  it('for people says each pin with who shows it', async () => {
    const pins = [pinOf('rsa'), pinOf('ec'), { pin: PIN_A, role: 'backup' }];
    writeFileSync(at('tlspin.json'), JSON.stringify({ version: 1, pinsets: [pinsetOf(pins)] }));
    const { out, status } = await tlspin(['audit', '-c', at('tlspin.json'), '--days', '5', 'www.shop.example']);
    // All is well, but for a name that nobody can have meant.
    expect(status).toBe(3);
    expect(out).toContain(
      `  ${pinOf('ec')} (path): shown by 127.0.0.1 (127.0.0.1:${port}, ECDSA), ::1 ([::1]:${port}, ECDSA)\n`,
    );
    expect(out).toMatch(/\(path, backup\): not shown\n/);
    expect(out).toContain('www.shop.example: no pinset is for it\n');
    expect(out).toMatch(/asked 2 hosts: 0 wrong, 0 not known, 0 to attend to\n$/);
  });
});

describe('who is asked', () => {
  const of = (match: object, hosts: string[] = []) =>
    targetsOf(policyOf({ version: 1, pinsets: [{ name: 'bank', match, pins: [PIN_A, PIN_B] }] }), hosts);

  it('are the names and addresses on their ports, with what comes before TLS there', () => {
    const { targets } = of({ hosts: ['mail.bank.example'], ports: [25, 443, '993-994', 5432] });
    expect(targets.map(({ host, name, port: to, starttls }) => [host, name, to, starttls])).toEqual([
      ['mail.bank.example', 'mail.bank.example', 25, 'smtp'],
      ['mail.bank.example', 'mail.bank.example', 443, null],
      ['mail.bank.example', 'mail.bank.example', 993, null],
      ['mail.bank.example', 'mail.bank.example', 994, null],
      ['mail.bank.example', 'mail.bank.example', 5432, 'postgres'],
    ]);
  });

  it('are not patterns, networks and great ranges, which is said, unless somebody names who they cover', () => {
    expect(of({ hosts: ['*.bank.example'], ports: ['1000-2000'] }).notAsked).toEqual([
      { pinset: 'bank', what: '*.bank.example' },
      { pinset: 'bank', what: 'ports 1000-2000' },
    ]);
    expect(of({ addresses: ['192.0.2.0/24'] }).notAsked).toEqual([{ pinset: 'bank', what: '192.0.2.0/24' }]);
    expect(of({ hosts: ['*.bank.example'] }, ['api.bank.example', 'x.example'])).toMatchObject({
      targets: [{ host: 'api.bank.example', port: 443 }],
      notAsked: [],
      unknown: ['x.example'],
    });
  });
});

it('a rotation is under way where addresses of a host show different keys', () => {
  const policy = policyOf({
    version: 1,
    pinsets: [{ name: 'bank', match: { hosts: ['www.bank.example'] }, pins: [PIN_A, PIN_B] }],
  });
  const [pinset] = policy.pinsets;
  const [target] = targetsOf(policy, []).targets;
  const shown = (address: string, name: string, index: number): Shown => {
    const chain: PresentedCertificate[] = [presentCertificate(certificate(name))];
    return { target: target!, address, keys: 'rsa', version: 0x0304, chain, pins: [pinset!.pins[index]!] };
  };
  const both = [shown('192.0.2.1', 'leaf', 0), shown('192.0.2.2', 'inter', 1)];
  const codes = (answers: Shown[]) =>
    findingsOf(pinset!, { shown: answers, failures: [] }, Date.UTC(2026, 10, 22), 0).map(({ code }) => code);
  expect(codes(both)).toContain('rotation');
  expect(codes([both[0]!, { ...both[0]!, address: '192.0.2.2' }])).not.toContain('rotation');
  expect(codes([both[0]!, { ...both[1]!, keys: 'ecdsa' }])).not.toContain('rotation');
});
