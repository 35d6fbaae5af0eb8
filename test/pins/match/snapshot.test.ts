import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import type { CompiledPinset } from '../../../src/pins/policy.ts';
import { PinsetSnapshot } from '../../../src/pins/match/snapshot.ts';
import type { FlowSubject } from '../../../src/pins/match/snapshot.ts';
import { counting } from '../../support/counting.ts';
import { match, pin, pinset, policy, range, rule } from '../../support/policy.ts';
import { matchFits, naiveSelect } from '../../support/naive-selection.ts';

function flow(server: string, port = 443, client = '10.0.0.1'): FlowSubject {
  return {
    server: { address: range(server).address, port },
    client: { address: range(client).address, port: 50_000 },
  };
}

const select = (pinsets: CompiledPinset[], subject: FlowSubject, name: string | null) =>
  new PinsetSnapshot(policy({ pinsets })).select(subject, name).require.map((p) => p.name);

const named = (name: string, index: number, m: Parameters<typeof match>[0]) => pinset(index, { name, match: match(m) });

describe('selection by host', () => {
  const pinsets = [
    named('any-long', 0, { hosts: ['**.a.example.com'] }),
    named('any', 1, { hosts: ['**.example.com'] }),
    named('one', 2, { hosts: ['*.example.com'] }),
    named('exact', 3, { hosts: ['www.example.com'] }),
  ];

  it.each([
    ['www.example.com', 'exact'],
    ['WWW.Example.COM.', 'exact'],
    ['api.example.com', 'one'],
    ['a.example.com', 'one'],
    ['x.a.example.com', 'any-long'],
    ['x.y.a.example.com', 'any-long'],
    ['x.b.example.com', 'any'],
    ['example.com', 'any'],
  ])('%s is for %s', (name, selected) => {
    expect(select(pinsets, flow('192.0.2.1'), name)).toEqual([selected]);
  });

  it.each(['example.org', 'notexample.com', 'com', 'www.example.com.evil.org', ''])('%j is for none', (name) => {
    expect(select(pinsets, flow('192.0.2.1'), name)).toEqual([]);
  });

  it('`*.` takes one label, neither none nor two', () => {
    const one = [named('one', 0, { hosts: ['*.example.com'] })];
    expect(select(one, flow('192.0.2.1'), 'example.com')).toEqual([]);
    expect(select(one, flow('192.0.2.1'), 'a.b.example.com')).toEqual([]);
  });

  it('passes on to the next best pattern where the port does not fit', () => {
    const some = [
      named('exact', 0, { hosts: ['www.example.com'], ports: [[8443, 8443]] }),
      named('one', 1, { hosts: ['*.example.com'] }),
    ];
    expect(select(some, flow('192.0.2.1', 8443), 'www.example.com')).toEqual(['exact']);
    expect(select(some, flow('192.0.2.1', 443), 'www.example.com')).toEqual(['one']);
  });

  it('prefers fewer ports, then the narrower client network', () => {
    const some = [
      named('any port', 0, { hosts: ['h'] }),
      named('range', 1, { hosts: ['h'], ports: [[400, 500]] }),
      named('port', 2, { hosts: ['h'], ports: [[443, 443]] }),
      named('port and client', 3, { hosts: ['h'], ports: [[443, 443]], clients: [range('10.0.0.0/8')] }),
      named('client', 4, { hosts: ['h'], clients: [range('10.0.0.1/32')] }),
    ];
    expect(select(some, flow('192.0.2.1', 443, '10.9.9.9'), 'h')).toEqual(['port and client']);
    expect(select(some, flow('192.0.2.1', 443, '11.0.0.1'), 'h')).toEqual(['port']);
    expect(select(some, flow('192.0.2.1', 450, '10.0.0.1'), 'h')).toEqual(['range']);
    expect(select(some, flow('192.0.2.1', 80, '10.0.0.1'), 'h')).toEqual(['client']);
    expect(select(some, flow('192.0.2.1', 80, '10.0.0.2'), 'h')).toEqual(['any port']);
  });
});

describe('hosts that are exempt', () => {
  const pinsets = [
    named('any', 0, { hosts: ['**.example', 'www.lab.example'], exempt: ['**.lab.example', '*.old.example'] }),
    named('rest', 1, { hosts: ['**.lab.example'], exempt: ['open.lab.example'] }),
  ];

  it.each([
    ['www.example', ['any']],
    ['lab.example', ['rest']],
    ['a.lab.example', ['rest']],
    ['www.lab.example', ['rest']],
    ['OPEN.lab.example', []],
    ['a.old.example', []],
    ['old.example', ['any']],
    ['a.b.old.example', ['any']],
  ])('%s is for %j', (name, selected) => {
    expect(select(pinsets, flow('192.0.2.1'), name)).toEqual(selected);
  });

  it('are so of deny lists and rules as well', () => {
    const exempting = match({ hosts: ['**.example'], exempt: ['lab.example'] });
    const deny = pinset(0, { pins: [], match: exempting });
    const rules = [rule(0, { kind: 'fpl', list: '0', inverted: false }, { match: exempting })];
    const snapshot = new PinsetSnapshot(policy({ pinsets: [deny], rules }));
    expect(snapshot.select(flow('192.0.2.1'), 'www.example')).toMatchObject({ deny: [{}], rules: [{}] });
    expect(snapshot.select(flow('192.0.2.1'), 'lab.example')).toMatchObject({ deny: [], rules: [] });
  });
});

