/** What each kind of file comes to, as the configuration that it becomes. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { configurationOf, noteText } from '../../src/import/configuration.ts';
import { Findings } from '../../src/import/found.ts';
import { type Kind, kindOf, KINDS, readKind } from '../../src/import/kind.ts';
import type { Policy } from '../../src/pins/policy.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { ROOT } from '../support/built.ts';
import { certificate, fixturePath } from '../support/certificates.ts';
import { load, NOW } from '../support/configuration.ts';

const A = Buffer.alloc(32, 1).toString('base64');
const B = Buffer.alloc(32, 2).toString('base64');
const SPKI = `spki-sha256:${A}`;
const SHA1 = 'ad7cea1cd3c13e1de21c6ed5c16e4d156ce651e6';
const POINT =
  '046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5';

interface Result {
  readonly policy: Policy;
  readonly notes: readonly string[];
  readonly text: string;
}

/** Whatever it is, the configuration must be one that is accepted. */
function imported(files: Record<string, string>, hosts: readonly string[] = [], from?: Kind): Result {
  const all = Object.entries(files).map(([name, text]) => ({ name, text }));
  const found = new Findings();
  const kinds = new Set(all.map((file) => from ?? kindOf(file)));
  for (const kind of kinds) {
    if (kind === undefined) throw new Error('kind?');
    found.add(
      readKind(
        kind,
        all.filter((file) => (from ?? kindOf(file)) === kind),
      ),
    );
  }
  const made = configurationOf(found, { hosts, sources: Object.keys(files), nowMs: NOW });
  const { policy, errors } = load(made.text, files);
  expect(errors).toEqual([]);
  const notes = made.notes.map(noteText);
  for (const note of notes) expect(made.text.split('\n')).toContain(`//   ${note}`);
  return { policy: policy!, notes, text: made.text };
}

const pinsetsOf = ({ policy }: Result) =>
  policy.pinsets.map(({ name, match, pins }) => [name, match.hosts.join(' '), pins.map((pin) => pin.canonical)]);

