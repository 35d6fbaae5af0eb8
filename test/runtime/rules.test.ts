import { describe, expect, it } from 'vitest';

import type { AddressRange } from '../../src/pins/policy.ts';
import { renderBeside, renderRemoval, renderRules } from '../../src/runtime/rules/render.ts';
import type { RulesOptions } from '../../src/runtime/rules/render.ts';
import { match, PINNED, pinset as pinsetAt, policy as policyOf } from '../support/policy.ts';
import type { CompiledPinset, Policy, Situations } from '../../src/pins/policy.ts';

const pinset = (fields: Partial<CompiledPinset> = {}): CompiledPinset =>
  pinsetAt(0, { match: match({ hosts: ['www.bank.example'] }), ...fields });
const policy = (fields: Partial<Policy> = {}): Policy => policyOf({ pinsets: [pinset()], ...fields });
const situations = (fields: Partial<Situations>): Situations => ({ ...PINNED, ...fields });

const FORWARD: RulesOptions = { hook: 'forward', format: 'iptables', quic: true, queueBypass: false };
const ON_443 = '-p udp -m multiport --dports 443';
const LOCAL: RulesOptions = { ...FORWARD, hook: 'local' };

const range = (text: string): AddressRange => {
  const [address = '', prefix = ''] = text.split('/');
  const octets = address.includes(':')
    ? Buffer.from(
        address
          .split(':')
          .map((word) => word.padStart(4, '0'))
          .join(''),
        'hex',
      )
    : address.split('.').map(Number);
  return { address: Uint8Array.from(octets), prefix: Number(prefix) };
};

/** The lines of one own chain, without the `-A CHAIN`; of the IPv4 half unless told otherwise. */
function chain(script: string, name: string, family: 'iptables' | 'ip6tables' = 'iptables'): string[] {
  const [ipv4 = '', ipv6 = ''] = script.split('# IPv6');
  return (family === 'iptables' ? ipv4 : ipv6)
    .split('\n')
    .filter((line) => line.startsWith(`-A ${name} `))
    .map((line) => line.slice(`-A ${name} `.length));
}