describe('selection by address', () => {
  const pinsets = [
    named('wide', 0, { addresses: [range('198.51.0.0/16')] }),
    named('narrow', 1, { addresses: [range('198.51.100.0/24')] }),
    named('odd', 2, { addresses: [range('198.51.100.128/25')], ports: [[8443, 8443]] }),
    named('v6', 3, { addresses: [range('20010db8000000000000000000000000/32')] }),
  ];

  it('takes the longest prefix whose port fits', () => {
    expect(select(pinsets, flow('198.51.7.7'), null)).toEqual(['wide']);
    expect(select(pinsets, flow('198.51.100.200'), null)).toEqual(['narrow']);
    expect(select(pinsets, flow('198.51.100.200', 8443), null)).toEqual(['odd']);
    expect(select(pinsets, flow('198.51.100.127', 8443), null)).toEqual(['narrow']);
    expect(select(pinsets, flow('20010db8ffff000000000000000000001'.slice(0, 32)), null)).toEqual(['v6']);
    expect(select(pinsets, flow('198.52.0.1'), null)).toEqual([]);
  });

  it('treats IPv4 in IPv6 as IPv4, in flows and in ranges', () => {
    const mapped = '00000000000000000000ffffc6336407';
    expect(select(pinsets, flow(mapped), null)).toEqual(['narrow']);
    const wide = [named('mapped', 0, { addresses: [range('00000000000000000000ffffc6336400/120')] })];
    expect(select(wide, flow('198.51.100.9'), null)).toEqual(['mapped']);
    const clients = [named('clients', 0, { hosts: ['h'], clients: [range('00000000000000000000ffff0a000000/104')] })];
    expect(select(clients, flow('192.0.2.1', 443, '10.1.2.3'), 'h')).toEqual(['clients']);
  });
});

describe('address and host together', () => {
  const pinsets = [
    named('host', 0, { hosts: ['www.example.com'] }),
    named('address', 1, { addresses: [range('198.51.100.0/24')] }),
    named('fallback', 2, {}),
    named('fallback 8443', 3, { ports: [[8443, 8443]] }),
  ];

  it('both must pass: the name adds requirements and never removes those of the address', () => {
    expect(select(pinsets, flow('198.51.100.1'), 'www.example.com')).toEqual(['address', 'host']);
    expect(select(pinsets, flow('198.51.100.1'), 'other.example')).toEqual(['address']);
    expect(select(pinsets, flow('198.51.100.1'), null)).toEqual(['address']);
    expect(select(pinsets, flow('192.0.2.1'), 'www.example.com')).toEqual(['host']);
  });

  it('the fallback stands in only where neither selects', () => {
    expect(select(pinsets, flow('192.0.2.1'), null)).toEqual(['fallback']);
    expect(select(pinsets, flow('192.0.2.1', 8443), 'other.example')).toEqual(['fallback 8443']);
  });
});

describe('what a pinset without pins is', () => {
  const denyAll = pinset(1, { name: 'deny all', pins: [], deny: [pin('cert-sha1', 'ab')] });
  const denyHost = pinset(2, { name: 'deny host', pins: [], match: match({ hosts: ['**.example.com'] }) });
  const denyNet = pinset(0, { name: 'deny net', pins: [], match: match({ addresses: [range('198.51.100.0/24')] }) });
  const snapshot = new PinsetSnapshot(policy({ pinsets: [denyNet, denyAll, denyHost] }));

  it('a deny list for every flow that it fits, in the order of the file, never selected', () => {
    const selection = snapshot.select(flow('198.51.100.3'), 'a.example.com');
    expect(selection.require).toEqual([]);
    expect(selection.deny.map((p) => p.name)).toEqual(['deny net', 'deny all', 'deny host']);
    expect(snapshot.select(flow('192.0.2.1'), null).deny).toEqual([denyAll]);
  });
});

describe('rules', () => {
  it('all that fit, in the order of the file', () => {
    const test = { kind: 'fpl', list: '0', inverted: false } as const;
    const rules = [
      rule(0, test, { match: match({ ports: [[443, 443]] }) }),
      rule(1, test, { match: match({ hosts: ['example.com'] }) }),
      rule(2, test),
    ];
    const snapshot = new PinsetSnapshot(policy({ rules }));
    expect(snapshot.select(flow('192.0.2.1'), 'example.com').rules).toEqual(rules);
    expect(snapshot.select(flow('192.0.2.1', 80), null).rules).toEqual([rules[2]]);
  });
});