const ANDROID = `<?xml version="1.0" encoding="utf-8"?>
<network-security-config>
  <base-config cleartextTrafficPermitted="false"/>
  <domain-config cleartextTrafficPermitted="true">
    <domain includeSubdomains="true">Example.com</domain>
    <domain>cdn.example.net</domain>
    <pin-set expiration="2028-01-01">
      <pin digest="SHA-256">${A}</pin>
      <!-- <!DOCTYPE x> a backup -->
      <pin digest="SHA-256">${B}</pin>
      <pin digest="SHA-1">AAAA</pin>
    </pin-set>
    <trust-anchors><certificates src="@raw/x" overridePins="true"/></trust-anchors>
    <domain-config><domain>deep.example.com</domain></domain-config>
  </domain-config>
  <domain-config><domain>free.example.com</domain></domain-config>
</network-security-config>
`;
const HPKP = `> Host: www.bank.example
< HTTP/1.1 200 OK
< Public-Key-Pins: pin-sha256="${A}"; pin-sha256="${B}"; max-age=5184000; includeSubDomains; report-uri="https://r.example/"
`;
const RULES = `#!/bin/sh
# iptables -A INPUT -m sslpin --fpl 9 -j DROP
echo ${SHA1.toUpperCase()} > /sys/kernel/xt_sslpin/0_add
iptables -I INPUT -p tcp --sport 443 \\
    -m conntrack --ctstate ESTABLISHED \\
    -m sslpin --fpl 0 \\
    -j CONNMARK --set-mark 1
iptables -A FORWARD -s 198.51.100.7/255.255.255.0 -i eth0 -p tcp --sport 8443:8449 -m sslpin ! --fpl 1 -j DROP
iptables -A FORWARD -m sslpin --fpl 0 -j LOGDROP
iptables -I INPUT -p tcp --dport 443 -d 198.51.100.7 -m sslpin --debug ! --pubkey ec:${POINT} -j REJECT
`;
const TLSA = `$ORIGIN example.com.
_443._tcp.www 3600 IN TLSA 3 1 1 (
   ${'01'.repeat(16)}
   ${'01'.repeat(16)} ) ; leaf
  IN TLSA 0 0 1 ${'02'.repeat(32)}
_25._tcp.mx.example.net. TYPE52 \\# 35 030101${'01'.repeat(32)}
_443._udp.www IN TLSA 3 1 1 ${'01'.repeat(32)}
_443._tcp.x IN TLSA 3 1 9 aa
`;
const CHROMIUM = `// a comment
{
  "pinsets": [
    { "name": "test", "static_spki_hashes": ["TestSPKI"], "bad_static_spki_hashes": ["BadSPKI"] },
    { "name": "lost", "static_spki_hashes": ["Missing"] },
  ],
  "entries": [
    { "name": "a.example", "include_subdomains": true, "pins": "test" },
    { "name": "b.example", "mode": "force-https", "pins": "test" },
    { "name": "c.example", "pins": "lost" },
    { "name": "hsts.example", "mode": "force-https" }
  ]
}
`;
const KEYS = `# keys\nPinsListTimestamp\n1709000000\n\nTestSPKI\nsha256/${A}\n\nBadSPKI\nsha256/${B}\n\nOld\nsha1/AAAA\n`;
const OKHTTP = `val pinner = CertificatePinner.Builder()
  .add("publicobject.com", "sha256/${A}")
  .add("publicobject.com", "sha256/${B}")
  .add("**.publicobject.com", "sha256/${A}",
       "sha256/${B}")
  .add("short.example", "sha256/AAAA")
val stray = "sha256/${A}"
`;
const CURL = `curl --pinnedpubkey 'sha256//${A};sha256//${B}' https://www.bank.example:8443/x\ncurl https://b.example --pinnedpubkey key.pem\n`;
const SSLBL = `# abuse.ch SSLBL\n# Listingdate,SHA1,Listingreason\n2026-01-01 00:00:00,${SHA1},Bad C&C\n`;
const SAMPLES: readonly (readonly [Kind, Record<string, string>])[] = [
  ['android', { 'nsc.xml': ANDROID }],
  ['hpkp', { 'headers.txt': HPKP }],
  ['xt-sslpin', { 'rules.sh': RULES }],
  ['tlsa', { zone: TLSA }],
  ['chromium', { 'static.json': CHROMIUM, 'static.pins': KEYS }],
  ['okhttp', { 'Pins.kt': OKHTTP }],
  ['curl', { 'c.sh': CURL }],
  ['sslbl', { 'sslbl.csv': SSLBL }],
];

describe('every kind', () => {
  it('is among the samples', () => {
    expect(SAMPLES.map(([kind]) => kind).sort()).toEqual([...KINDS].sort());
  });

  it.each(SAMPLES)('%s is told by what is in it', (kind, files) => {
    for (const [name, text] of Object.entries(files)) {
      expect(kindOf({ name, text })).toBe(kind);
      expect(kindOf({ name, text: text.replaceAll('\n', '\r\n') })).toBe(kind);
    }
  });

  it.each(SAMPLES)(
    '%s that is cut short anywhere is refused in a sentence, or becomes what is accepted',
    (kind, files) => {
      const [[name, text], ...others] = Object.entries(files) as [[string, string], ...[string, string][]];
      for (let end = 0; end < text.length; end += 3) {
        try {
          imported({ [name]: text.slice(0, end), ...Object.fromEntries(others) }, [], kind);
        } catch (error) {
          expect((error as Error).message).toMatch(/^(static\.json|nsc\.xml: |line \d+: )/);
        }
      }
    },
  );
});

