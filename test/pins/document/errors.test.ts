import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { loadPolicy } from '../../../src/pins/load.ts';
import { ambiguities } from '../../../src/pins/compile/specificity.ts';
import { load, memoryFiles, PIN_A, PIN_B } from '../../support/configuration.ts';
import { naiveSelect } from '../../support/naive-selection.ts';
import { match, pinset, range } from '../../support/policy.ts';

const one = (pinset: object, rest: object = {}) => ({
  version: 1,
  pinsets: [{ name: 'bank', pins: [PIN_A, PIN_B], ...pinset }],
  ...rest,
});
const two = (first: object, second: object) => ({
  version: 1,
  pinsets: [
    { name: 'first', pins: [PIN_A, PIN_B], match: first },
    { name: 'second', pins: [PIN_A, PIN_B], match: second },
  ],
});

describe('places', () => {
  it('every error is shown, each with its line and column', () => {
    const text = [
      '{ "version": 1, // a comment counts too',
      '  "pinsets": [',
      '    { "name": "bank", "pinz": [],',
      '      "match": { "hosts": ["10.0.0.1"] },',
      '      "pins": ["nonsense"], "tls13": "keylog" },',
      '    { "pins": [7] } ],',
      '  "rules": [{ "fpl": "none", "verdict": "drop" }], "probe": { "mark": 3 } }',
    ].join('\n');
    expect(load(text).errors).toEqual([
      '3:23 unknown key "pinz": did you mean "pins"?',
      '4:28 "10.0.0.1" is an address: write it in "addresses"',
      expect.stringMatching(/^5:16 "nonsense" is not a pin/),
      expect.stringMatching(/^5:38 "keylog" needs to know where clients log their secrets: add "keylog"/),
      '6:5 "name" is missing',
      '6:16 "pins"[0] must be a string or an object, not a number',
      '7:22 there is no list "none": name it in "lists"',
      '7:71 "3" is not a mark of one bit such as "0x400000"',
    ]);
  });

  it('a byte order mark does not count', () => {
    expect(load('\uFEFF{ "version": 2 }').errors).toEqual(['1:14 "version" must be 1, not 2']);
  });

  it.each([
    ['', '1:1 '],
    ['{', '1:2 a closing } is missing'],
    ['{ "version" 1 }', '1:13 a colon is missing after the key'],
    ['{ "version": 1 "pinsets": [] }', '1:16 a comma is missing before "\\"pinsets\\""'],
    ['{ "version": 1 }\n]', '2:1 nothing may follow the document, but "]" does'],
    ['{ "version": 1, "version": 1 }', '1:17 "version" is given twice in one object: keep one'],
    ['{ "version": one }', '1:14 this is not JSON: "one"'],
    ['{ version: 1 }', '1:3 '],
    ['{ "version": "1', '1:14 a string is not closed: its second " is missing'],
    ['/* { "version": 1 }', '1:1 a comment is not closed: its */ is missing'],
    ['[]', '1:1 the document must be an object, not a list'],
    ['null', '1:1 the document must be an object, not null'],
  ])('%j', (text, message) => {
    expect(load(text).errors.join('\n')).toContain(message);
  });

  it('a file that cannot be read is an error, not an exception', () => {
    const result = loadPolicy('/nowhere/tlspin.json', memoryFiles({}));
    expect(result).toMatchObject({
      errors: [
        { file: '/nowhere/tlspin.json', text: 'cannot read /nowhere/tlspin.json: ENOENT (there is no such file)' },
      ],
    });
  });

  it('what is called "length" makes nothing a list', () => {
    const list = { length: {} };
    const { errors } = load({ version: 1, pinsets: [{ name: 'x', match: { hosts: list }, pins: list }] });
    expect(errors.map((text) => text.replace(/^\S+ /, ''))).toEqual([
      '"hosts" must be a list, not an object',
      '"pins" must be a list, not an object',
    ]);
  });

  it('never throws, whatever the document is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        expect(load({ version: 1, pinsets: value }).policy === null).toBe(
          !(Array.isArray(value) && value.length === 0),
        );
        load(value);
        load({ version: 1, pinsets: [{ name: 'x', pins: value, match: value }], rules: [value], lists: { a: value } });
      }),
    );
  });
});