describe('whether a name could still select a pinset', () => {
  const could = (pinsets: CompiledPinset[], subject: FlowSubject) =>
    new PinsetSnapshot(policy({ pinsets })).couldHostPinsetApply(subject);

  it('by the ports and clients of host pinsets', () => {
    const pinsets = [named('h', 0, { hosts: ['h'], ports: [[443, 443]], clients: [range('10.0.0.0/8')] })];
    expect(could(pinsets, flow('192.0.2.1', 443, '10.0.0.1'))).toBe(true);
    expect(could(pinsets, flow('192.0.2.1', 80, '10.0.0.1'))).toBe(false);
    expect(could(pinsets, flow('192.0.2.1', 443, '11.0.0.1'))).toBe(false);
  });

  it('the fallback counts, address pinsets and deny lists do not', () => {
    expect(could([named('fallback', 0, { ports: [[443, 443]] })], flow('192.0.2.1'))).toBe(true);
    expect(could([named('a', 0, { addresses: [range('192.0.2.1')] })], flow('192.0.2.1'))).toBe(false);
    expect(could([pinset(0, { pins: [], match: match({ hosts: ['h'] }) })], flow('192.0.2.1'))).toBe(false);
  });

  it('tells apart those that enforce', () => {
    const reporting = pinset(0, { mode: 'report-only', match: match({ hosts: ['h'] }) });
    const snapshot = new PinsetSnapshot(policy({ pinsets: [reporting] }));
    expect(snapshot.couldHostPinsetApply(flow('192.0.2.1'))).toBe(true);
    expect(snapshot.couldEnforcedHostPinsetApply(flow('192.0.2.1'))).toBe(false);
  });
});

describe('selection at large', () => {
  it('equals a naive reference, whatever the order of the file', () => {
    const label = fc.constantFrom('a', 'b', 'c');
    const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
    const host = fc.tuple(fc.constantFrom('', '*.', '**.'), name).map(([wild, rest]) => wild + rest);
    const port = fc.constantFrom<[number, number]>([443, 443], [400, 500], [8443, 8443]);
    const address = fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.1.1', '00000000000000000000ffff0a000001');
    const network = fc.constantFrom('10.0.0.1/32', '10.0.0.0/24', '10.0.0.0/8', '0.0.0.0/0').map(range);
    const some = <T>(values: fc.Arbitrary<T>) => fc.uniqueArray(values, { maxLength: 2, selector: String });
    const anyMatch = fc
      .record({
        hosts: some(host),
        exempt: some(host),
        addresses: some(network),
        ports: some(port),
        clients: some(network),
      })
      .map((m) => match(m.hosts.length > 0 ? { ...m, addresses: [] } : { ...m, exempt: [] }));
    const anyPinset = fc.record({ match: anyMatch, pins: fc.constantFrom([pin('key', 'rsa:00')], []) });

    fc.assert(
      fc.property(
        fc.array(anyPinset, { maxLength: 8 }),
        address,
        address,
        fc.constantFrom(443, 450, 8443, 80),
        fc.option(name),
        (parts, server, client, serverPort, serverName) => {
          const pinsets = parts.map((part, index) => pinset(index, part));
          const subject = flow(server, serverPort, client);
          const expected = naiveSelect(pinsets, subject, serverName);
          // Equal specificity never gets past the loader.
          fc.pre(expected !== 'ambiguous');
          for (const order of [pinsets, [...pinsets].reverse()]) {
            const snapshot = new PinsetSnapshot(policy({ pinsets: order }));
            const selection = snapshot.select(subject, serverName);
            expect(selection.require).toEqual(expected.require);
            expect(selection.deny).toEqual(expected.deny);
            expect(snapshot.couldHostPinsetApply(subject)).toBe(
              pinsets.some(
                (p) => p.pins.length > 0 && p.match.addresses.length === 0 && matchFits(p.match, subject, 'any name'),
              ),
            );
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('looks at the same few matches however many hosts and networks there are', () => {
    const looksAmong = (many: number) => {
      const looks = { count: 0 };
      const ports = counting([[443, 443] as [number, number]], looks);
      const pinsets = Array.from({ length: many }, (_, i) => [
        named(`h${i}`, 2 * i, { hosts: [`host${i}.example.com`, `*.zone${i}.example.com`], ports }),
        named(`a${i}`, 2 * i + 1, { addresses: [range(`10.${i >> 8}.${i & 255}.0/24`)], ports }),
      ]).flat();
      const snapshot = new PinsetSnapshot(policy({ pinsets }));
      looks.count = 0;
      for (const i of [0, many - 1]) {
        const selection = snapshot.select(flow(`10.${i >> 8}.${i & 255}.7`), `x.zone${i}.example.com`);
        expect(selection.require.map(({ index }) => index)).toEqual([2 * i + 1, 2 * i]);
      }
      return looks.count;
    };
    expect(looksAmong(10)).toBeGreaterThan(0);
    expect(looksAmong(3_000)).toBe(looksAmong(10));
  });
});
