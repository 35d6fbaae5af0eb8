import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadPolicy } from '../../src/pins/load.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { certificate, fixturePath } from '../support/certificates.ts';
import { load, memoryFiles, PIN_A, PIN_B, policyOf } from '../support/configuration.ts';
import { PINNED as WITHOUT_EVIDENCE, UNPINNED } from '../support/policy.ts';

const PINNED = { ...WITHOUT_EVIDENCE, tls13: 'probe', resumed: 'bound-else-probe' };
const one = (pinset: object, rest: object = {}) => ({
  version: 1,
  pinsets: [{ name: 'bank', pins: [PIN_A, PIN_B], ...pinset }],
  ...rest,
});
const pem = (name: string) => readFileSync(fixturePath(name), 'latin1');
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('"trust": "system"', () => {
  const documentOf = (checks: object) => one({ match: { hosts: ['bank.example'] }, checks });
  const root = readFileSync(fixturePath('root'));

  it('is the bundle that the system has, wherever that is, read once for all', () => {
    for (const bundle of ['ca-certificates.crt', 'ca-bundle.crt', 'ca-bundle.pem', 'cert.pem']) {
      const policy = policyOf(
        { ...documentOf({ trust: 'system' }), pinned: { checks: { trust: 'system' } } },
        { [bundle]: root },
      );
      expect(policy.pinsets[0]!.situations.checks.trust).toEqual([certificate('root')]);
      expect(policy.pinsets[0]!.situations.checks.trust).toBe(policy.pinned.checks.trust);
    }
  });

  it('is an error where there is none', () => {
    expect(load(documentOf({ trust: 'system' })).errors).toEqual([
      expect.stringContaining('/etc/ssl/certs/ca-certificates.crt'),
    ]);
  });
});

describe('the smallest useful file', () => {
  const text = `{ "version": 1, "pinsets": [ { "name": "github", "match": { "hosts": ["GitHub.com.", "*.github.com"] }, "pins": ["${PIN_A}", "${PIN_B}"] } ] }`;
  const policy = policyOf(text);

  it('has its defaults', () => {
    expect(policy).toMatchObject({
      rules: [],
      lists: [],
      pinned: PINNED,
      unpinned: UNPINNED,
      onMismatch: { action: 'tls-alert', connmark: null },
      connmark: {
        mask: 0x3000000,
        accept: 0x1000000,
        deny: 0x2000000,
        pending: 0x3000000,
        told: 0x4000000,
        route: 'auto',
      },
      ports: [[443, 443]],
      log: { unpinned: false, certificates: 'pins' },
      control: { socket: null, mode: 0o600 },
      user: null,
      queues: [0, 0],
      failOpen: false,
      allowOffload: false,
    });
    expect(policy.probe).toEqual({
      timeout: 2_700,
      atOnce: 32,
      perDestination: 120,
      perClient: 60,
      ttl: 60_000,
      negativeTtl: 30_000,
      recheck: 0.1,
      allowLocal: false,
      mark: 0x400000,
      source: 'gateway',
      witnesses: 0,
      decoys: 0,
    });
    expect(policy.keylog).toEqual({ file: null, socket: null });
    expect(policy.limits.flows).toBe(65_536);
  });

  it('has one pinset', () => {
    expect(policy.pinsets).toHaveLength(1);
    expect(policy.pinsets[0]).toMatchObject({
      name: 'github',
      index: 0,
      match: { hosts: ['github.com', '*.github.com'], addresses: [], ports: [], clients: [] },
      mode: 'enforce',
      expires: null,
      afterExpiry: 'report-only',
      onMatch: { action: 'accept', connmark: null },
      onMismatch: { action: 'tls-alert', connmark: null },
      situations: PINNED,
    });
    expect(policy.pinsets[0]!.pins.map((p) => [p.kind, p.at, p.role])).toEqual([
      ['spki-sha256', 'path', 'primary'],
      ['spki-sha256', 'path', 'primary'],
    ]);
  });

  it('is known by the hash of its bytes', () => {
    expect(policy.hash).toBe(`sha256:${createHash('sha256').update(text).digest('hex')}`);
  });
});