describe('xt_sslpin', () => {
  const { policy, notes, text } = imported({ 'rules.sh': RULES });

  it('rules become rules', () => {
    expect(policy.rules.map(({ test, match, verdict }) => [test, match.ports, verdict.action])).toEqual([
      [{ kind: 'fpl', list: '0', inverted: false }, [[443, 443]], 'accept'],
      [{ kind: 'fpl', list: '1', inverted: true }, [[8443, 8449]], 'drop'],
      [{ kind: 'pubkey', key: `ec(P-256):${POINT}`, inverted: true }, [[443, 443]], 'reset'],
    ]);
  });

  it('sources are servers, and where the server has its port on the way to it, destinations', () => {
    const addresses = policy.rules.map(({ match }) =>
      match.addresses.map(({ address, prefix }) => `${address.join('.')}/${prefix}`),
    );
    expect(addresses).toEqual([['0.0.0.0/0'], ['198.51.100.0/24'], ['198.51.100.7/32']]);
    expect(text).toContain('// a rule for what clients send: its ports and addresses are turned round');
  });

  it('marks leave the engine its own bits', () => {
    expect(policy.rules[0]!.verdict.connmark).toEqual({ value: 1, mask: 0xf8bfffff });
    expect(text).toContain("// the mask leaves out 0x7400000, which is the engine's own");
  });

  it('lists are filled as scripts fill them, and those that are missing are told', () => {
    expect(policy.lists.map(({ id, writable, entries }) => [id, writable, entries.map(({ key }) => key)])).toEqual([
      ['0', true, [SHA1]],
      ['1', true, []],
    ]);
    expect(text).toContain('// list 1 is in none of the files: import /sys/kernel/xt_sslpin/1 too');
  });

  it('what has no like is told with its place, and comments are not rules', () => {
    expect(notes).toEqual([
      'rules.sh: INPUT: what this host itself begins comes to the engine by "tlspin rules --hook local", and once more without it for FORWARD',
      'rules.sh:8: --in-interface eth0 is left out',
      'rules.sh:9: the target LOGDROP has no like here: iptables -A FORWARD -m sslpin --fpl 0 -j LOGDROP',
    ]);
    expect(text).toContain('// --in-interface eth0 is left out');
  });

  it('is read as iptables-save prints it, and a list as the kernel does', () => {
    const save = `*filter\n[12:800] -A INPUT -s 192.0.2.0/24 -p tcp -m multiport --sports 443,8443 -m sslpin --fpl 3 -j DROP
-A INPUT ! -s 192.0.2.0/24 -m sslpin --fpl 3 -j DROP\n-A INPUT -m sslpin --fpl ! 3 -j ACCEPT\nCOMMIT\n`;
    const result = imported({
      'save.txt': save,
      '/sys/kernel/xt_sslpin/3': `${SHA1.toUpperCase()}\n${SHA1}  -\nnonsense\n`,
    });
    expect(result.policy.rules.map(({ test, verdict }) => [test, verdict.action])).toEqual([
      [{ kind: 'fpl', list: '3', inverted: false }, 'drop'],
      [{ kind: 'fpl', list: '3', inverted: true }, 'accept'],
    ]);
    expect(result.policy.lists).toMatchObject([{ id: '3', entries: [{ key: SHA1 }, { key: SHA1 }] }]);
    expect(result.notes).toEqual([
      'save.txt: INPUT: what this host itself begins comes to the engine by "tlspin rules --hook local"',
      'save.txt:3: ! --source cannot be said here: -A INPUT ! -s 192.0.2.0/24 -m sslpin --fpl 3 -j DROP',
      '/sys/kernel/xt_sslpin/3:3: this is no SHA-1 of a certificate: nonsense',
    ]);
  });
});

