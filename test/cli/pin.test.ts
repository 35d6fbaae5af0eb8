import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type TlsOptions } from 'node:tls';
import { parse } from 'jsonc-parser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { parseTarget } from '../../src/cli/pin/target.ts';
import type { Finding } from '../../src/cli/pin/finding.ts';
import { pinsetsOf, withComments } from '../../src/cli/pin/pinset.ts';
import { spellings } from '../../src/cli/pin/view.ts';
import { commentedJson } from '../../src/import/commented-json.ts';
import { parsePin } from '../../src/pins/document/pin-string.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { certificate, fixturePath } from '../support/certificates.ts';
import { ensureBuilt, tlspin } from '../support/command-line.ts';
import { load } from '../support/configuration.ts';

const chain = ['leaf', 'inter'].map((name) => presentCertificate(certificate(name)));
const folder = mkdtempSync(join(tmpdir(), 'tlspin-pin-'));
const at = (name: string) => join(folder, name);

beforeAll(() => {
  ensureBuilt();
  makeChain();
}, 60_000);
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** root -> ca -> leaf, each with a key, and a request for another one. */
function makeChain(): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  for (const name of ['root', 'ca', 'leaf', 'next']) {
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', `${name}.key`);
  }
  writeFileSync(at('ca.ext'), 'basicConstraints=critical,CA:TRUE\n');
  writeFileSync(at('leaf.ext'), 'subjectAltName=DNS:www.bank.example,DNS:bank.example\n');
  openssl('req', '-x509', '-key', 'root.key', '-subj', '/CN=Root', '-days', '9', '-out', 'root.pem');
  for (const [name, issuer, subject] of [
    ['ca', 'root', '/CN=Authority'],
    ['leaf', 'ca', '/CN=www.bank.example'],
  ] as const) {
    openssl('req', '-new', '-key', `${name}.key`, '-subj', subject, '-out', `${name}.csr`);
    const signing = ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`, '-CAcreateserial', '-extfile', `${name}.ext`];
    openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-days', '9', '-out', `${name}.pem`);
  }
  const san = 'subjectAltName=DNS:www.bank.example';
  openssl('req', '-new', '-key', 'next.key', '-subj', '/CN=next', '-addext', san, '-out', 'next.csr');
  openssl('pkey', '-in', 'next.key', '-pubout', '-out', 'next.pub');
  openssl('pkey', '-in', 'next.key', '-pubout', '-outform', 'DER', '-out', 'next.pub.der');
  // Out of order and with the root twice, as servers do send it.
  const sent = ['leaf', 'root', 'ca', 'root'].map((name) => readFileSync(at(`${name}.pem`), 'latin1'));
  writeFileSync(at('sent.pem'), sent.join(''));
}

const pinOf = (name: string): string => {
  const pem = ['x509', '-in', at(`${name}.pem`), '-noout', '-pubkey'];
  const pub = name === 'next' ? readFileSync(at('next.pub')) : execFileSync('openssl', pem);
  const der = execFileSync('openssl', ['pkey', '-pubin', '-outform', 'DER'], { input: pub });
  return `spki-sha256:${execFileSync('openssl', ['dgst', '-sha256', '-binary'], { input: der }).toString('base64')}`;
};

describe('parseTarget', () => {
  it.each([
    ['example.com', 'example.com', 443, null],
    ['example.com:8443', 'example.com', 8443, null],
    ['192.0.2.1:993', '192.0.2.1', 993, null],
    ['2001:db8::1', '2001:db8::1', 443, null],
    ['[2001:db8::1]', '2001:db8::1', 443, null],
    ['[2001:db8::1]:8443', '2001:db8::1', 8443, null],
    ['https://example.com/a?b=c:d', 'example.com', 443, null],
    ['HTTPS://user:word@example.com:444', 'example.com', 444, null],
    ['smtp://mx.example', 'mx.example', 25, 'smtp'],
    ['submission://mx.example', 'mx.example', 587, 'smtp'],
    ['smtp://[2001:db8::1]:587', '2001:db8::1', 587, 'smtp'],
    ['imaps://mx.example', 'mx.example', 993, null],
    ['xmpp-server://example.com', 'example.com', 5269, 'xmpp'],
    ['sieve://mx.example', 'mx.example', 4190, 'sieve'],
    ['nntp://news.example', 'news.example', 119, 'nntp'],
    ['postgresql://db.example/name', 'db.example', 5432, 'postgres'],
  ])('%s', (source, host, port, starttls) => {
    expect(parseTarget(source)).toMatchObject({ host, port, starttls });
  });

  it.each(['', 'a/b.pem', 'example.com:0', 'example.com:99999', '[example.com]:443', 'a:b:c', 'a b', 'https://'])(
    '%j is none',
    (source) => {
      expect(parseTarget(source)).toBeUndefined();
    },
  );

  it('names the scheme that was meant', () => {
    expect(() => parseTarget('imap4://mx.example')).toThrow('did you mean imap://?');
    expect(() => parseTarget('gopher://x')).toThrow(/known are https, /);
  });
});

it('shows pins that are all read back as pins of that certificate', () => {
  for (const name of ['leaf', 'leaf-p256', 'leaf-p521', 'leaf-ed25519', 'leaf-dsa', 'leaf-explicit', 'root-pss']) {
    const presented = presentCertificate(certificate(name));
    const lines = spellings(presented, true);
    expect(lines.length).toBeGreaterThanOrEqual(8);
    for (const line of lines) {
      const parsed = parsePin(line);
      if (!('pin' in parsed)) throw new Error(line);
      expect([presented.sha1, presented.sha256, presented.spkiSha256, presented.key]).toContain(parsed.pin.key);
    }
  }
});

describe('a pinset', () => {
  const live = { chain: [], isRawPublicKey: false, version: 0x0303, address: '192.0.2.1', proven: true };
  const written = (findings: Finding[]) => pinsetsOf(findings).map(withComments);
  const ofHost = (source: string, serverName: string | null, certificates = chain) =>
    written([{ source, target: parseTarget(source), live: { ...live, serverName }, chain: certificates, keys: [] }]);
  const ofFile = (name: string, certificates = chain) =>
    written([{ source: `${name}.pem`, target: undefined, live: undefined, chain: certificates, keys: [] }]);
  const valid = (pinsets: unknown[]) => load(commentedJson({ version: 1, strict: true, pinsets }));

  it('is ready to be used, without a warning', () => {
    const { policy, errors } = valid(ofHost('www.bank.example:8443', 'www.bank.example'));
    expect(errors).toEqual([]);
    expect(policy!.pinsets[0]!.match).toMatchObject({ hosts: ['www.bank.example'], ports: [[8443, 8443]] });
    expect(policy!.pinsets[0]!.pins.map((p) => [p.key, p.at, p.role])).toEqual([
      [chain[0]!.spkiSha256, 'leaf', 'primary'],
      [chain[1]!.spkiSha256, 'ca', 'backup'],
    ]);
  });

  it('has a place for a backup, which needs its comment taken away and nothing else', () => {
    for (const certificates of [chain, chain.slice(0, 1)]) {
      const text = commentedJson({ version: 1, pinsets: ofHost('www.bank.example', 'www.bank.example', certificates) });
      const pin = `sha256//${Buffer.alloc(32, 1).toString('base64')}`;
      const filled = text.replace('// { "pin": "sha256//…"', `{ "pin": "${pin}"`);
      expect(filled).not.toBe(text);
      const { policy, errors } = load(filled);
      expect(errors).toEqual([]);
      const backups = policy!.pinsets[0]!.pins.filter(({ role }) => role === 'backup').map(({ key }) => key);
      expect(backups).toContain('01'.repeat(32));
    }
  });

  it('of a file is for the names of its leaf', () => {
    const { policy } = valid(ofFile('leaf'));
    expect(policy!.pinsets[0]!.match).toMatchObject({ hosts: ['www.bank.example', 'bank.example'], ports: [] });
  });

  it('of an address is bound to the address, unless a name was asked for', () => {
    const [alone] = parse(commentedJson(ofHost('192.0.2.1', null)));
    expect(alone.match).toEqual({ addresses: ['192.0.2.1'] });
    const [named] = parse(commentedJson(ofHost('192.0.2.1', 'www.bank.example')));
    expect(named.match).toEqual({ hosts: ['www.bank.example'] });
  });

  it('never pins every host, whatever the leaf is called', () => {
    const nameless = [presentCertificate(certificate('leaf-no-san')), chain[1]!];
    const [pinset] = parse(commentedJson(ofFile('leaf-no-san', nameless)));
    expect(pinset.match).toEqual({ hosts: ['host.example'] });
  });

  it('of an authority alone holds wherever it stands', () => {
    const { policy } = load(
      commentedJson({ version: 1, pinsets: ofFile('root', [presentCertificate(certificate('root'))]) }),
    );
    expect(policy!.pinsets[0]!.pins[0]!.at).toBe('path');
  });

  it('is one for all sources of the same host', () => {
    const other = [presentCertificate(certificate('leaf-p256'))];
    const pinsets = written([
      { source: 'a.pem', target: undefined, live: undefined, chain, keys: [] },
      { source: 'b.pem', target: undefined, live: undefined, chain: [...chain.slice(0, 1), ...other], keys: [] },
      { source: 'c', target: parseTarget('c.example:1'), live: { ...live, serverName: 'c.example' }, chain, keys: [] },
      { source: 'c', target: parseTarget('c.example:2'), live: { ...live, serverName: 'c.example' }, chain, keys: [] },
    ]);
    const { policy, errors } = load(commentedJson({ version: 1, pinsets }));
    expect(errors).toEqual([]);
    expect(policy!.pinsets.map(({ name, pins }) => [name, pins.length])).toEqual([
      ['www.bank.example', 3],
      ['c.example:1', 2],
      ['c.example:2', 2],
    ]);
  });
});