describe('a full file', () => {
  const { sha1 } = presentCertificate(certificate('other'));
  const document = `// everything at once
  {
    "$schema": "tlspin.schema.json", "version": 1, /* a comment */
    "pinned": { "tls13": "accept", "checks": { "validity": "on" } },
    "unpinned": { "parseError": "deny", "tls13": "keylog-else-probe" },
    "onMismatch": "reset",
    "connmark": { "mask": "0xf0000000", "accept": "0x10000000", "deny": "0x20000000", "pending": "0x30000000", "told": "0x400", "route": "packet-mark" },
    "ports": [993, "8443-8449"],
    "pinsets": [
      {
        "name": "bank",
        "match": { "hosts": ["www.bank.example"], "ports": [443, "8450-8460"], "clients": ["10.0.0.0/8", "2001:db8::/32"] },
        "pins": [
          { "file": "leaf.pem", "at": "path", "role": "backup", "notBefore": "2026-01-01", "expires": "2027-01-01T12:00:00+02:00", "comment": "renewed in May" },
          { "pin": { "file": "root.pem" }, "at": "ca" },
          "@trusted"
        ],
        "deny": ["@bad", { "pin": "@bad", "at": "leaf" }],
        "names": ["*.Bank.example", "192.0.2.7"],
        "mode": "report-only", "expires": "2030-01-01", "afterExpiry": "deny",
        "onMatch": { "verdict": "accept", "connmark": "0x12/0xff" }, "onMismatch": "drop",
        "tls13": "deny", "checks": { "name": "on", "minVersion": "1.2", "trust": "bundle.pem" },
        "comment": "ours",
      },
      { "name": "deny list", "deny": ["@bad"] },
    ],
    "lists": {
      "trusted": { "entries": ["${PIN_A}"], "comment": "x" },
      "bad": { "file": "bad.txt", "writable": true },
      "0": { "file": "sslbl.csv", "format": "sslbl-csv" },
    },
    "rules": [
      { "fpl": "!0", "match": { "ports": [8443] }, "verdict": "drop", "comment": "y" },
      { "fpl": 0, "verdict": { "verdict": "reset" } },
      { "pubkey": "!${presentCertificate(certificate('leaf-p256')).key}", "verdict": { "verdict": "accept", "connmark": "1/1" } },
    ],
    "limits": { "certificates": 8, "holdTime": 2500, "keylogWait": 500 },
    "probe": { "atOnce": 8, "perDestination": 6, "perClient": 7, "ttl": 0, "negativeTtl": 1, "recheck": 1, "allowLocal": true, "mark": "0x08000000", "source": "client" },
    "keylog": { "socket": "keys.sock" },
    "log": { "unpinned": true, "certificates": "full" },
    "control": { "socket": "/run/tlspin.sock", "mode": "0660" },
    "queues": "0:3", "failOpen": true, "allowOffload": true, "user": "tlspin",
  }`;
  const files = {
    'leaf.pem': pem('leaf'),
    'root.pem': pem('root'),
    'bundle.pem': pem('root') + pem('root2'),
    'bad.txt': `# comment\n${sha1}  other.pem\n\nsha1 Fingerprint=${'AB:'.repeat(19)}AB # why\n`,
    'sslbl.csv': `# Listingdate,SHA1,Listingreason\r\n2026-01-01 00:00:00,${'cd'.repeat(20)},Cobalt\r\n`,
  };
  const policy = policyOf(document, files);
  const [bank, denyList] = policy.pinsets;

  it('says where pins stand and when they hold', () => {
    expect(bank!.pins.map((p) => [p.kind, p.at, p.role, p.notBefore, p.expires])).toEqual([
      ['cert', 'path', 'backup', Date.UTC(2026, 0, 1), Date.UTC(2027, 0, 1, 10)],
      ['cert', 'ca', 'primary', null, null],
      ['spki-sha256', 'path', 'primary', null, null],
    ]);
    expect(bank!.pins[1]!.der).toEqual(certificate('root'));
    expect(bank!.deny.map((p) => [p.kind, p.key, p.at])).toEqual([
      ['cert-sha1', sha1, 'any'],
      ['cert-sha1', 'ab'.repeat(20), 'any'],
      ['cert-sha1', sha1, 'leaf'],
      ['cert-sha1', 'ab'.repeat(20), 'leaf'],
    ]);
  });

  it('settles everything about a pinset', () => {
    expect(bank).toMatchObject({
      match: {
        hosts: ['www.bank.example'],
        ports: [
          [443, 443],
          [8450, 8460],
        ],
      },
      names: ['*.bank.example', '192.0.2.7'],
      mode: 'report-only',
      expires: Date.UTC(2030, 0, 1),
      afterExpiry: 'deny',
      onMatch: { action: 'accept', connmark: { value: 0x12, mask: 0xff } },
      onMismatch: { action: 'drop', connmark: null },
      onDeny: { action: 'drop', connmark: null },
    });
    expect(bank!.match.clients.map((r) => [hex(r.address), r.prefix])).toEqual([
      ['0a000000', 8],
      ['20010db8000000000000000000000000', 32],
    ]);
  });

  it('resolves situations: of the pinset, else of `pinned`, else the default', () => {
    expect(bank!.situations).toEqual({
      ...PINNED,
      tls13: 'deny',
      checks: {
        name: 'on',
        validity: 'on',
        proofOfPossession: 'require',
        minVersion: 0x0303,
        trust: [certificate('root'), certificate('root2')],
      },
    });
    expect(denyList!.situations).toEqual({
      ...PINNED,
      tls13: 'accept',
      checks: { ...PINNED.checks, validity: 'on' },
    });
    expect(policy.unpinned).toEqual({ ...UNPINNED, parseError: 'deny', tls13: 'keylog-else-probe' });
  });

  it('gives a pinset the onMismatch of the file, and a deny pin the onMismatch of its pinset', () => {
    expect(denyList!.onMismatch.action).toBe('reset');
    expect(denyList!.onDeny.action).toBe('reset');
    expect(policy.onMismatch.action).toBe('reset');
  });

  it('says how servers are asked, for no longer than a flow is held, and where secrets are logged', () => {
    expect(policy.probe).toEqual({
      timeout: 2_250,
      atOnce: 8,
      perDestination: 6,
      perClient: 7,
      ttl: 0,
      negativeTtl: 1,
      recheck: 1,
      allowLocal: true,
      mark: 0x08000000,
      source: 'client',
      witnesses: 0,
      decoys: 0,
    });
    expect(policy.keylog).toEqual({ file: null, socket: '/etc/tlspin/keys.sock' });
    expect(policy.limits).toMatchObject({ holdTime: 2_500, keylogWait: 500 });
  });

  it('holds what waits for a probe as long as that may take, where nothing else is said', () => {
    const patient = load({ version: 1, probe: { timeout: 12_000 } }).policy!;
    expect(patient.probe.timeout).toBe(12_000);
    expect(patient.limits).toMatchObject({ holdTime: 13_334, handshakeTimeout: 13_334 });
    expect(load({ version: 1, probe: { timeout: 100 } }).policy!.limits.holdTime).toBe(3_000);
  });

  it('has rules and lists', () => {
    expect(policy.rules.map((r) => [r.index, r.test, r.verdict])).toEqual([
      [0, { kind: 'fpl', list: '0', inverted: true }, { action: 'drop', connmark: null }],
      [1, { kind: 'fpl', list: '0', inverted: false }, { action: 'reset', connmark: null }],
      [
        2,
        { kind: 'pubkey', key: presentCertificate(certificate('leaf-p256')).key, inverted: true },
        { action: 'accept', connmark: { value: 1, mask: 1 } },
      ],
    ]);
    const lists = new Map(policy.lists.map((list) => [list.id, list]));
    expect(lists.get('0')!.entries.map((p) => p.canonical)).toEqual([`cert-sha1:${'cd'.repeat(20)}`]);
    expect(lists.get('bad')).toMatchObject({ writable: true, file: '/etc/tlspin/bad.txt' });
    expect(lists.get('bad')!.entries.map((p) => p.at)).toEqual(['any', 'any']);
  });

  it('sends to the queue the configured ports and those that pinsets and rules name', () => {
    expect(policy.ports).toEqual([
      [443, 443],
      [993, 993],
      [8443, 8460],
    ]);
  });

  it('has its other settings', () => {
    expect(policy).toMatchObject({
      connmark: {
        mask: 0xf0000000,
        accept: 0x10000000,
        deny: 0x20000000,
        pending: 0x30000000,
        told: 0x400,
        route: 'packet-mark',
      },
      limits: { certificates: 8, flows: 65_536 },
      log: { unpinned: true, certificates: 'full' },
      control: { socket: '/run/tlspin.sock', mode: 0o660 },
      user: 'tlspin',
      queues: [0, 3],
      failOpen: true,
      allowOffload: true,
    });
  });

  it('is known by the hash of all its files', () => {
    expect(policyOf(document, files).hash).toBe(policy.hash);
    const changed = { ...files, 'bad.txt': `${files['bad.txt']}# more\n` };
    expect(policyOf(document, changed).hash).not.toBe(policy.hash);
  });

  it('survives postMessage', () => {
    expect(structuredClone(policy)).toEqual(policy);
  });
});