describe('docs/xt_sslpin.md', () => {
  const page = readFileSync(`${ROOT}docs/xt_sslpin.md`, 'utf8');
  const rows = [...page.matchAll(/^\| `(.*-m sslpin.*)` \| (?:in `"rules"`: )?`(\{.*?\})`/gm)];
  const key = presentCertificate(certificate('leaf')).key!;
  const meant = ({ rules }: Policy) => rules.map(({ test, verdict: { action } }) => ({ test, action }));

  it.each(rows.map(([, old, now]) => [old!, now!]))('%s is what stands beside it', (old, now) => {
    const whole = (text: string) => text.replace(/rsa:00ab…/, key).replace('…, ', '');
    const { policy } = imported({ 'rules.sh': `${whole(old).replace('…', 'iptables -I FORWARD -p tcp')}\n` });
    const lists = { 0: { entries: [], writable: true }, 1: { entries: [], writable: true } };
    const { policy: beside } = load({ version: 1, lists, rules: [JSON.parse(whole(now))], pinsets: [] });
    expect(meant(policy)).toEqual(meant(beside!));
  });

  it('has a row for each kind of rule', () => {
    expect(rows.map(([row]) => /--fpl|! --fpl|! --pubkey/.exec(row)![0]).sort()).toEqual([
      '! --fpl',
      '! --pubkey',
      '--fpl',
    ]);
  });
});

describe('a rule of xt_sslpin', () => {
  const of = (lines: string) => imported({ 'rules.sh': `${lines}\n` });

  it('with two tests, both of which have to be true, is none: either alone would deny more, or less', () => {
    const { policy, notes } = of(
      'iptables -A FORWARD -m sslpin --fpl 0 -j DROP\niptables -A FORWARD -m sslpin --fpl 1 -m sslpin ! --fpl 2 -j DROP',
    );
    expect(policy.rules.length).toBe(1);
    expect(notes).toEqual([expect.stringMatching(/^rules\.sh:2: two tests .*--fpl 2 -j DROP$/)]);
  });

  it('is for its family of addresses, which its command has, or the heading of what was saved', () => {
    const addresses = ({ policy }: ReturnType<typeof of>) =>
      policy.rules.map(({ match }) => match.addresses.map(({ address, prefix }) => [address.length, prefix]));
    const rule = '-A FORWARD -p tcp -m sslpin --fpl 0 -j DROP';
    expect(addresses(of(`iptables ${rule}\nsudo /sbin/ip6tables -w ${rule}\n${rule}`))).toEqual([
      [[4, 0]],
      [[16, 0]],
      [],
    ]);
    expect(addresses(of(`# Generated by ip6tables-save v1.8.9\n*filter\n${rule}`))).toEqual([[[16, 0]]]);
  });

  it('for another protocol than TCP is none', () => {
    const { notes, policy } = of(
      ['-p udp', '! -p tcp', '-p tcp'].map((p) => `-A FORWARD ${p} -m sslpin --fpl 0 -j DROP`).join('\n'),
    );
    expect(policy.rules.length).toBe(1);
    expect(notes).toEqual([expect.stringMatching(/^rules\.sh:1: .*udp/), expect.stringMatching(/^rules\.sh:2: .*tcp/)]);
  });

  it('in a chain of its own says that the way there is not known', () => {
    expect(of('-A PINS -m sslpin --fpl 0 -j DROP').notes).toEqual([expect.stringContaining('the chain PINS')]);
  });

  it.each([
    ['-m mark --mark 0x1 -j DROP', 'drop'],
    ['-m connmark --mark 0x1/0x1 -j REJECT --reject-with tcp-reset', 'reset'],
    ['-m mark --mark 0x2 -j DROP', 'accept'],
    ['-m mark ! --mark 0x1 -j DROP', 'accept'],
    ['-m mark --mark 0x1 -j LOG', 'accept'],
  ])('that writes a mark, beside %s, comes to %s', (other, action) => {
    const { policy } = of(`-A FORWARD -m sslpin --fpl 0 -j MARK --set-mark 0x1\n-A FORWARD ${other}`);
    expect(policy.rules[0]!.verdict).toMatchObject({ action, connmark: { value: 1 } });
  });

  it('whose line lacks its backslash is read to its end', () => {
    const { policy, notes } = of('iptables -I FORWARD -p tcp --sport 443 \\\n  -m sslpin --debug --fpl 1\n  -j DROP');
    expect(policy.rules).toMatchObject([{ verdict: { action: 'drop' }, match: { ports: [[443, 443]] } }]);
    expect(notes).toEqual([expect.stringMatching(/^rules\.sh:1: a backslash is missing/)]);
  });

  it('may pin a key of DSA, as a number or whole', () => {
    const { key, spki } = presentCertificate(certificate('leaf-dsa'));
    for (const pubkey of [key!, `dsa:${Buffer.from(spki!).toString('hex')}`]) {
      expect(of(`-A FORWARD -m sslpin --pubkey ${pubkey} -j DROP`).policy.rules.length, pubkey).toBe(1);
    }
  });
});