describe('files', () => {
  it('are shown with subject, issuer, validity, names and every spelling', async () => {
    const { status, out } = await tlspin(['pin', at('sent.pem')]);
    expect(status).toBe(0);
    expect(out).toContain('  certificate 1: CN=www.bank.example\n    issuer: CN=Authority\n    valid: from 20');
    expect(out).toContain('    names: www.bank.example, bank.example\n');
    expect(out).toContain(`    ${pinOf('leaf')}\n`);
    expect(out.match(/^ {2}certificate \d: CN=Root$/gm)).toHaveLength(2);
  });

  it('of keys alone become backups of the rest, in a configuration that holds', async () => {
    for (const backup of ['next.csr', 'next.pub', 'next.pub.der']) {
      const { status, out, err } = await tlspin(['pin', at('leaf.pem'), at(backup), '--config']);
      expect([status, err]).toEqual([0, '']);
      const { policy, errors } = load(out);
      expect(errors).toEqual([]);
      expect(policy!.pinsets[0]!.pins.map((pin) => [pin.canonical, pin.role])).toEqual([
        [pinOf('leaf'), 'primary'],
        [pinOf('next'), 'backup'],
      ]);
    }
  });

  it('become plain JSON that a configuration takes, and what lacks stands in its comment', async () => {
    const { out } = await tlspin(['pin', at('sent.pem'), '--json']);
    const pinset = JSON.parse(out);
    expect(pinset.comment).toMatch(
      /sent\.pem; add a backup of your own, .* \{ "pin": "sha256\/\/…", "role": "backup" \}$/,
    );
    expect(load(JSON.stringify({ version: 1, strict: true, pinsets: [pinset] })).errors).toEqual([]);
    const { out: several } = await tlspin(['pin', at('sent.pem'), at('next.csr'), '--json']);
    const [whole] = JSON.parse(several);
    expect(whole.comment).not.toContain('backup');
    expect(load(JSON.stringify({ version: 1, pinsets: [whole] })).policy!.pinsets[0]!.pins).toHaveLength(3);
  });

  it('may come by standard input', async () => {
    const { out } = await tlspin(['pin', '-'], { input: readFileSync(at('next.csr')) });
    expect(out).toContain(`  request: CN=next\n    ${pinOf('next')}\n`);
    const { out: json } = await tlspin(['pin', '-', '--json'], { input: readFileSync(at('next.csr')) });
    expect(JSON.parse(json)).toMatchObject({ match: { hosts: ['www.bank.example'] }, pins: [{ pin: pinOf('next') }] });
  });

  it('that say nothing are told, and the rest is shown', async () => {
    const { status, out, err } = await tlspin(['pin', 'no/such/file.pem', fixturePath('leaf')]);
    expect(status).toBe(1);
    expect(err).toBe('tlspin pin: no/such/file.pem: there is no such file, and it is not a host or host:port either\n');
    expect(out).toContain(`cert-sha1:${chain[0]!.sha1}`);
    const other = await tlspin(['pin', import.meta.filename, at('leaf.key')]);
    expect(other.err).toMatch(/holds no certificate.*\n.*leaf\.key: a private key .*openssl pkey -pubout/);
    expect(other.status).toBe(1);
  });
});