describe('files that pins refer to', () => {
  const pinOf = (content: string | Uint8Array) => load(one({ pins: [{ file: 'x.pem' }, PIN_A] }), { 'x.pem': content });

  it('a certificate in PEM or DER is pinned whole, a public key as SubjectPublicKeyInfo', () => {
    const presented = presentCertificate(certificate('leaf'));
    const key = Buffer.from(presented.spki!);
    const keyPem = `-----BEGIN PUBLIC KEY-----\n${key.toString('base64')}\n-----END PUBLIC KEY-----\n`;
    const pins = [pem('leaf'), certificate('leaf'), keyPem, key].map(
      (content) => pinOf(content).policy!.pinsets[0]!.pins[0]!,
    );
    expect(pins.map((p) => [p.kind, p.key, p.at])).toEqual([
      ['cert', presented.sha256, 'leaf'],
      ['cert', presented.sha256, 'leaf'],
      ['spki', presented.spkiSha256, 'path'],
      ['spki', presented.spkiSha256, 'path'],
    ]);
  });

  it.each([
    ['several certificates', pem('leaf') + pem('inter'), 'more than one'],
    ['a private key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n', 'private key'],
    ['nothing of use', 'hello', 'neither a certificate nor a public key'],
    ['DER of something else', new Uint8Array([0x30, 0x00]), 'neither a certificate nor a public key'],
  ])('%s are refused', (_what, content, text) => {
    expect(pinOf(content).errors[0]).toContain(text);
  });
});