it('a pin of a root that the system trusts needs its bundle, and says whose it is; others do not', () => {
  const { spkiSha256 } = presentCertificate(certificate('root'));
  const root = Buffer.from(spkiSha256!, 'hex').toString('base64');
  const text = `.add("a.example", "sha256/${root}", "sha256/${A}")\n.add("b.example", "sha256/${A}", "sha256/${B}")\n`;
  const found = readKind('okhttp', [{ name: 'pins.kt', text }]);
  const made = configurationOf(found, { hosts: [], sources: ['pins.kt'], nowMs: NOW, roots: [certificate('root')] });
  const { policy, errors } = load(made.text, { 'ca-certificates.crt': readFileSync(fixturePath('root')) });
  expect(errors).toEqual([]);
  expect(policy!.pinsets.map(({ name, situations }) => [name, situations.checks.trust.length])).toEqual([
    ['a.example', 1],
    ['b.example', 0],
  ]);
  expect(made.text).toContain(
    `// sha256/${root} is of a root, which servers do not send: C=XX, O=Test Trust, CN=Test Root`,
  );
});

it('rules and lists look into TLS 1.3 as well: flows of no pinset are probed', () => {
  for (const result of [imported({ 'rules.sh': RULES }), imported({ 'list.csv': SSLBL })]) {
    expect(result.policy.unpinned.tls13).toBe('probe');
    expect(result.text).toContain('// TLS 1.3 hides certificates');
  }
  expect(imported({ 'headers.txt': HPKP }).policy.unpinned.tls13).toBe('accept');
});

it('a list that no rule uses says how it could be used', () => {
  const result = imported({ '0': `${SHA1}\n` });
  expect(result.text).toContain('// no rule uses it: { "fpl": "0", "verdict": "drop" } denies what is on it');
});

describe('HPKP', () => {
  it('takes pins, subdomains and the host that was asked', () => {
    const result = imported({ 'headers.txt': HPKP });
    expect(pinsetsOf(result)).toEqual([['www.bank.example', '**.www.bank.example', [SPKI, `spki-sha256:${B}`]]]);
    expect(result.text).toContain('// report-uri https://r.example/ is not taken over');
    expect(result.text).toContain('// max-age=5184000 counts from each visit');
  });

  it('takes the configuration of web servers', () => {
    const nginx = `server_name a.example;\nadd_header Public-Key-Pins 'pin-sha256="${A}"; max-age=12' always;\n`;
    const apache = `ServerName b.example\nHeader always set Public-Key-Pins "pin-sha256=\\"${A}\\"; max-age=12"\n`;
    expect(pinsetsOf(imported({ 'nginx.conf': nginx, 'apache.conf': apache }))).toEqual([
      ['a.example', 'a.example', [SPKI]],
      ['b.example', 'b.example', [SPKI]],
    ]);
  });

  it('asks for the host where none is named', () => {
    const header = `Public-Key-Pins: pin-sha256="${A}"; max-age=1`;
    expect(pinsetsOf(imported({ h: header }))).toEqual([['hpkp', 'host.example', [SPKI]]]);
    expect(pinsetsOf(imported({ h: header }, ['bank.example']))).toEqual([['bank.example', 'bank.example', [SPKI]]]);
  });

  it('never lets what is only to be reported take the place of what is enforced', () => {
    const only = `${HPKP}Public-Key-Pins-Report-Only: pin-sha256="${A}"; max-age=1\n`;
    const result = imported({ 'headers.txt': only });
    expect(result.policy.pinsets.map(({ mode }) => mode)).toEqual(['enforce']);
    expect(result.notes).toHaveLength(1);
    expect(result.notes[0]).toMatch(/^headers\.txt:4: .*only to be reported are left out/);
  });

  it('max-age=0 takes pins away', () => {
    expect(imported({ h: `Host: a.example\nPublic-Key-Pins: max-age=0; pin-sha256="${A}"` }).policy.pinsets).toEqual(
      [],
    );
  });
});

