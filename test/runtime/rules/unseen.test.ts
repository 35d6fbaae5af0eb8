import { describe, expect, it } from 'vitest';

import { PINNED, pinset, policy } from '../../support/policy.ts';
/** As nft 1.0.6 prints what `tlspin rules --queue-udp` has put in place for POLICY. */
import RECORDED from './nft-ruleset.json' with { type: 'json' };
import { feedsOf, missingFeeds } from '../../../src/runtime/rules/feeds.ts';
import type { Family, Hook, Route } from '../../../src/runtime/rules/plan.ts';
import { renderRules } from '../../../src/runtime/rules/render.ts';
import { type Chain, iptablesChains, nftChains } from '../../../src/runtime/rules/ruleset.ts';

const POLICY = policy({
  pinsets: [pinset(0, { situations: { ...PINNED, tls13: 'probe' } })],
  ports: [
    [443, 443],
    [8000, 8080],
  ],
});

/** What is said of rules: `partial: …`, `bypassed: …`. */
function said(chains: readonly Chain[]): string[] {
  const { partial, bypassed } = missingFeeds({ chains }, feedsOf({ chains }, [0, 0]), POLICY, [0, 0]);
  return [...partial.map((text) => `partial: ${text}`), ...bypassed.map((text) => `bypassed: ${text}`)];
}

interface Line {
  readonly family: Family;
  readonly table: string;
  readonly text: string;
}

/** What the printed script leaves in the kernel: rules by table, in the words that `iptables-save` has for them. */
function applied(hook: Hook, route: Route, queueUdp: boolean): Line[] {
  const script = renderRules(POLICY, { hook, format: 'iptables', quic: true, queueUdp, queueBypass: false, route });
  const fills = [...script.matchAll(/^fill (\S+) (\S+) (\S+) '(.*)' <<'EOF'\n([^]*?)\nEOF$/gm)];
  return fills.flatMap(([, program, table, builtin, jump, rules]) =>
    [`-A ${builtin} ${jump}`, ...rules!.split('\n')].map((text) => ({
      family: program === 'iptables' ? 'ipv4' : 'ipv6',
      table: table!,
      text,
    })),
  );
}

function chainsOf(lines: readonly Line[]): Chain[] {
  return (['ipv4', 'ipv6'] as const).flatMap((family) => {
    const tables = [...new Set(lines.map(({ table }) => table))].map((table) => {
      const rules = lines.filter((line) => line.family === family && line.table === table).map(({ text }) => text);
      const built = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT'].map((name) => `:${name} ACCEPT [0:0]`);
      const own = rules.filter((text) => text.startsWith(':'));
      const asked = rules.filter((text) => text.startsWith('-A'));
      return [`*${table}`, ...built, ...own, ...asked, 'COMMIT'].join('\n');
    });
    return iptablesChains(tables.join('\n'), family);
  });
}

const KINDS = (['forward', 'local'] as const).flatMap((hook) =>
  (['verdict', 'packet-mark'] as const).flatMap((route) => [false, true].map((udp) => [hook, route, udp] as const)),
);