describe('list files', () => {
  const listOf = (list: object, content: string | Uint8Array, modifiedMs?: number) =>
    load({ version: 1, lists: { '0': { file: 'x.txt', ...list } } }, { 'x.txt': content }, modifiedMs);
  const entriesOf = (list: object, content: string) =>
    listOf(list, content).policy!.lists[0]!.entries.map((p) => p.canonical);
  const sum = '00'.repeat(20);
  const sum256 = '11'.repeat(32);

  it('are read as sha1sum, sha256sum and openssl write them', () => {
    const lines = [
      `${sum}  leaf.der`,
      `${sum.replaceAll('0', 'a')} *leaf.der`,
      `SHA1 (leaf.der) = ${sum.replaceAll('0', 'b')}`,
      `\\${sum.replaceAll('0', 'c')}  odd\\nname`,
      `sha256 Fingerprint=${sum256}`,
    ].join('\n');
    expect(entriesOf({}, lines)).toEqual([
      `cert-sha1:${sum}`,
      `cert-sha1:${'aa'.repeat(20)}`,
      `cert-sha1:${'bb'.repeat(20)}`,
      `cert-sha1:${'cc'.repeat(20)}`,
      `cert-sha256:${sum256}`,
    ]);
    expect(entriesOf({ kind: 'cert-sha256' }, `${sum256}  leaf.der\n`)).toEqual([`cert-sha256:${sum256}`]);
  });

  it('of PEM hold what `kind` takes of each certificate', () => {
    const both = pem('leaf') + pem('inter');
    const [leaf, inter] = [presentCertificate(certificate('leaf')), presentCertificate(certificate('inter'))];
    expect(entriesOf({ format: 'pem' }, both)).toEqual([`cert-sha256:${leaf.sha256}`, `cert-sha256:${inter.sha256}`]);
    expect(entriesOf({ format: 'pem', kind: 'cert-sha1' }, both)[1]).toBe(`cert-sha1:${inter.sha1}`);
    expect(entriesOf({ format: 'pem', kind: 'spki-sha256' }, both)[0]).toBe(
      `spki-sha256:${Buffer.from(leaf.spkiSha256!, 'hex').toString('base64')}`,
    );
  });

  it('say every wrong line, by the name and line of their own file', () => {
    const result = loadPolicy(
      '/etc/tlspin/tlspin.json',
      memoryFiles({
        'tlspin.json': '{ "version": 1, "lists": { "0": { "file": "x.txt" } } }',
        'x.txt': `${sum}\nhello\n\n@1\n${sum256}\n`,
      }),
    );
    const errors = 'errors' in result ? result.errors : [];
    expect(errors.map((m) => `${m.file}:${m.line} ${m.text}`)).toEqual([
      expect.stringMatching(/^\/etc\/tlspin\/x\.txt:2 .*is not a pin/),
      expect.stringMatching(/^\/etc\/tlspin\/x\.txt:4 a list cannot hold other lists/),
      expect.stringMatching(/^\/etc\/tlspin\/x\.txt:5 64 hex digits do not say/),
    ]);
  });

  it.each([
    [{ format: 'sslbl-csv' }, '2026-01-01,xyz,reason', 'SHA-1'],
    [{ format: 'pem' }, 'hello', 'no certificate'],
    [{ maxAge: 'soon' }, '', 'duration'],
    [{ format: 'pem', writable: true }, pem('leaf'), 'written back'],
  ])('%j with %j is refused', (list, content, text) => {
    expect(listOf(list, content).errors.join()).toContain(text);
  });

  it('older than maxAge warn', () => {
    const age = { maxAge: '7d' };
    const now = Date.UTC(2026, 0, 1);
    expect(listOf(age, '', now - 6 * 86_400_000).warnings).toEqual([]);
    expect(listOf(age, '', now - 9 * 86_400_000).warnings[0]).toContain('9 days old');
  });
});

describe('"metrics"', () => {
  const listenAt = (listen: string) => load(one({ match: { hosts: ['bank.example'] } }, { metrics: { listen } }));

  it.each([
    ['127.0.0.1:9477', { host: '127.0.0.1', port: 9477 }],
    ['[::1]:9477', { host: '::1', port: 9477 }],
    ['/run/tlspin/metrics.sock', { path: '/run/tlspin/metrics.sock' }],
  ])('at %s', (listen, address) => {
    expect(policyOf(one({ match: { hosts: ['bank.example'] } }, { metrics: { listen } })).metrics).toEqual({
      listen: address,
    });
  });

  it.each([
    '9477',
    '127.0.0.1',
    '127.0.0.1:0',
    '127.0.0.1:65536',
    '300.0.0.1:9477',
    '::1:9477',
    '[127.0.0.1]:9477',
    'x.sock',
  ])('at %s is an error that says how', (listen) => {
    expect(listenAt(listen).errors).toEqual([expect.stringContaining(`"${listen}" is neither ADDRESS:PORT`)]);
  });
});