describe('the iptables script', () => {
  it('sends packets with a pinned port on either side to the queue, in the order that no mark can evade', () => {
    const script = renderRules(policy(), FORWARD);
    expect(chain(script, 'tlspin')).toEqual(['-p tcp -m multiport --ports 443 -g tlspin-flow']);
    expect(chain(script, 'tlspin-flow')).toEqual([
      '-m mark --mark 0x4000000/0x4000000 -g tlspin-told',
      '-m conntrack --ctstate INVALID -j DROP',
      '-m conntrack --ctstate UNTRACKED -m limit --limit 6/min -j LOG --log-prefix "tlspin: untracked: "',
      '-m conntrack --ctstate UNTRACKED -j DROP',
      '-j MARK --set-xmark 0x0/0x3000000',
      '-p tcp -m tcp --tcp-flags SYN SYN -g tlspin-ask',
      '-m connmark --mark 0x2000000/0x3000000 -j DROP',
      '-m connmark --mark 0x1000000/0x3000000 -j RETURN',
      '-g tlspin-ask',
    ]);
    expect(chain(script, 'tlspin-ask')).toEqual([
      '-j CONNMARK --restore-mark --nfmask 0x3000000 --ctmask 0x3000000',
      '-j NFQUEUE --queue-num 0',
    ]);
  });

  it('says the same for IPv6', () => {
    const script = renderRules(policy(), FORWARD);
    for (const name of ['tlspin', 'tlspin-flow', 'tlspin-told', 'tlspin-ask', 'tlspin-guard'])
      expect(chain(script, name, 'ip6tables')).toEqual(chain(script, name));
  });

  it('saves what a verdict says where the packet was queued, and lets no packet leave with it', () => {
    const script = renderRules(policy(), FORWARD);
    expect(chain(script, 'tlspin-told')).toEqual([
      '-j CONNMARK --save-mark --nfmask 0x3000000 --ctmask 0x3000000',
      '-j MARK --set-xmark 0x0/0x7000000',
    ]);
    expect(script).not.toMatch(/^fill \S+ \S+ POSTROUTING/m);
  });

  it.each([
    [FORWARD, 'mangle FORWARD', '-p tcp -j tlspin-guard', 'tlspin-guard'],
    [LOCAL, 'mangle OUTPUT', '-p tcp -j tlspin-guard-out', 'tlspin-guard-out'],
    [{ ...LOCAL, queueUdp: true }, 'raw OUTPUT', '-p udp -j tlspin-udp-guard-out', 'tlspin-udp-guard-out'],
  ])('believes no packet that has not been in the queue: %o', (options, place, jump, name) => {
    const script = renderRules(policy(), options);
    expect(script).toContain(`fill iptables ${place} '${jump}'`);
    expect(chain(script, name)).toEqual(['-m mark --mark 0x4000000/0x4000000 -j MARK --set-xmark 0x0/0x4000000']);
  });

  it('touches no packet mark where the verdict carries the connmark', () => {
    const connmark = { ...policy().connmark, route: 'verdict' as const };
    for (const script of [
      renderRules(policy({ connmark }), FORWARD),
      renderRules(policy(), { ...FORWARD, route: 'verdict' }),
    ]) {
      expect(script).not.toContain('--restore-mark');
      expect(script).not.toContain('--save-mark');
      expect(script).not.toContain('--set-xmark');
      expect(chain(script, 'tlspin-flow').at(-1)).toBe('-j NFQUEUE --queue-num 0');
    }
  });

  it('has the mark bits of the configuration', () => {
    const connmark = { mask: 0x3, accept: 0x1, deny: 0x2, pending: 0x3, told: 0x4, route: 'packet-mark' as const };
    const script = renderRules(policy({ connmark }), FORWARD);
    expect(script).toContain('-m connmark --mark 0x2/0x3 -j DROP');
    expect(script).toContain('--restore-mark --nfmask 0x3 --ctmask 0x3');
    expect(script).toContain('-m mark --mark 0x4/0x4 -g tlspin-told');
    expect(script).not.toContain('3000000');
  });

  it('carries the bits that verdicts add along with the states', () => {
    const onMatch = { action: 'accept', connmark: { value: 0x12, mask: 0xff } } as const;
    const marked = policy({ pinsets: [pinset({ onMatch })] });
    const script = renderRules(marked, FORWARD);
    expect(script).toContain('--restore-mark --nfmask 0x30000ff --ctmask 0x30000ff');
    expect(script).toContain('--save-mark --nfmask 0x30000ff --ctmask 0x30000ff');
    expect(script).toContain('-m connmark --mark 0x1000000/0x3000000 -j RETURN');
    const text = renderRules(marked, { ...FORWARD, format: 'nft' });
    expect(text).toContain('meta mark & 0x3000000 != 0x0 meta mark & 0x80 != 0x0 ct mark set ct mark | 0x80');
  });

  it('balances over several queues by the symmetric hash and never by CPU', () => {
    const script = renderRules(policy({ queues: [4, 7] }), FORWARD);
    expect(script).toContain('-j NFQUEUE --queue-balance 4:7\n');
    expect(script).not.toContain('cpu-fanout');
  });

  it('drops what no engine takes, unless told to let it pass', () => {
    expect(renderRules(policy({ failOpen: true }), FORWARD)).not.toContain('--queue-bypass');
    expect(chain(renderRules(policy(), { ...FORWARD, queueBypass: true }), 'tlspin-ask').at(-1)).toBe(
      '-j NFQUEUE --queue-num 0 --queue-bypass',
    );
  });

  it('groups ports by fifteen, a range counting as two', () => {
    const singles = Array.from({ length: 14 }, (_, at) => [100 + 2 * at, 100 + 2 * at] as const);
    const ports = [...singles, [8443, 8449], [993, 993]] as const;
    const groups = chain(renderRules(policy({ ports }), FORWARD), 'tlspin');
    expect(groups).toHaveLength(2);
    expect(groups[0]).toContain(',126,993 -g');
    expect(groups[1]).toBe('-p tcp -m multiport --ports 8443:8449 -g tlspin-flow');
  });

  it('joins ports that overlap', () => {
    const ports = [
      [443, 443],
      [400, 450],
      [451, 460],
      [443, 443],
    ] as const;
    expect(chain(renderRules(policy({ ports }), FORWARD), 'tlspin')).toEqual([
      '-p tcp -m multiport --ports 400:460 -g tlspin-flow',
    ]);
  });

  it('queues own flows behind their DNAT and leaves loopback alone', () => {
    const script = renderRules(policy(), LOCAL);
    expect(script).toContain("fill iptables security OUTPUT '-p tcp -m addrtype ! --dst-type LOCAL -j tlspin-out'");
    expect(script).toContain("fill iptables mangle INPUT '-p tcp ! -i lo -j tlspin-in'");
    const forwarded = chain(renderRules(policy(), FORWARD), 'tlspin-flow');
    for (const side of ['out', 'in']) {
      const own = forwarded.map((rule) => rule.replace(/tlspin-(told|ask)/, `$&-${side}`));
      expect(chain(script, `tlspin-flow-${side}`)).toEqual(own);
    }
  });

  it('spares what is open before its first rule, unless told to leave that to "midstream"', () => {
    const script = renderRules(policy(), { ...FORWARD, queueUdp: true });
    const spares = [...script.matchAll(/^spare .*$/gm)].map(([line]) => line);
    expect(spares).toEqual([
      "spare ipv4 tcp 0x1000000/0x3000000 iptables security FORWARD '-p tcp -j tlspin'",
      "spare ipv4 udp 0x1000000/0x3000000 iptables mangle FORWARD '-p udp -j tlspin-udp'",
      "spare ipv6 tcp 0x1000000/0x3000000 ip6tables security FORWARD '-p tcp -j tlspin'",
      "spare ipv6 udp 0x1000000/0x3000000 ip6tables mangle FORWARD '-p udp -j tlspin-udp'",
    ]);
    expect(script.indexOf('\nspare ipv4')).toBeLessThan(script.indexOf('\nfill iptables'));
    expect(renderRules(policy(), { ...FORWARD, established: 'midstream' })).not.toMatch(/spare|conntrack -U/);
    const nft = renderRules(policy(), { ...FORWARD, format: 'nft' });
    expect(nft).toMatch(/^# Once, .*: conntrack -U -f ipv4 -p tcp -m 0x1000000\/0x3000000; conntrack -U -f ipv6 /m);
  });

  it('stops where conntrack accepts segments outside of the window', () => {
    expect(renderRules(policy(), FORWARD)).toContain('nf_conntrack_tcp_be_liberal');
  });
});

describe('probes', () => {
  const PROBE_BIT = /0x400000\b/;
  const asking = situations({ tls13: 'probe' });
  const probing = (fields: Partial<Policy> = {}) => policy({ pinsets: [pinset({ situations: asking })], ...fields });

  it('go by in both directions, ahead of the queue; who begins a connection says whose it is', () => {
    const script = renderRules(probing(), LOCAL);
    const [out, into] = [chain(script, 'tlspin-flow-out'), chain(script, 'tlspin-flow-in')];
    expect(out.slice(3, 8)).toEqual([
      '-m conntrack --ctstate UNTRACKED -j DROP',
      '-p tcp -m tcp --tcp-flags SYN SYN -j CONNMARK --set-xmark 0x0/0x400000',
      '-p tcp -m tcp --tcp-flags SYN,ACK SYN -m mark --mark 0x400000/0x7400000 -j CONNMARK --set-xmark 0x400000/0x400000',
      '-m connmark --mark 0x400000/0x400000 -j RETURN',
      '-j MARK --set-xmark 0x0/0x3000000',
    ]);
    expect(into.slice(3, 6)).toEqual([
      '-m conntrack --ctstate UNTRACKED -j DROP',
      '-p tcp -m tcp ! --tcp-flags SYN,ACK SYN -m connmark --mark 0x400000/0x400000 -j RETURN',
      '-j MARK --set-xmark 0x0/0x3000000',
    ]);
    expect(chain(script, 'tlspin-flow-out', 'ip6tables')).toEqual(out);
    expect(chain(script, 'tlspin-flow-in', 'ip6tables')).toEqual(into);
  });

  it('have the mark of the configuration', () => {
    const script = renderRules(probing({ probe: { ...policy().probe, mark: 0x8 } }), LOCAL);
    expect(script).toContain('-m connmark --mark 0x8/0x8 -j RETURN');
    expect(script).not.toMatch(PROBE_BIT);
  });

  // Whoever marked a packet that is forwarded, it was no probe's socket.
  it.each(['iptables', 'nft'] as const)('are never forwarded: no mark lets a forwarded packet by (%s)', (format) => {
    const text = renderRules(probing(), { ...FORWARD, format });
    const lines = text.split('\n').filter((line) => PROBE_BIT.test(line));
    // What comes by a device of the engine's is told by it where its source is asked for.
    expect(new Set(lines.map((line) => line.trim()))).toEqual(
      new Set(
        format === 'nft'
          ? ['iifname "tlspin0" meta l4proto tcp meta mark set meta mark | 0x400000']
          : ['-A tlspin-bridge-in -j MARK --set-xmark 0x400000/0x400000'],
      ),
    );
  });

  it.each<[string, Partial<Policy>, boolean]>([
    [
      'a session that nobody knows leads to one',
      { pinsets: [pinset({ situations: situations({ resumed: 'bound-else-probe' }) })] },
      true,
    ],
    [
      'a key log may leave one to be made',
      { pinsets: [pinset({ situations: situations({ tls13: 'keylog-else-probe' }) })] },
      true,
    ],
    ['a flow that might be pinned leads to one', { pinned: situations({ tls13: 'probe-else-accept' }) }, true],
    ['unpinned flows lead to one', { pinsets: [], unpinned: asking }, true],
    ['nothing leads to one', {}, false],
    ['nothing is pinned', { pinsets: [], pinned: asking }, false],
    ['only deny lists are in that situation', { pinsets: [pinset({ pins: [], situations: asking })] }, false],
  ])('have rules only where there are probes: %s', (_, fields, has) => {
    for (const format of ['iptables', 'nft'] as const) {
      expect(renderRules(policy(fields), { ...LOCAL, format }).search(PROBE_BIT) !== -1).toBe(has);
    }
  });

  describe('that take a bridge', () => {
    it('are known by their device alone, whatever they leave with, and marked where a source is asked for', () => {
      for (const source of ['gateway', 'auto'] as const) {
        const script = renderRules(probing({ probe: { ...policy().probe, source } }), FORWARD);
        for (const family of ['iptables', 'ip6tables'] as const) {
          expect(chain(script, 'tlspin-bridge-in', family)).toEqual(['-j MARK --set-xmark 0x400000/0x400000']);
          expect(chain(script, 'tlspin-bridge-leave', family)).toEqual(['-j NFQUEUE --queue-num 0']);
          expect(chain(script, 'tlspin-bridge-come', family)).toEqual(['-j NFQUEUE --queue-num 0']);
        }
        expect(script).toContain("mangle PREROUTING '-p tcp -i tlspin0 -j tlspin-bridge-in'");
        expect(script).toContain("security OUTPUT '-p tcp -o tlspin0 -j tlspin-bridge-leave'");
        expect(script).toContain("mangle INPUT '-p tcp -i tlspin0 -j tlspin-bridge-come'");
      }
    });

    it('have the same by nft', () => {
      const text = renderRules(probing(), { ...FORWARD, format: 'nft' });
      const rules = (name: string) => text.slice(text.indexOf(`chain ${name} `)).split('}')[0]!;
      expect(rules('bridge_prerouting')).toContain('iifname "tlspin0" meta l4proto tcp meta mark set');
      expect(rules('bridge_leave')).toMatch(
        /hook output priority 40; .*\n *oifname "tlspin0" .* counter queue num 0\n/,
      );
      expect(rules('bridge_come')).toMatch(/hook input priority 40; .*\n *iifname "tlspin0" .* counter queue num 0\n/);
    });

    it('have none where no server is asked, or of this host’s own connections', () => {
      for (const text of [renderRules(policy(), FORWARD), renderRules(probing(), LOCAL)]) {
        expect(text).not.toMatch(/^(:|-A )\S*bridge|fill .*bridge/m);
      }
      expect(renderRules(policy(), { ...FORWARD, format: 'nft' })).not.toContain('bridge_');
    });

    it('leave nothing behind: what the engine has led to its device goes with the rules, and not with new ones', () => {
      for (const text of [renderRemoval('forward', 'iptables'), renderBeside(undefined, 'forward', 'nft')!]) {
        expect(text).toMatch(/^unbridge -4$/m);
        expect(text).toMatch(/^unbridge -6$/m);
      }
      expect(renderRules(probing(), FORWARD)).not.toContain('unbridge');
      expect(renderRemoval('local', 'iptables')).not.toContain('unbridge');
    });

    it('are there, too, where pinsets come from elsewhere later', () => {
      const text = renderRules(policy({ pinsets: [], fleet: {} as never }), FORWARD);
      expect(chain(text, 'tlspin-bridge-leave')).toHaveLength(1);
    });
  });

  describe('that leave with their clients’ addresses', () => {
    const asClients = (source: 'auto' | 'client' | 'gateway' = 'auto') =>
      probing({ probe: { ...policy().probe, source } });

    it('are known by their connection, whose answers are marked ahead of their way', () => {
      const script = renderRules(asClients(), FORWARD);
      for (const family of ['iptables', 'ip6tables'] as const) {
        expect(chain(script, 'tlspin-probe-out', family)).toEqual([
          '-p tcp -m tcp --tcp-flags SYN,ACK SYN -m mark ! --mark 0x400000/0x400000 -j CONNMARK --set-xmark 0x0/0x400000',
          '-p tcp -m tcp --tcp-flags SYN,ACK SYN -m conntrack --ctstate NEW -m mark --mark 0x400000/0x7400000 -j CONNMARK --set-xmark 0x400000/0x400000',
        ]);
        expect(chain(script, 'tlspin-probe-in', family)).toEqual([
          '-p tcp -m tcp --tcp-flags SYN,ACK SYN -m conntrack --ctdir ORIGINAL -j CONNMARK --set-xmark 0x0/0x400000',
          '-m conntrack --ctdir REPLY -m connmark --mark 0x400000/0x400000 -j MARK --set-xmark 0x400000/0x400000',
        ]);
      }
      for (const name of ['tlspin-probe-leave', 'tlspin-probe-come']) {
        expect(chain(script, name)).toEqual(['-m connmark --mark 0x400000/0x400000 -j NFQUEUE --queue-num 0']);
      }
      expect(script).toContain("security OUTPUT '-p tcp -m addrtype ! --src-type LOCAL -j tlspin-probe-leave'");
      expect(script).toContain("mangle INPUT '-p tcp -m addrtype ! --dst-type LOCAL -j tlspin-probe-come'");
      expect(script).toMatch(/^way -4 0x400000\/0x400000$/m);
      expect(script).toMatch(/^way -6 0x400000\/0x400000$/m);
    });

    it('have no mark in what is forwarded, and nothing where none leaves so, or by this host itself', () => {
      const script = renderRules(asClients(), FORWARD);
      expect(chain(script, 'tlspin-flow').join('\n')).not.toMatch(PROBE_BIT);
      for (const other of [renderRules(asClients('gateway'), FORWARD), renderRules(policy(), FORWARD)]) {
        expect(other).not.toMatch(/--mark 0x400000\b|CONNMARK .*0x400000\b|fwmark 0x/);
        expect(other).toMatch(/^way -4 ''$/m);
        expect(other).toContain("remove iptables mangle PREROUTING '-p tcp -j tlspin-probe-in' tlspin-probe-in");
      }
      expect(renderRules(asClients(), LOCAL)).not.toContain('tlspin-probe');
      expect(renderRemoval('forward', 'iptables')).toMatch(/^way -6 ''$/m);
    });

    it('have the same by nft, and beside it what nft cannot do', () => {
      const text = renderRules(asClients(), { ...FORWARD, format: 'nft' });
      const rules = (name: string) => text.slice(text.indexOf(`chain ${name} `)).split('}')[0]!;
      expect(rules('probe_prerouting')).toMatch(
        /prerouting priority -149; policy accept;\n *tcp flags & \(syn \| ack\) == syn ct direction original ct mark set ct mark & 0xffbfffff\n *meta l4proto tcp ct direction reply ct mark & 0x400000 == 0x400000 meta mark set meta mark \| 0x400000\n/,
      );
      expect(rules('probe_output')).toMatch(
        /syn meta mark & 0x400000 != 0x400000 ct mark set ct mark & 0xffbfffff\n *tcp flags & \(syn \| ack\) == syn ct state new meta mark & 0x7400000 == 0x400000 ct mark set ct mark \| 0x400000\n/,
      );
      expect(rules('probe_leave')).toMatch(
        /output priority 40; policy accept;\n *meta l4proto tcp oifname != "tlspin0" fib saddr type != local ct mark & 0x400000 == 0x400000 counter queue num 0\n/,
      );
      expect(rules('probe_come')).toMatch(
        /input priority 40; .*\n *meta l4proto tcp iifname != "tlspin0" fib daddr type != local ct mark/,
      );
      expect(text).toContain('#   ip -6 rule add pref 65 fwmark 0x400000/0x400000 lookup 7468\n');
      expect(renderBeside(asClients(), 'forward', 'nft')).toMatch(/^way -4 0x400000\/0x400000$/m);
      expect(renderBeside(asClients('gateway'), 'forward', 'nft')).toMatch(/^way -4 ''$/m);
      expect(renderBeside(undefined, 'either', 'nft')).toMatch(/^way -6 ''$/m);
      expect(renderBeside(asClients(), 'local', 'nft')).toBeUndefined();
      expect(renderBeside(asClients(), 'forward', 'iptables')).toBeUndefined();
    });
  });

  it('go by in nft as well', () => {
    const text = renderRules(probing(), { ...LOCAL, format: 'nft' });
    const flows = (hook: string) => text.slice(text.indexOf(`chain flows_${hook} `)).split('}')[0]!;
    expect(flows('output')).toMatch(
      /untracked drop\n *tcp flags & syn == syn ct mark set ct mark & 0xffbfffff\n *tcp flags & \(syn \| ack\) == syn meta mark & 0x7400000 == 0x400000 ct mark set ct mark \| 0x400000\n *ct mark & 0x400000 == 0x400000 return\n/,
    );
    expect(flows('input')).toMatch(
      /untracked drop\n *tcp flags & \(syn \| ack\) != syn ct mark & 0x400000 == 0x400000 return\n/,
    );
  });
});

describe('QUIC', () => {
  it('is refused to hosts that are enforced once they are learned, not while they only are', () => {
    const learning = { pins: [], mode: 'learn' as const, match: match({ hosts: ['a.example'] }) };
    expect(quicOf({ pinsets: [pinset({ ...learning, then: 'enforce' })] })).toHaveLength(1);
    expect(quicOf({ pinsets: [pinset(learning)] })).toEqual([]);
  });

  const quicOf = (fields: Parameters<typeof policy>[0], family?: 'ip6tables') =>
    chain(renderRules(policy(fields), FORWARD), 'tlspin-quic', family);

  it('is refused to everybody while a host pinset names no clients', () => {
    expect(quicOf({})).toEqual([`${ON_443} -j REJECT --reject-with icmp-port-unreachable`]);
    expect(quicOf({}, 'ip6tables')).toEqual([`${ON_443} -j REJECT --reject-with icmp6-port-unreachable`]);
  });

  it('is refused only to the clients that a host pinset names, each in its family', () => {
    const clients = [range('10.1.0.0/16'), range('fd00:1:0:0:0:0:0:0/32')];
    const pinsets = [pinset({ match: match({ hosts: ['a.example'], clients }) })];
    expect(quicOf({ pinsets })).toEqual([`-s 10.1.0.0/16 ${ON_443} -j REJECT --reject-with icmp-port-unreachable`]);
    expect(quicOf({ pinsets }, 'ip6tables')).toEqual([
      `-s fd00:1::/32 ${ON_443} -j REJECT --reject-with icmp6-port-unreachable`,
    ]);
  });

  it('is refused towards the addresses of an address pinset only', () => {
    const pinsets = [pinset({ match: match({ addresses: [range('192.0.2.7/32')] }) })];
    expect(quicOf({ pinsets })).toEqual([`-d 192.0.2.7/32 ${ON_443} -j REJECT --reject-with icmp-port-unreachable`]);
    expect(quicOf({ pinsets }, 'ip6tables')).toEqual([]);
  });

  it.each([
    ['the pinset accepts it', pinset({ situations: situations({ quic: 'accept' }) })],
    ['the pinset only reports', pinset({ mode: 'report-only' })],
    ['the pinset only denies', pinset({ pins: [] })],
  ])('is left alone where %s', (_, only) => {
    const script = renderRules(policy({ pinsets: [only] }), FORWARD);
    expect(script).not.toContain('REJECT');
    expect(script).toContain("remove iptables filter FORWARD '-p udp -j tlspin-quic' tlspin-quic");
  });

  it('is refused on every port that a pinset is for, whichever that is', () => {
    const bank = pinset({ match: match({ hosts: ['a.example'], ports: [[8443, 8443]] }) });
    const shop = pinsetAt(1, {
      match: match({
        hosts: ['b.example'],
        ports: [
          [9000, 9010],
          [8443, 8443],
        ],
      }),
    });
    const fields = {
      pinsets: [bank, shop],
      ports: [
        [443, 443],
        [8443, 8443],
        [9000, 9010],
      ] as const,
    };
    expect(quicOf(fields)).toEqual([
      '-p udp -m multiport --dports 8443 -j REJECT --reject-with icmp-port-unreachable',
      '-p udp -m multiport --dports 8443,9000:9010 -j REJECT --reject-with icmp-port-unreachable',
    ]);
    // Without ports of its own, on all that are looked at.
    expect(quicOf({ ...fields, pinsets: [bank, pinsetAt(1, { match: match({ hosts: ['b.example'] }) })] })).toContain(
      '-p udp -m multiport --dports 443,8443,9000:9010 -j REJECT --reject-with icmp-port-unreachable',
    );
    const nft = renderRules(policy(fields), { ...FORWARD, format: 'nft' });
    expect(nft).toContain('udp dport { 8443, 9000-9010 } reject with icmpx type port-unreachable');
    expect(nft).not.toContain('udp dport { 443');
  });

  it('is refused on more ports than one match takes', () => {
    const ports = Array.from({ length: 20 }, (_, i) => [8000 + 2 * i, 8000 + 2 * i] as const);
    expect(quicOf({ pinsets: [pinset({ match: match({ hosts: ['a.example'], ports }) })] })).toHaveLength(2);
  });

  it('is left alone when told so', () => {
    expect(renderRules(policy(), { ...FORWARD, quic: false })).not.toContain('REJECT');
  });

  it('is dropped where the situation says drop', () => {
    expect(quicOf({ pinsets: [pinset({ situations: situations({ quic: 'drop' }) })] })).toEqual([`${ON_443} -j DROP`]);
  });

  it('is refused where pinsets come from a fleet, or signed, later', () => {
    const fleet = { name: 'office' } as Policy['fleet'];
    const pins = { url: 'https://pins.example.org/office.json' } as Policy['pins'];
    for (const elsewhere of [{ fleet }, { pins }]) {
      expect(quicOf({ pinsets: [], ...elsewhere })).toEqual([
        `${ON_443} -j REJECT --reject-with icmp-port-unreachable`,
      ]);
      expect(quicOf(elsewhere)).toHaveLength(1);
    }
    expect(quicOf({ pinsets: [] })).toEqual([]);
  });

  it('follows the situation of unpinned flows where that is stricter', () => {
    expect(quicOf({ pinsets: [], unpinned: situations({ quic: 'reject' }) })).toEqual([
      `${ON_443} -j REJECT --reject-with icmp-port-unreachable`,
    ]);
  });
});

describe('the removal', () => {
  it.each(['forward', 'local'] as const)('names every chain and jump that the rules of hook %s make', (hook) => {
    const script = renderRules(policy(), { ...FORWARD, hook });
    const removal = renderRemoval(hook, 'iptables');
    const retired = [...removal.matchAll(/^remove .*-j tlspin(?:-udp)?-save.*$/gm)].map(([line]) => line);
    expect(retired).toHaveLength(hook === 'forward' ? 4 : 8);
    for (const line of retired) expect(script).toContain(line);
    const filled = [...script.matchAll(/^fill (\S+ \S+ \S+ '[^']+')/gm)].map((found) => found[1]);
    expect(filled).toHaveLength(hook === 'forward' ? 6 : 8);
    for (const jump of filled) expect(removal).toContain(`remove ${jump} `);
    const chains = new Set([...script.matchAll(/^:(\S+) - /gm)].map((found) => found[1]));
    for (const name of chains) expect(removal).toMatch(new RegExp(`' (.* )?${name}( |$)`, 'm'));
  });
});

describe('the nft file', () => {
  it('replaces its own table in one transaction', () => {
    const text = renderRules(policy(), { ...FORWARD, format: 'nft' });
    expect(text).toContain('table inet tlspin\ndelete table inet tlspin\ntable inet tlspin {\n');
  });

  it('asks in the same order as the script', () => {
    const text = renderRules(policy({ queues: [0, 3] }), { ...FORWARD, format: 'nft' });
    const flows = text.slice(text.indexOf('chain flows'), text.indexOf('}', text.indexOf('chain flows')));
    const order = [
      'ct state invalid drop',
      'ct state untracked drop',
      'meta mark set meta mark & 0xfcffffff',
      'tcp flags & syn == syn goto ask',
    ]
      .concat('ct mark & 0x3000000 == 0x2000000 drop', 'ct mark & 0x3000000 == 0x1000000 return', '\n    goto ask')
      .map((rule) => flows.indexOf(rule));
    expect(flows).toContain('{\n    meta mark & 0x4000000 == 0x4000000 goto told\n');
    expect(text).toMatch(
      /chain ask \{\n(    ct mark & 0x3000000 == .* meta mark set .*\n){4}    counter queue num 0-3\n/,
    );
    expect(text).toMatch(
      /chain told \{\n(    meta mark & .* ct mark set .*\n){3}    meta mark set meta mark & 0xf8ffffff\n/,
    );
    expect(text).toMatch(
      /chain guard_forward \{\n.* priority -11; .*\n    meta mark & 0x4000000 == 0x4000000 meta mark set/,
    );
    expect(order).not.toContain(-1);
    expect(order).toEqual([...order].sort((a, b) => a - b));
  });

  it('removes exactly its table', () => {
    expect(renderRemoval('local', 'nft')).toContain('table inet tlspin_local\ndelete table inet tlspin_local\n');
  });
});

describe('with --queue-udp', () => {
  const queued = (fields: Partial<RulesOptions> = {}) =>
    renderRules(policy(), { ...FORWARD, queueUdp: true, ...fields });

  it('datagrams of the same ports go to the queue, what begins a connection whatever the mark', () => {
    expect(chain(queued(), 'tlspin-udp')).toEqual(['-p udp -m multiport --ports 443 -g tlspin-udp-flow']);
    expect(chain(queued(), 'tlspin-udp-flow')[0]).toBe('-m mark --mark 0x4000000/0x4000000 -g tlspin-udp-told');
    expect(chain(queued(), 'tlspin-udp-flow').slice(4)).toEqual([
      '-j MARK --set-xmark 0x0/0x3000000',
      '-m u32 --u32 "0>>22&0x3C@8>>31=1" -g tlspin-udp-ask',
      '-m u32 --u32 "0>>22&0x3C@8>>24=22&&0>>22&0x3C@11>>16=0" -g tlspin-udp-ask',
      '-m connmark --mark 0x2000000/0x3000000 -j RETURN',
      '-m connmark --mark 0x1000000/0x3000000 -j RETURN',
      '-g tlspin-udp-ask',
    ]);
    expect(chain(queued(), 'tlspin-udp-ask')).toEqual(chain(queued(), 'tlspin-ask'));
    expect(chain(queued(), 'tlspin-udp-told')).toEqual(chain(queued(), 'tlspin-told'));
    expect(chain(queued(), 'tlspin-udp-flow', 'ip6tables')[5]).toBe('-m u32 --u32 "48>>31=1" -g tlspin-udp-ask');
  });

  it('filter, which comes behind, tells whoever sent what the engine has marked', () => {
    expect(chain(queued(), 'tlspin-udp-deny')).toEqual([
      '-m connmark --mark 0x2000000/0x3000000 -m conntrack --ctdir ORIGINAL -j REJECT --reject-with icmp-port-unreachable',
      '-m connmark --mark 0x2000000/0x3000000 -j DROP',
    ]);
    expect(chain(queued(), 'tlspin-udp-deny', 'ip6tables')[0]).toMatch(/icmp6-port-unreachable$/);
    expect(chain(queued({ route: 'verdict' }), 'tlspin-udp-deny')).toEqual(chain(queued(), 'tlspin-udp-deny'));
  });

  it('nobody’s QUIC is rejected unseen', () => {
    expect(chain(renderRules(policy(), FORWARD), 'tlspin-quic')).toHaveLength(1);
    expect(chain(queued(), 'tlspin-quic')).toEqual([]);
    expect(chain(renderRules(policy(), FORWARD), 'tlspin-udp')).toEqual([]);
  });

  it('of the host itself, what is denied on its way in ends there', () => {
    for (const name of ['tlspin-udp-flow-in', 'tlspin-udp-told-in']) {
      expect(chain(queued({ hook: 'local' }), name)).toContain('-m connmark --mark 0x2000000/0x3000000 -j DROP');
    }
    expect(queued({ hook: 'local' })).toContain(
      "mangle OUTPUT '-p udp -m addrtype ! --dst-type LOCAL -j tlspin-udp-out'",
    );
  });

  it('is removed with the rest, also by rules without it', () => {
    for (const text of [renderRemoval('forward', 'iptables'), renderRules(policy(), FORWARD)]) {
      for (const [table, jump] of [
        ['mangle FORWARD', 'tlspin-udp'],
        ['filter FORWARD', 'tlspin-udp-refuse'],
      ])
        expect(text).toContain(`remove iptables ${table} '-p udp -j ${jump}'`);
    }
  });

  it('nft has the same', () => {
    const text = queued({ format: 'nft' });
    for (const line of [
      'type filter hook forward priority -10; policy accept;',
      'udp dport { 443 } goto datagrams_forward',
      '@th,64,1 1 goto ask',
      '@th,64,8 22 @th,88,16 0 goto ask',
      'ct mark & 0x3000000 == 0x2000000 ct direction original reject with icmpx type port-unreachable',
    ])
      expect(text).toContain(`    ${line}\n`);
    expect(text).not.toContain('chain quic');
  });
});
