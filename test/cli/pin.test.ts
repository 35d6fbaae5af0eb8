import { generateKeyPairSync } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { Command } from 'commander';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { parseTarget, pinsetOf, pinText, registerPin } from '../../src/cli/pin.ts';
import { parsePin } from '../../src/pins/pin-string.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { certificate, fixturePath } from '../support/certificates.ts';
import { load } from '../support/configuration.ts';

const chain = ['leaf', 'inter'].map((name) => presentCertificate(certificate(name)));

describe('parseTarget', () => {
  it.each([
    ['example.com', 'example.com', 443],
    ['example.com:8443', 'example.com', 8443],
    ['192.0.2.1:993', '192.0.2.1', 993],
    ['2001:db8::1', '2001:db8::1', 443],
    ['[2001:db8::1]', '2001:db8::1', 443],
    ['[2001:db8::1]:8443', '2001:db8::1', 8443],
  ])('%s', (source, host, port) => {
    expect(parseTarget(source)).toEqual({ host, port });
  });

  it.each(['', 'a/b.pem', 'example.com:0', 'example.com:99999', '[example.com]:443', 'a:b:c', 'a b'])(
    '%j is none',
    (source) => {
      expect(parseTarget(source)).toBeUndefined();
    },
  );
});

describe('pinText', () => {
  it('shows pins that are all read back as pins of that certificate', () => {
    for (const name of ['leaf', 'leaf-p256', 'leaf-p521', 'leaf-ed25519', 'leaf-dsa', 'leaf-explicit', 'root-pss']) {
      const presented = presentCertificate(certificate(name));
      const lines = pinText('x', [presented])
        .split('\n')
        .filter((line) => line.startsWith('    '));
      expect(lines.length).toBeGreaterThanOrEqual(8);
      for (const line of lines) {
        const parsed = parsePin(line);
        if (!('pin' in parsed)) throw new Error(line);
        expect([presented.sha1, presented.sha256, presented.spkiSha256, presented.key]).toContain(parsed.pin.key);
      }
    }
  });

  it('says which is which', () => {
    const text = pinText('www.bank.example', chain);
    expect(text).toContain('  leaf: O=Bank, CN=www.bank.example (until 2099-12-31)\n');
    expect(text).toContain('  ca 1: C=XX, O=Test Trust, CN=Test Intermediate (until 2099-12-31)\n');
  });

  it('shows certificate pins of what has no readable key', () => {
    expect(pinText('x', [presentCertificate(new Uint8Array([1, 2, 3]))])).toContain('cert-sha256:');
  });
});

describe('pinsetOf', () => {
  const valid = (pinset: unknown) => load({ version: 1, strict: true, pinsets: [pinset] });

  it('is ready to be used, without a warning', () => {
    const { policy, errors } = valid(pinsetOf('www.bank.example:8443', chain));
    expect(errors).toEqual([]);
    expect(policy!.pinsets[0]!.match).toMatchObject({ hosts: ['www.bank.example'], ports: [[8443, 8443]] });
    expect(policy!.pinsets[0]!.pins.map((p) => [p.key, p.at, p.role])).toEqual([
      [chain[0]!.spkiSha256, 'leaf', 'primary'],
      [chain[1]!.spkiSha256, 'ca', 'backup'],
    ]);
  });

  it('of a file is for the names of its leaf', () => {
    const { policy } = valid(pinsetOf(fixturePath('leaf'), chain));
    expect(policy!.pinsets[0]!.match).toMatchObject({ hosts: ['www.bank.example', 'bank.example'], ports: [] });
  });

  it('of an address is bound to the address', () => {
    expect(pinsetOf('192.0.2.1', chain)).toMatchObject({ match: { addresses: ['192.0.2.1'] } });
  });

  it('never pins every host, whatever the leaf is called', () => {
    const nameless = [presentCertificate(certificate('leaf-no-san')), chain[1]!];
    expect(pinsetOf(fixturePath('leaf-no-san'), nameless)).toMatchObject({ match: { hosts: ['host.example'] } });
  });
});

describe('tlspin pin', () => {
  let out = '';
  let err = '';
  const folder = mkdtempSync(join(tmpdir(), 'tlspin-pin-'));

  async function run(...args: string[]) {
    out = '';
    err = '';
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((out += text), true));
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((err += text), true));
    const program = new Command();
    registerPin(program);
    await program.parseAsync(['pin', ...args], { from: 'user' });
    const status = process.exitCode ?? 0;
    process.exitCode = undefined;
    return status;
  }

  afterEach(() => {
    vi.restoreAllMocks();
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it('reads files in PEM and DER', async () => {
    expect(await run(fixturePath('leaf'))).toBe(0);
    expect(out).toContain(`cert-sha1:${chain[0]!.sha1}`);
    expect(await run('--json', fixturePath('leaf'), fixturePath('leaf-p256'))).toBe(0);
    expect(JSON.parse(out)).toHaveLength(2);
  });

  it('says what could not be had, and goes on with the rest', async () => {
    expect(await run('no/such/file.pem', fixturePath('leaf'))).toBe(1);
    expect(err).toBe('tlspin pin: no/such/file.pem: there is no such file, and it is not a host or host:port either\n');
    expect(out).toContain(`cert-sha1:${chain[0]!.sha1}`);
    expect(await run(import.meta.filename)).toBe(1);
    expect(err).toContain('holds no certificate');
    expect(await run('127.0.0.1:1')).toBe(1);
    expect(err).toBe('tlspin pin: 127.0.0.1:1: the host refuses connections to this port\n');
  });

  it('reads the chain of a live server that nobody would believe', async () => {
    const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
    const keyFile = join(folder, 'key.pem');
    writeFileSync(keyFile, key);
    const args = ['req', '-x509', '-key', keyFile, '-subj', '/CN=self.example', '-days', '1'];
    const pem = execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const server = createServer({ key: readFileSync(keyFile), cert: pem });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      expect(await run('--json', `127.0.0.1:${(server.address() as AddressInfo).port}`)).toBe(0);
      const der = Buffer.from(pem.toString().replace(/-----.*-----|\s/g, ''), 'base64');
      const { spkiSha256 } = presentCertificate(der);
      expect(JSON.parse(out).pins[0].pin).toBe(`spki-sha256:${Buffer.from(spkiSha256!, 'hex').toString('base64')}`);
    } finally {
      server.close();
    }
  });
});