describe.each(KINDS)('rules for %s, route %s, UDP queued: %s', (hook, route, udp) => {
  const lines = applied(hook, route, udp);
  const [first] = lines.filter(
    ({ family, text }) => family === 'ipv4' && /^-A (FORWARD|OUTPUT) .*-j tlspin(-out)?$/.test(text),
  );

  it('send all that they have to', () => {
    expect(said(chainsOf(lines))).toEqual([]);
  });

  it('are missed one by one', () => {
    const unmissed = lines
      .filter(({ text }) => text.startsWith('-A'))
      .filter((gone) => said(chainsOf(lines.filter((line) => line !== gone))).length === 0)
      .map(({ text }) => text);
    expect(unmissed.filter((text) => !HARMLESS.test(text))).toEqual([]);
  });

  it.each([
    ['-j ACCEPT', 'partial'],
    ['-j RETURN', 'partial'],
    ['-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT', 'partial'],
    ['-p tcp -m multiport --ports 443 -j ACCEPT', 'partial'],
    ['-p tcp -m tcp --dport 443 -j ACCEPT', 'partial'],
    ['-p tcp -m tcp --sport 8443 -j ACCEPT', 'bypassed'],
    ['-m connmark --mark 0x0/0x3000000 -j RETURN', 'partial'],
    ['-m connmark --mark 0x1000000/0x1000000 -j RETURN', 'partial'],
    ['-p tcp -m tcp ! --tcp-flags SYN SYN -j RETURN', 'partial'],
    ['-m mark ! --mark 0x4000000/0x4000000 -j RETURN', 'partial'],
    ['-j NFQUEUE --queue-num 7', 'partial'],
    ['-s 198.51.100.7/32 -j ACCEPT', 'bypassed'],
    ['-i eth1 -j RETURN', 'bypassed'],
    ['-m mark --mark 0x1/0xff -j ACCEPT', 'bypassed'],
    ['-p tcp -m tcp --dport 443 -m set --match-set friends dst -j RETURN', 'bypassed'],
    ['-m connmark --mark 0x5/0xff -j ACCEPT', 'bypassed'],
    ['-j BYPASS', 'partial'],
    ['-s 198.51.100.7/32 -g BYPASS', 'bypassed'],
    ['-p tcp -m tcp --sport 22 -j ACCEPT', undefined],
    ['-p icmp -j ACCEPT', undefined],
    ['-p tcp -m tcp --dport 22 -j ACCEPT', undefined],
    ['-i lo -j ACCEPT', undefined],
    ['-m conntrack --ctstate INVALID -j DROP', undefined],
    ['-j LOG --log-prefix "-j ACCEPT"', undefined],
    ['-m mark --mark 0x4000001/0x4000001 -m connmark --mark 0x3000000/0x3000000 -j LOG', undefined],
  ])('with one ahead of them: %s', (rule, is) => {
    const builtin = first!.text.split(' ')[1]!;
    const ahead = [':BYPASS - [0:0]', '-A BYPASS -j ACCEPT', `-A ${builtin} ${rule}`].map((text) => ({
      ...first!,
      text,
    }));
    const all = lines.flatMap((line) => (line === first ? [...ahead, line] : [line]));
    expect(said(chainsOf(all)).map((text) => text.split(':')[0])).toEqual(is === undefined ? [] : [is]);
    if (is !== 'bypassed') return;
    expect(said(chainsOf(all))[0]).toContain(`of port 443`);
    expect(said(chainsOf(all))[0]).toContain(`by the rule ${rule}`);
  });

  it('where others mark packets between the guard and the queue', () => {
    if (route === 'verdict') return;
    const builtin = first!.text.split(' ')[1]!;
    const marking = (rule: string) =>
      said(chainsOf([...lines, { ...first!, table: 'filter', text: `-A ${builtin} ${rule}` }]));
    expect(marking('-j MARK --set-xmark 0xffffffff/0xffffffff')).toHaveLength(1);
    expect(marking('-s 192.0.2.7/32 -j MARK --set-xmark 0x4000000/0xffffffff')).toEqual([
      expect.stringContaining('by the rule -s 192.0.2.7'),
    ]);
    expect(marking('-j MARK --set-xmark 0x1/0xff')).toEqual([]);
    expect(marking('-j DROP')).toEqual([]);
  });
});