describe('refusals', () => {
  const match = (m: object) => one({ match: m });

  it.each([
    ['no version', {}, '"version" is missing'],
    ['a key nobody knows', { version: 1, zzzz: 1 }, 'unknown key "zzzz": $schema, version, strict,'],
    ['a slip in a key', { version: 1, rule: [] }, 'did you mean "rules"?'],
    ['a string for a list', match({ hosts: 'a.example' }), '"hosts" must be a list, not a string'],
    ['an empty list of hosts', match({ hosts: [] }), '"hosts" is an empty list: leave it out'],
    ['an empty list of pins', one({ pins: [] }), '"pins" is an empty list: leave it out'],
    ['hosts and addresses together', match({ hosts: ['a.example'], addresses: ['192.0.2.1'] }), 'write two pinsets'],
    ['hosts that are all exempt', match({ hosts: ['!lab.example'] }), 'name first which hosts are meant'],
    ['an exempt host that is none', match({ hosts: ['**.example', '!a b'] }), 'is not a host name'],
    [
      'what no host pinset is asked',
      one({ match: { hosts: ['a.example'] }, notTls: 'accept' }),
      'write it into "pinned"',
    ],
    ['the same of old flows', one({ match: { hosts: ['a.example'] }, midstream: 'accept' }), 'write it into "pinned"'],
    ['every host', match({ hosts: ['*'] }), 'the pinset is the fallback'],
    ['every host in two stars', match({ hosts: ['**.'] }), 'the pinset is the fallback'],
    ['a wildcard within a label', match({ hosts: ['w*.example'] }), 'the whole first label'],
    ['a wildcard further on', match({ hosts: ['a.*.example'] }), 'the whole first label'],
    ['a U-label', match({ hosts: ['*.bücher.example'] }), '"*.xn--bcher-kva.example": write that'],
    ['a URL', match({ hosts: ['https://a.example/'] }), 'a URL: write the host name alone'],
    ['a host with its port', match({ hosts: ['a.example:8443'] }), 'write it in "ports"'],
    ['no host name', match({ hosts: ['a b'] }), 'is not a host name'],
    ['an IPv6 address among hosts', match({ hosts: ['[2001:db8::1]'] }), 'write it in "addresses"'],
    ['no address', match({ addresses: ['a.example'] }), 'is not an address or a network'],
    ['an address in octal', match({ addresses: ['192.0.2.010'] }), 'is not an address or a network'],
    ['an address with a zone', match({ addresses: ['fe80::1%eth0'] }), 'is not an address or a network'],
    ['bits behind the prefix', match({ clients: ['192.0.2.1/24'] }), 'write 192.0.2.0/24'],
    ['too long a prefix', match({ addresses: ['192.0.2.0/33'] }), 'must be 0 to 32'],
    ['port 0', match({ ports: ['0'] }), 'is not a port'],
    ['port 70000', match({ ports: [70_000] }), 'must be 65535 or less'],
    ['a range backwards', match({ ports: ['9-1'] }), 'write "1-9"'],
    ['any in pins', one({ pins: [{ pin: PIN_A, at: 'any' }, PIN_B] }), 'use leaf, ca or path'],
    ['SHA-1 above the leaf', one({ pins: [{ pin: `cert-sha1:${'00'.repeat(20)}`, at: 'ca' }] }), 'use cert-sha256'],
    [
      'a TLSA usage contradicted',
      one({ pins: [{ pin: `tlsa:3 1 1 ${'00'.repeat(32)}`, at: 'ca' }] }),
      'leave "at" out',
    ],
    ['a date that is none', one({ expires: '2027-02-30' }), 'is not a date'],
    ['a time without its zone', one({ expires: '2027-01-01T00:00' }), 'is not a date'],
    [
      'a pin that is never used',
      one({ pins: [{ pin: PIN_A, notBefore: '2027-01-01', expires: '2026-01-01' }] }),
      'never be used',
    ],
    ['a pin object without a pin', one({ pins: [{ at: 'leaf' }] }), '"pin" is missing'],
    ['a list that is not there', one({ pins: ['@bda'] }, { lists: { bad: { entries: [] } } }), 'did you mean "bad"?'],
    ['a list without anything', { version: 1, lists: { a: {} } }, 'neither entries nor a file'],
    ['a list with an odd name', { version: 1, lists: { 'a b': { entries: [] } } }, 'letters, digits'],
    [
      'a name twice',
      {
        version: 1,
        pinsets: [
          { name: 'a', deny: [PIN_A] },
          { name: 'a', deny: [PIN_A] },
        ],
      },
      'at line 1 already',
    ],
    ['names with two stars', one({ names: ['**.example'] }), '"*." at most'],
    [
      'a rule with both tests',
      { version: 1, rules: [{ fpl: '0', pubkey: 'rsa:00', verdict: 'drop' }] },
      'either "fpl" or "pubkey"',
    ],
    ['a rule with neither', { version: 1, rules: [{ verdict: 'drop' }] }, 'either "fpl" or "pubkey"'],
    ['a rule without a verdict', { version: 1, rules: [{ fpl: '0' }] }, '"verdict" is missing'],
    ['a rule with no key', { version: 1, rules: [{ pubkey: 'sha256/x', verdict: 'drop' }] }, 'is not a key such as'],
    ['a verdict nobody knows', one({ onMismatch: 'reject' }), '"accept" or "drop" or "reset" or "tls-alert"'],
    ['a verdict object without a verdict', one({ onMatch: { connmark: '1/1' } }), '"verdict" is missing'],
    ["the engine's own bits", one({ onMatch: { verdict: 'accept', connmark: '0x1000001/0x1000001' } }), 'overlaps'],
    ['a mark without its mask', one({ onMatch: { verdict: 'accept', connmark: '0x12' } }), 'a value and a mask'],
    ['a value outside its mask', one({ onMatch: { verdict: 'accept', connmark: '0x12/0x0f' } }), 'outside its mask'],
    ['a mask of nothing', one({ onMatch: { verdict: 'accept', connmark: '0/0' } }), 'writes nothing'],
    ['the bit of what is told', one({ onMatch: { verdict: 'accept', connmark: '0/0x4000000' } }), 'overlaps'],
    ['states outside the mask', { version: 1, connmark: { mask: '0x40000000' } }, 'outside the mask'],
    ['a bit to tell by that is a state', { version: 1, connmark: { told: '0x2000000' } }, 'is in the mask 0x3000000'],
    ['two bits to tell by', { version: 1, connmark: { told: '0xc000000' } }, '0xc000000 is not one bit'],
    ['two states of one value', { version: 1, connmark: { deny: '0x1000000' } }, 'is the mark of "accept" already'],
    ['a state of 0', { version: 1, connmark: { accept: 0 } }, 'nobody has looked at'],
    ['a mark that is no number', { version: 1, connmark: { mask: 'red' } }, 'is not a mark'],
    ['queues backwards', { version: 1, queues: '3:1' }, 'is not a queue number'],
    ['a mode that is none', { version: 1, control: { mode: 'rw' } }, 'is not a mode in octal'],
    ['a limit of nothing', { version: 1, limits: { flows: 0 } }, 'must be 1 or more'],
    ['a limit nobody knows', { version: 1, limits: { flow: 10 } }, 'did you mean "flows"?'],
    ['a bundle without certificates', one({ checks: { trust: 'x.pem' } }), 'x.pem holds no certificate'],
  ])('%s', (_what, document, text) => {
    const { policy, errors } = load(document, { 'x.pem': 'nothing' });
    expect(policy).toBeNull();
    expect(errors.join('\n')).toContain(text);
  });

  it('learning without a place for what is learned', () => {
    expect(load(one({ mode: 'learn' })).errors).toEqual([expect.stringContaining('add "learn": { "file"')]);
  });

  it('what follows upon learning, where nothing is learned', () => {
    expect(load(one({ then: 'enforce' })).errors).toEqual([expect.stringContaining('"mode": "learn"')]);
  });
});