describe('a live server', () => {
  const servers: Server[] = [];
  afterAll(() => {
    for (const server of servers) server.close();
  });

  const key = () => readFileSync(at('leaf.key'));
  const listen = (server: Server, host = '127.0.0.1') =>
    new Promise<number>((resolve) => {
      servers.push(server);
      server.listen(0, host, () => resolve((server.address() as AddressInfo).port));
    });
  const tls = (options: TlsOptions = {}) =>
    createServer({ key: key(), cert: readFileSync(at('sent.pem')), ...options });
  const pinned = async (...args: string[]) => {
    const { status, out, err } = await tlspin(['pin', ...args]);
    expect([err, status]).toEqual(['', 0]);
    return out;
  };

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('is shown as it sends its chain, in %s', async (version) => {
    const port = await listen(tls({ minVersion: version, maxVersion: version }));
    const out = await pinned(`127.0.0.1:${port}`);
    expect(out).toContain(`(127.0.0.1, ${version.replace('v', ' ')}, no server name)\n`);
    expect(out.match(/^ {2}(leaf|ca \d): CN=.*$/gm)).toEqual([
      '  leaf: CN=www.bank.example',
      '  ca 1: CN=Root',
      '  ca 2: CN=Authority',
      '  ca 3: CN=Root',
    ]);
  });

  it('is asked for the version that is wished', async () => {
    const port = await listen(tls());
    expect(await pinned(`127.0.0.1:${port}`)).toContain('TLS 1.3');
    expect(await pinned(`127.0.0.1:${port}`, '--tls', '1.2')).toContain('TLS 1.2');
  });

  it('is asked for the name that is given, for that of the host, or for none', async () => {
    const names: (string | false)[] = [];
    const port = await listen(
      tls({
        SNICallback: (name, done) => {
          names.push(name);
          done(null);
        },
      }),
    );
    const out = await pinned(`localhost:${port}`, '-4', '--sni', 'www.bank.example', '--json');
    expect(JSON.parse(out).match).toEqual({ hosts: ['www.bank.example'], ports: [port] });
    await pinned(`localhost:${port}`, '-4');
    expect(await pinned(`localhost:${port}`, '-4', '--no-sni')).toContain('no server name');
    expect(names).toEqual(['www.bank.example', 'localhost']);
  });

  it('may have an address of version 6', async () => {
    const port = await listen(tls(), '::1');
    expect(await pinned(`[::1]:${port}`)).toMatch(/^\[::1\]:\d+ \(::1, /);
  });

  it('gives a pinset that its own chain satisfies', async () => {
    const port = await listen(tls());
    const { policy, errors } = load(await pinned(`127.0.0.1:${port}`, '--config'));
    expect(errors).toEqual([]);
    expect(policy!.pinsets[0]!.pins.map(({ canonical, at: place }) => [canonical, place])).toEqual([
      [pinOf('leaf'), 'leaf'],
      [pinOf('ca'), 'ca'],
    ]);
  });

  it('may have something to say before TLS', async () => {
    const dialogue: [said: string, answer: string][] = [
      ['', '220 mx.example\r\n'],
      ['EHLO', '250-mx.example\r\n250 STARTTLS\r\n'],
      ['STARTTLS', '220 go ahead\r\n'],
    ];
    const backend = tls();
    const server = createTcpServer((socket) => {
      socket.on('error', () => {});
      let turn = 1;
      socket.write(dialogue[0]![1]);
      socket.on('data', function say(bytes) {
        if (!bytes.toString().startsWith(dialogue[turn]![0])) return void socket.destroy();
        socket.write(dialogue[turn++]![1]);
        if (turn < dialogue.length) return;
        socket.off('data', say);
        backend.emit('connection', socket);
      });
    });
    backend.on('tlsClientError', () => {});
    const port = await listen(server);
    const out = await pinned(`smtp://127.0.0.1:${port}`, '--json');
    expect(JSON.parse(out)).toMatchObject({ match: { ports: [port] }, pins: [{ pin: pinOf('leaf') }, {}] });
    expect((await tlspin(['pin', `127.0.0.1:${port}`])).err).toMatch(/is no TLS .*smtp:\/\/\?\n$/);
  });

  it('that cannot be asked is told, in a sentence', async () => {
    const silent = createTcpServer((socket) => socket.on('error', () => {}).end());
    const port = await listen(silent);
    const { status, err } = await tlspin(['pin', '127.0.0.1:1', `127.0.0.1:${port}`, 'no-such-host.invalid']);
    expect(status).toBe(1);
    expect(err.split('\n')).toEqual([
      'tlspin pin: 127.0.0.1:1: the host refuses connections to this port',
      `tlspin pin: 127.0.0.1:${port}: the server closes the connection: is it TLS that it speaks on this port?`,
      'tlspin pin: no-such-host.invalid: there is no such host or file',
      '',
    ]);
  });
});