describe.each(['forward', 'local'] as const)('rules of nft for %s', (hook) => {
  const objects = (RECORDED[hook] as { nftables: NftObject[] }).nftables;
  const base = hook === 'forward' ? 'queue_forward' : 'queue_output';
  const chains = (all: readonly object[]) => nftChains(JSON.stringify({ nftables: all }));
  const at = objects.findIndex(({ rule }) => rule?.chain === base);
  const ahead = (...expr: object[]) =>
    chains([...objects.slice(0, at), { rule: { ...objects[at]!.rule, expr } }, ...objects.slice(at)]);

  it('send all that they have to', () => {
    expect(said(chains(objects))).toEqual([]);
  });

  it('are missed one by one', () => {
    const unmissed = objects.filter(
      (gone) => gone.rule && said(chains(objects.filter((each) => each !== gone))).length === 0,
    );
    const texts = unmissed.map(({ rule }) => `${rule!.chain} ${JSON.stringify(rule!.expr)}`);
    expect(texts.filter((text) => !HARMLESS_OF_NFT.test(text))).toEqual([]);
  });

  it.each([
    ['accepts', [{ accept: null }], 'partial'],
    [
      'accepts what is open',
      [{ match: { op: 'in', left: { ct: { key: 'state' } }, right: ['established', 'related'] } }, { accept: null }],
      'partial',
    ],
    [
      'accepts all but SYNs',
      [{ match: { op: '!=', left: { '&': [FLAGS, 'syn'] }, right: 'syn' } }, { accept: null }],
      'partial',
    ],
    [
      'accepts an address',
      [
        { match: { op: '==', left: { payload: { protocol: 'ip', field: 'daddr' } }, right: '192.0.2.7' } },
        { accept: null },
      ],
      'bypassed',
    ],
    [
      'accepts ports of a set',
      [
        { match: { op: '==', left: { payload: { protocol: 'tcp', field: 'dport' } }, right: '@web' } },
        { accept: null },
      ],
      'bypassed',
    ],
    [
      'picks a verdict from a map',
      [{ vmap: { key: { ct: { key: 'state' } }, data: { set: [['established', { accept: null }]] } } }],
      'bypassed',
    ],
    [
      'accepts by loopback',
      [{ match: { op: '==', left: { meta: { key: 'iif' } }, right: 'lo' } }, { accept: null }],
      undefined,
    ],
    [
      'accepts by loopback, and by another interface',
      [{ match: { op: '==', left: { meta: { key: 'iifname' } }, right: { set: ['lo', 'eth1'] } } }, { accept: null }],
      'bypassed',
    ],
    [
      'accepts SYNs, and what has one other flag alone',
      [{ match: { op: '==', left: FLAGS, right: { set: ['syn', 'rst'] } } }, { accept: null }],
      'bypassed',
    ],
    [
      'accepts UDP',
      [{ match: { op: '==', left: { meta: { key: 'l4proto' } }, right: 'udp' } }, { accept: null }],
      undefined,
    ],
    ['logs', [{ log: { prefix: 'accept' } }], undefined],
  ])('with one ahead of them that %s', (_, expr, is) => {
    expect([...new Set(said(ahead(...expr)).map((text) => text.split(':')[0]))]).toEqual(is === undefined ? [] : [is]);
  });

  it('that sleep are none', () => {
    const name = hook === 'forward' ? 'tlspin' : 'tlspin_local';
    const asleep = objects.map((each) =>
      'table' in each ? { table: { family: 'inet', name, flags: ['dormant'] } } : each,
    );
    expect(said(chains(asleep))).toEqual(['partial: IPv4', 'partial: IPv6']);
  });
});

interface NftObject {
  readonly rule?: { readonly chain: string; readonly expr: readonly object[] };
}

const FLAGS = { payload: { protocol: 'tcp', field: 'flags' } };

/**
 * Without it more comes to the queue than has to, or its packets are dropped otherwise, or UDP is guarded elsewhere; or it is
 * for probes over bridges, whose status tells of it.
 */
const HARMLESS =
  /--ctstate|--mark \S+ -j (RETURN|DROP)|-j LOG|-j CONNMARK|-(flow|told)\S* -j MARK|-m u32|-g tlspin-(udp-)?told|tlspin-(bridge|quic|udp-refuse|udp-deny|udp-guard)/;
/** Also what begins elsewhere and ends here: that is not what rules of a host's own connections are for. */
const HARMLESS_OF_NFT =
  /"key":"state"|"key":"mark".*(return|drop|"told|"mangle")|"mangle"|"base":"th"|^(quic|datagram_refusals)|goto":\{"target":"datagram_refusals|_input .*"dport"|_output .*"sport"/;