describe('Android', () => {
  const result = imported({ 'nsc.xml': ANDROID });

  it('takes domains, pins, expiry and what nested domains inherit', () => {
    const pins = [SPKI, `spki-sha256:${B}`];
    expect(pinsetsOf(result)).toEqual([
      ['example.com', '**.example.com cdn.example.net', pins],
      ['deep.example.com', 'deep.example.com', pins],
    ]);
    expect(result.policy.pinsets[0]).toMatchObject({ expires: Date.UTC(2028, 0, 1), afterExpiry: 'report-only' });
  });

  it('names what is no pin', () => {
    expect(result.notes.map((note) => note.replace(/^nsc\.xml:(\d+): (.{25}).*$/, '$1 $2'))).toEqual([
      '3 <base-config> has no pins',
      '4 cleartextTrafficPermitted',
      '11 a pin with the digest "SH',
      '13 trust-anchors with overri',
      '16 free.example.com has no p',
    ]);
  });

  it('reads no document type', () => {
    expect(() => imported({ 'nsc.xml': `<!DOCTYPE x [<!ENTITY a "b">]>${ANDROID}` }, [], 'android')).toThrow(
      'nsc.xml: a document type is not read: take it out',
    );
    expect(() => imported({ 'nsc.xml': '<network-security-config>' }, [], 'android')).toThrow(
      /no XML that can be read/,
    );
  });
});

it('Chromium: keys by their names, for hosts, with what is bad', () => {
  const result = imported({ 'static.json': CHROMIUM, 'static.pins': KEYS });
  expect(pinsetsOf(result)).toEqual([['test', '**.a.example b.example', [SPKI]]]);
  expect(result.policy.pinsets[0]!.deny).toMatchObject([{ canonical: `spki-sha256:${B}` }]);
  expect(result.notes).toEqual([
    'static.pins:12: Old is a SHA-1 of a key: only SHA-256 can be taken over',
    'static.json: entries without pins, about HSTS alone, are not taken over: 1',
    'static.json:5: "lost": the key Missing is in none of the files',
    'static.json:5: "lost": none of its keys is known: give transport_security_state_static.pins too',
  ]);
});

it('Chromium: a key may be a certificate', () => {
  const pem = readFileSync(fixturePath('leaf'), 'latin1');
  const keys = `TestSPKI\n${pem}`;
  expect(pinsetsOf(imported({ 'static.json': CHROMIUM, 'static.pins': keys }))[0]![2]).toEqual([
    'spki-sha256:0OgtvXZYy3yShaSMxb7LwOD4XQNu6Yx8nRde8Jh1ZSA=',
  ]);
});