describe('evidence from elsewhere', () => {
  const keylog = { file: 'keys.log' };
  const connmark = { mask: '0x3400000', pending: '0x3400000' };
  const marking = { verdict: 'accept', connmark: '0x1000000/0x3000001' };
  const engine = '"connmark"';

  it.each<[string, object, string]>([
    ['no time for an answer', { probe: { timeout: 0 } }, '"timeout" must be 1 or more'],
    [
      'a time that nobody waits',
      { probe: { timeout: 501 }, limits: { holdTime: 500 } },
      '1:33 a flow is held for 500 ms',
    ],
    ['decoys that anybody tells', { probe: { decoys: 1, source: 'auto' } }, 'add "source": "client"'],
    ['no place', { probe: { atOnce: 0 } }, '"atOnce" must be 1 or more'],
    ['no probe to a server', { probe: { perDestination: 0 } }, '"perDestination" must be 1 or more'],
    ['a thousand probes a second', { probe: { perClient: 60_000 } }, '"perClient" must be 6000 or less'],
    ['more than a day in memory', { probe: { ttl: 86_400_001 } }, '"ttl" must be 86400000 or less'],
    ['a share above the whole', { probe: { recheck: 1.5 } }, '"recheck" must be 1 or less'],
    ['a mark of no bit', { probe: { mark: 0 } }, '"0" is not a mark of one bit'],
    ['a mark of two bits', { probe: { mark: '0x11' } }, '"0x11" is not a mark of one bit'],
    ['a mark that is no number', { probe: { mark: 'red' } }, '"red" is not a mark of one bit'],
    ['the mark of decisions', { probe: { mark: '0x1000000' } }, `the engine's own bits 0x7000000 (${engine}) hold`],
    ['decisions with the usual mark of probes', { connmark }, "1:33 the engine's own bits 0x7400000"],
    ['the bit of what is told', { probe: { mark: '0x4000000' } }, `the engine's own bits 0x7000000 (${engine}) hold`],
    ['a verdict that writes it', one({ onMatch: marking }), 'the mask 0x3000001 overlaps the engine'],
    ['a slip in a key', { probe: { timout: 1 } }, 'did you mean "timeout"?'],
    ['a key log without a place', { keylog: {} }, 'either "file" or "socket"'],
    ['a key log with two', { keylog: { ...keylog, socket: 'keys.sock' } }, 'either "file" or "socket"'],
    ['a wait for secrets behind the deadline', { keylog, limits: { holdTime: 100 } }, 'a flow is held for 100 ms'],
    ['a situation without its key log', one({ tls13: 'keylog' }), '"keylog" needs to know where clients log'],
    ['the same in "pinned"', { pinned: { tls13: 'keylog-else-probe' } }, '"keylog-else-probe" needs to know where'],
    ['the same in "unpinned"', { unpinned: { tls13: 'keylog' } }, '"keylog" needs to know where'],
  ])('refused: %s', (_what, document, text) => {
    const { policy, errors } = load({ version: 1, ...document });
    expect(policy).toBeNull();
    expect(errors).toEqual([expect.stringContaining(text)]);
  });

  it.each([
    ['of a pinset', (verdict: object) => one({ onMismatch: verdict })],
    ['of the file', (verdict: object) => ({ version: 1, onMismatch: verdict })],
    ['of a rule', (verdict: object) => ({ version: 1, lists: { a: { entries: [] } }, rules: [{ fpl: 'a', verdict }] })],
  ])('refused: a verdict %s that writes the mark of probes', (_what, documentWith) => {
    const document = documentWith({ verdict: 'drop', connmark: '0/0x400000' });
    const place = JSON.stringify(document).indexOf('"0/0x400000"') + 1;
    expect(load(document).errors).toEqual([
      `1:${place} the mask 0x400000 holds the mark of probes 0x400000: choose another, or "probe.mark"`,
    ]);
    expect(load({ ...document, probe: { mark: '0x8' } }).errors).toEqual([]);
  });

  it('a key log that no situation uses is warned of', () => {
    const unused = [expect.stringContaining('nothing uses the key log')];
    const hosts = { match: { hosts: ['a.example'] } };
    expect(load(one(hosts, { keylog })).warnings).toEqual(unused);
    // No flow is in the situation of pinned ones where nothing is pinned.
    expect(load({ version: 1, keylog, pinned: { tls13: 'keylog' } }).warnings).toEqual(unused);
    expect(load({ version: 1, keylog, unpinned: { tls13: 'keylog' } }).warnings).toEqual([]);
    expect(load(one({ ...hosts, tls13: 'keylog-else-probe' }, { keylog })).warnings).toEqual([]);
  });

  it.each([
    ['probe', ['who can tell the probe from the client']],
    ['keylog-else-probe', ['who can tell the probe from the client']],
    ['probe-else-accept', ['who can tell the probe from the client', 'pass unchecked where the probe gets no answer']],
    ['deny', ['"tls13": "probe" asks the server']],
    ['keylog', []],
    ['accept', []],
  ])('what "tls13": "%s" is worth is said', (tls13, texts) => {
    const { notes } = load(one({ match: { addresses: ['192.0.2.1'] }, names: ['a.example'], tls13 }, { keylog }));
    expect(notes).toEqual(texts.map((text) => expect.stringContaining(text)));
  });
});