it('OkHttp: pins of a pattern gather, wherever they are added', () => {
  const result = imported({ 'Pins.kt': OKHTTP });
  const pins = [SPKI, `spki-sha256:${B}`];
  expect(pinsetsOf(result)).toEqual([
    ['publicobject.com', 'publicobject.com', pins],
    ['**.publicobject.com', '**.publicobject.com', pins],
  ]);
  expect(result.notes.map((note) => note.slice(0, 40))).toEqual([
    'Pins.kt: the pins of "**.publicobject.co',
    'Pins.kt:6: sha256/AAAA: spki-sha256 need',
    'Pins.kt:7: a pin that no host goes with:',
  ]);
});

it('curl: compares the leaf alone, for the host and port of the URL', () => {
  const result = imported({ 'c.sh': CURL, curlrc: `pinnedpubkey = "sha256//${A}"\nurl = "https://rc.example"\n` });
  expect(result.policy.pinsets.map(({ match, pins }) => [match.hosts, match.ports, pins.map((pin) => pin.at)])).toEqual(
    [
      [['www.bank.example'], [[8443, 8443]], ['leaf', 'leaf']],
      [['rc.example'], [], ['leaf']],
    ],
  );
  expect(result.notes).toEqual([
    'c.sh:2: "key.pem" is no list of sha256// pins: `tlspin pin key.pem` shows those of a file',
  ]);
});

it('lines of pins, with a host before them or for --host', () => {
  expect(pinsetsOf(imported({ p: `a.example sha256/${A}\nsha256/${B}\n` }, ['given.example']))).toEqual([
    ['a.example', 'a.example', [SPKI]],
    ['given.example', 'given.example', [`spki-sha256:${B}`]],
  ]);
});

it('TLSA: owners, origins, parentheses, the generic form, and the place that the usage gives', () => {
  const result = imported({ zone: TLSA });
  expect(
    result.policy.pinsets.map(({ name, match, pins }) => [name, match.ports, pins.map(({ at, key }) => [at, key])]),
  ).toEqual([
    [
      'www.example.com',
      [[443, 443]],
      [
        ['leaf', '01'.repeat(32)],
        ['ca', '02'.repeat(32)],
      ],
    ],
    ['mx.example.net:25', [[25, 25]], [['leaf', '01'.repeat(32)]]],
  ]);
  expect(result.notes.map((note) => note.slice(0, 30))).toEqual([
    'zone:7: "_443._udp.www.example',
    'zone:8: tlsa needs "<usage 0-3',
  ]);
  expect(result.text).toContain('usages 0 and 1 ask for a trusted path too');
});

it('SSLBL: a list that stays in its file, and denies; entries where it cannot stay', () => {
  const inFile = imported({ 'sslbl.csv': SSLBL });
  expect(inFile.policy.lists).toMatchObject([{ id: 'sslbl', entries: [{ key: SHA1 }] }]);
  expect(inFile.policy.pinsets).toMatchObject([{ name: 'sslbl', pins: [], deny: [{ key: SHA1 }] }]);
  expect(inFile.text).toContain('"format": "sslbl-csv"');
  const damaged = imported({ 'sslbl.csv': `${SSLBL}2026-01-01,nothing,x\n` });
  expect(damaged.text).toContain(`"entries": ["${SHA1}"]`);
  expect(damaged.notes).toEqual(['sslbl.csv:4: the second column is not the SHA-1 of a certificate']);
});

it('a host in several pinsets gets one of its own, with the pins of all', () => {
  const result = imported({
    one: `a.example sha256/${A}\nb.example sha256/${A}\n`,
    two: `.add("a.example", "sha256/${B}")`,
  });
  expect(pinsetsOf(result)).toEqual([
    ['b.example', 'b.example', [SPKI]],
    ['a.example', 'a.example', [SPKI, `spki-sha256:${B}`]],
  ]);
});

it('hosts that cannot be meant are told and never become everybody', () => {
  const result = imported({ p: `.add("*", "sha256/${A}")\n.add("münchen.example", "sha256/${A}")` });
  expect(result.policy.pinsets).toEqual([]);
  expect(result.notes).toHaveLength(2);
});