it('that a host pinset denies to all hosts what is not TLS is said, unless it does not', () => {
  const hosts = { match: { hosts: ['a.example'] }, tls13: 'accept' };
  const clear = expect.stringContaining('"pinned": { "notTls": "accept" } lets it pass');
  expect(load(one(hosts)).notes).toContainEqual(clear);
  expect(load(one(hosts, { pinned: { notTls: 'accept' } })).notes).not.toContainEqual(clear);
  expect(load(one({ ...hosts, mode: 'report-only' })).notes).not.toContainEqual(clear);
  expect(load(one({ match: { addresses: ['192.0.2.1'] }, notTls: 'deny', tls13: 'accept' })).notes).toEqual([]);
});

describe('equal specificity', () => {
  it('is not looked for where matches could not be read: they would seem to be fallbacks', () => {
    expect(load(two({ hosts: ['a b'] }, { hosts: ['c d'] })).errors).toEqual([
      expect.stringContaining('"a b" is not a host name'),
      expect.stringContaining('"c d" is not a host name'),
    ]);
  });

  it.each([
    ['the same host', { hosts: ['a.example'] }, { hosts: ['b.example', 'A.example'] }, 'both name a.example'],
    ['the same wildcard', { hosts: ['*.example'] }, { hosts: ['*.example'] }, 'both name *.example'],
    ['the same network', { addresses: ['10.0.0.0/8'] }, { addresses: ['10.0.0.0/8'] }, 'both name 10.0.0.0/8'],
    [
      'a network in IPv6 clothes',
      { addresses: ['10.0.0.1'] },
      { addresses: ['::ffff:10.0.0.1'] },
      'both name 10.0.0.1/32',
    ],
    ['two fallbacks', {}, {}, 'both are fallbacks'],
    ['ranges of one width that overlap', { ports: ['1-10'] }, { ports: ['5-14'] }, 'for port 5'],
    ['the same clients', { clients: ['10.0.0.0/8'] }, { clients: ['10.0.0.0/8', '11.0.0.0/8'] }, 'both are fallbacks'],
  ])('%s is refused', (_what, first, second, text) => {
    const [error] = load(two(first, second)).errors;
    expect(error).toContain(text);
    expect(error).toContain('"second" is as specific as "first" at line 1');
  });

  it.each([
    ['another rank of pattern', { hosts: ['*.example.com'] }, { hosts: ['**.example.com', 'a.example.com'] }],
    ['another length of network', { addresses: ['10.0.0.0/8'] }, { addresses: ['10.0.0.0/9'] }],
    ['ports that differ', { ports: [443] }, { ports: [8443] }],
    ['a range and a port', { ports: ['1-1000'] }, { ports: [443] }],
    ['ports and none', { ports: ['1-65535'] }, {}],
    ['clients and none', { clients: ['0.0.0.0/0'] }, {}],
    ['clients that differ', { clients: ['10.0.0.0/8'] }, { clients: ['10.0.0.0/9'] }],
    ['an address and a host', { addresses: ['192.0.2.1'] }, { hosts: ['a.example'] }],
  ])('%s is not', (_what, first, second) => {
    expect(load(two(first, second)).errors).toEqual([]);
  });

  it('deny lists never compete', () => {
    const deny = (name: string) => ({ name, deny: [PIN_A], match: { hosts: ['a.example'] } });
    expect(load({ version: 1, pinsets: [deny('a'), deny('b')] }).errors).toEqual([]);
  });

  it('is found whenever a flow exists between which selection could not choose', () => {
    const host = fc.constantFrom('a', '*.a', '**.a', 'b.a', '**.b.a');
    const port = fc.constantFrom<[number, number]>([443, 443], [400, 500], [450, 550], [1, 1000]);
    const network = fc.constantFrom('10.0.0.1/32', '10.0.0.0/24', '10.0.0.0/8').map(range);
    const some = <T>(values: fc.Arbitrary<T>) => fc.uniqueArray(values, { maxLength: 2, selector: String });
    const anyMatch = fc
      .record({ hosts: some(host), addresses: some(network), ports: some(port), clients: some(network) })
      .map((m) => (m.hosts.length > 0 ? match({ ...m, addresses: [] }) : match(m)));
    const address = fc.constantFrom('10.0.0.1', '10.0.0.2', '10.1.0.1', '11.0.0.1');
    fc.assert(
      fc.property(
        fc.array(anyMatch, { maxLength: 4 }),
        fc.constantFrom('a', 'b.a', 'c.a', 'c.b.a', null),
        address,
        address,
        fc.constantFrom(443, 420, 470, 520, 700, 2000),
        (matches, name, server, client, serverPort) => {
          const pinsets = matches.map((m, index) => pinset(index, { match: m }));
          const subject = {
            server: { address: range(server).address, port: serverPort },
            client: { address: range(client).address, port: 1 },
          };
          if (naiveSelect(pinsets, subject, name) === 'ambiguous') expect(ambiguities(pinsets)).not.toEqual([]);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('warnings and notes', () => {
  const soon = '2026-01-20';
  const hosts = { match: { hosts: ['a.example'] } };

  it.each([
    ['one usable pin', one({ pins: [PIN_A] }), 'enforces with only one usable pin; add a backup pin'],
    ['one pin twice', one({ pins: [PIN_A, PIN_A] }), 'only one usable pin'],
    [
      'a backup that is out of date',
      one({ pins: [PIN_A, { pin: PIN_B, expires: '2025-01-01' }] }),
      'only one usable pin',
    ],
    [
      'no usable pin',
      one({ pins: [{ pin: PIN_A, expires: '2025-01-01' }] }),
      'no usable pin: every flow is a mismatch',
    ],
    [
      'a pin that expires soon',
      one({ pins: [PIN_A, PIN_B, { pin: PIN_A, expires: soon }] }),
      'expires on 2026-01-20, in 19 days',
    ],
    [
      'a pin that has expired',
      one({ pins: [PIN_A, PIN_B, { pin: PIN_A, expires: '2025-01-01' }] }),
      'expired on 2025-01-01',
    ],
    ['a pinset that expires soon', one({ expires: soon }), 'then afterExpiry is report-only'],
    [
      'learning without proof',
      { ...one({ mode: 'learn', checks: { proofOfPossession: 'off' } }), learn: { file: 'learned.json' } },
      '"bank" learns nothing',
    ],
    ['a pinset that does nothing', { version: 1, pinsets: [{ name: 'x' }] }, 'does nothing'],
    ['SHA-1 on the leaf', one({ pins: ['00'.repeat(20), PIN_A] }), 'SHA-1 is weak'],
    ['pins above the leaf and no name', one({ match: { addresses: ['192.0.2.1'] } }), 'unless "names" says'],
    ['pins above the leaf and no check of names', one({ ...hosts, checks: { name: 'off' } }), 'count on the leaf only'],
    ['a list that forgets', { version: 1, lists: { a: { entries: [], writable: true } } }, 'lost at a restart'],
  ])('%s', (_what, document, text) => {
    const { policy, warnings } = load(document);
    expect(policy).not.toBeNull();
    expect(warnings.join('\n')).toContain(text);
    const strict = load({ strict: true, ...document });
    expect(strict.policy).toBeNull();
    expect(strict.errors.join('\n')).toContain(text);
  });

  it.each([
    ['SHA-1', { pins: ['@0'] }, 'warnings', 'the list "0": SHA-1 is weak'],
    ['SHA-1 above the leaf', { pins: [{ pin: '@0', at: 'path' }] }, 'errors', 'SHA-1 does not hold against a CA'],
  ] as const)('of a list it is said once, however many entries it has: %s', (_what, more, severity, text) => {
    const entries = Array.from({ length: 50 }, (_, i) => i.toString(16).padStart(40, '0'));
    const loaded = load(one(more, { lists: { '0': { entries } } }));
    expect(loaded[severity].filter((message) => message.includes('SHA-1'))).toEqual([expect.stringContaining(text)]);
  });

  it('a file that does everything right has none, under strict too', () => {
    const { policy, warnings } = load({ strict: true, ...one(hosts) });
    expect(policy).not.toBeNull();
    expect(warnings).toEqual([]);
  });

  it('what host pinsets and TLS 1.3 hide is said once, and is no warning', () => {
    const pins = [PIN_A, PIN_B];
    const { notes } = load({
      version: 1,
      strict: true,
      pinsets: [
        { name: 'a', pins, match: { hosts: ['a.example'] } },
        { name: 'b', pins, match: { hosts: ['b.example'] } },
        { name: 'c', deny: [PIN_A] },
      ],
    });
    expect(notes).toEqual([
      expect.stringContaining('no server name, or hide it (ECH)'),
      expect.stringContaining('what is not TLS'),
      expect.stringContaining('TLS 1.3 hides the certificate'),
      expect.stringContaining('a deny list sees nothing of TLS 1.3'),
    ]);
    expect(notes[3]).toContain('"unpinned": { "tls13": "probe" }');
  });

  it('a pinset that only reports needs no backup', () => {
    expect(load(one({ ...hosts, mode: 'report-only', pins: [PIN_A] })).warnings).toEqual([]);
  });
});
