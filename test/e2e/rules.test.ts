/** What the printed rules do in a real kernel, whatever the engine is: a stub holds the queue. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { renderRemoval, renderRules } from '../../src/runtime/rules/render.ts';
import type { RulesOptions } from '../../src/runtime/rules/render.ts';
import { Lab } from '../support/lab/lab.ts';
import { MARK, QueueStub } from '../support/lab/queue-stub.ts';
import { match, pinset, PINNED as SITUATIONS, policy } from '../support/policy.ts';

const PINNED = policy({ pinsets: [pinset(0, { match: match({ hosts: ['www.bank.example'] }) })] });
const onMatch = { action: 'accept', connmark: { value: 0x12, mask: 0xff } } as const;
const PROBING = policy({ pinsets: [{ ...PINNED.pinsets[0]!, situations: { ...SITUATIONS, tls13: 'probe' } }] });
const MARKING = policy({ pinsets: [{ ...PINNED.pinsets[0]!, onMatch }] });
const BINDING = fileURLToPath(new URL('../../native/build/Release/node_nfqueue.node', import.meta.url));
const FORWARD: RulesOptions = { hook: 'forward', format: 'iptables', quic: true, queueBypass: false };
const LOCAL: RulesOptions = { ...FORWARD, hook: 'local' };
const HOOK_NUMBER = { input: 1, forward: 2, output: 3 };

let lab: Lab;
beforeEach(() => {
  lab = new Lab();
});
afterEach(async () => {
  await lab.close();
});

/** A TCP server that answers each connection's first octets with a body; a client that fetches it. */
async function serve(host: string, port = 443, body = 1_000): Promise<void> {
  const script = `require('node:net').createServer((s) => { s.on('error', () => {}); s.once('data', () => s.end(Buffer.alloc(${body}))) }).listen(${port}, '::', () => console.log('listening'))`;
  await lab.start(host, [process.execPath, '-e', script]).says(/listening/);
}

/** Octets that arrived within two seconds; -1: no connection. */
async function fetch(from: string, address: string, port = 443): Promise<number> {
  const script = `let n = -1; const end = () => { console.log(n); process.exit() };
    const s = require('node:net').connect(${port}, '${address}', () => { n = 0; s.write('GET') });
    s.on('data', (d) => (n += d.length)).on('end', end).on('error', end); setTimeout(end, 2000)`;
  const client = lab.start(from, [process.execPath, '-e', script]);
  await client.ended;
  return Number(client.output);
}

/** As `fetch`, by a socket with a mark, from a port; it ends with a reset. */
async function fetchMarked(from: string, address: string, mark: number, port = 0): Promise<number> {
  const bind = address.includes(':') ? `bind6('::', ${port}, 0)` : `bind('0.0.0.0', ${port})`;
  const script = `let n = -1; const end = () => { console.log(n); s.resetAndDestroy(); process.exit() };
    const s = new (require('node:net').Socket)(); s.connect(443, '${address}', () => { n = 0; s.write('GET') });
    const errno = s._handle.${bind} || require('${BINDING}').setMark(s._handle.fd, ${mark}); if (errno) throw errno;
    s.on('data', (d) => (n += d.length)).on('end', end).on('error', end); setTimeout(end, 2000)`;
  const client = lab.start(from, [process.execPath, '-e', script]);
  await client.ended;
  return Number(client.output);
}

/** What a UDP client hears of port 443 within a second: the answer, or an error code, or nothing. */
async function ask(from: string, address: string): Promise<string> {
  const type = address.includes(':') ? 'udp6' : 'udp4';
  const script = `const s = require('node:dgram').createSocket('${type}'); const end = (t) => { console.log(t); process.exit() };
    s.on('error', (e) => end(e.code)).on('message', () => end('answer')); s.connect(443, '${address}', () => s.send('x')); setTimeout(() => end('nothing'), 1000)`;
  const client = lab.start(from, [process.execPath, '-e', script]);
  await client.ended;
  return client.output.trim();
}

async function answerUdp(host: string): Promise<void> {
  const script = `const s = require('node:dgram').createSocket('udp6'); s.on('message', (m, r) => s.send(m, r.port, r.address)); s.bind(443, '::', () => console.log('listening'))`;
  await lab.start(host, [process.execPath, '-e', script]).says(/listening/);
}

const apply = (host: string, options: RulesOptions, policy = PINNED): string =>
  lab.shell(host, renderRules(policy, options));

/** The rules as they are in the kernel, without counters. */
const rulesOf = (host: string, programs = ['iptables-save', 'ip6tables-save']): string =>
  programs
    .map((program) =>
      lab
        .run(host, program)
        .replace(/^#.*\n/gm, '')
        .replace(/\[\d+:\d+\]/g, ''),
    )
    .join('');

/** Packets that a rule with this comment counted. */
function counted(host: string, comment: string): number {
  const line = lab
    .run(host, 'iptables-save', '-c')
    .split('\n')
    .find((text) => text.includes(comment));
  return Number(/^\[(\d+):/.exec(line ?? '')?.[1] ?? Number.NaN);
}

const connmarks = (host: string): number[] =>
  [...lab.run(host, 'cat', '/proc/net/nf_conntrack').matchAll(/ mark=(\d+)/g)].map(([, mark]) => Number(mark));

describe.each(['forward', 'local'] as const)('the script for hook %s', (hook) => {
  const options = { ...FORWARD, hook };

  it.each(['nft', 'legacy'])('applied twice leaves one set of rules, removed once leaves nothing (%s)', (variant) => {
    const bin = lab.path('bin');
    mkdirSync(bin);
    for (const name of [
      'iptables',
      'ip6tables',
      'iptables-restore',
      'ip6tables-restore',
      'iptables-save',
      'ip6tables-save',
    ]) {
      symlinkSync(`/usr/sbin/xtables-${variant}-multi`, `${bin}/${name}`);
    }
    const shell = (script: string): string => lab.shell('gateway', `PATH=${bin}:$PATH\n${script}`);
    const programs = [`${bin}/iptables-save`, `${bin}/ip6tables-save`];
    // Touched once, a table stays; and a user's own rules must.
    for (const [table, chain] of [
      'mangle POSTROUTING',
      'mangle FORWARD',
      'mangle INPUT',
      'mangle OUTPUT',
      'raw OUTPUT',
      'security FORWARD',
      'security INPUT',
      'security OUTPUT',
      'filter FORWARD',
      'filter OUTPUT',
    ].map((text) => text.split(' '))) {
      for (const program of ['iptables', 'ip6tables']) shell(`${program} -t ${table} -A ${chain} -p tcp -j ACCEPT`);
    }
    const before = rulesOf('gateway', programs);
    shell(renderRules(PINNED, options));
    const once = rulesOf('gateway', programs);
    shell(renderRules(PINNED, options));
    expect(rulesOf('gateway', programs)).toBe(once);
    expect(once).toMatch(/^-A (FORWARD|OUTPUT) .*-j tlspin(-out)?\n-A \1 -p tcp -j ACCEPT$/m);
    shell(renderRemoval(hook, 'iptables'));
    expect(rulesOf('gateway', programs)).toBe(before);
    shell(renderRemoval(hook, 'iptables'));
    expect(rulesOf('gateway', programs)).toBe(before);
  });

  it('leaves the other hook’s rules alone when it is removed', () => {
    const other = { ...options, hook: hook === 'local' ? 'forward' : 'local' } as const;
    apply('gateway', other);
    const before = rulesOf('gateway');
    apply('gateway', options);
    lab.shell('gateway', renderRemoval(hook, 'iptables'));
    expect(rulesOf('gateway').replace(/^:(INPUT|OUTPUT|FORWARD|POSTROUTING|PREROUTING) .*\n/gm, '')).toBe(
      before.replace(/^:(INPUT|OUTPUT|FORWARD|POSTROUTING|PREROUTING) .*\n/gm, ''),
    );
  });

  it('takes away what an earlier run made and this one does without', () => {
    apply('gateway', options);
    apply('gateway', { ...options, quic: false, route: 'verdict' });
    expect(rulesOf('gateway')).not.toMatch(/quic|guard|save|REJECT/);
  });

  it('takes away what earlier versions made: whoever set marks, they saved them', () => {
    const quic = `-p udp --dport 443${hook === 'local' ? ' -m addrtype ! --dst-type LOCAL' : ''}`;
    const [match, ends, chain] =
      hook === 'forward'
        ? ['-p tcp -m addrtype ! --src-type LOCAL', '', 'POSTROUTING']
        : ['-p tcp ! -o lo -m addrtype --src-type LOCAL', '-out', 'POSTROUTING'];
    const earlier = `for i in iptables ip6tables; do $i -t mangle -N tlspin-mark${ends}; $i -t mangle -N tlspin-save${ends}
      $i -t mangle -A tlspin-mark${ends} -j CONNMARK --save-mark; $i -t mangle -A tlspin-save${ends} -p tcp -g tlspin-mark${ends}
      $i -t mangle -A ${chain} ${match} -j tlspin-save${ends}
      $i -N tlspin-quic${ends} 2>/dev/null || true; $i -A ${hook === 'local' ? 'OUTPUT' : 'FORWARD'} ${quic} -j tlspin-quic${ends}; done`;
    for (const script of [renderRules(PINNED, options), renderRemoval(hook, 'iptables')]) {
      lab.shell('gateway', earlier);
      expect(rulesOf('gateway')).toContain(`-j tlspin-save${ends}\n`);
      lab.shell('gateway', script);
      expect(rulesOf('gateway')).not.toMatch(/tlspin-(save|mark)|--dport 443 .*-j tlspin-quic/);
    }
  });

  it('loads into nft twice and is gone after its removal', () => {
    // This kernel may lack nft's queue statement (NFT_QUEUE): everything around it is loaded.
    const text = renderRules(MARKING, { ...options, format: 'nft' }).replace(/counter queue num \S+/g, 'accept');
    const file = lab.write('rules.nft', text);
    lab.run('gateway', 'nft', '-f', file);
    const once = lab.run('gateway', 'nft', 'list', 'ruleset');
    lab.run('gateway', 'nft', '-f', file);
    expect(lab.run('gateway', 'nft', 'list', 'ruleset')).toBe(once);
    expect(once).toContain('chain quic');
    lab.run('gateway', 'nft', '-f', lab.write('remove.nft', renderRemoval(hook, 'nft')));
    expect(lab.run('gateway', 'nft', 'list', 'ruleset')).toBe('');
  });

  it('refuses a conntrack that lets segments outside of the window pass', () => {
    lab.shell('gateway', 'echo 1 > /proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal');
    expect(() => apply('gateway', options)).toThrow(/be_liberal is on: set it to 0/);
    expect(rulesOf('gateway')).not.toContain('tlspin');
  });
});

describe('forwarded flows', () => {
  it.each([4, 6] as const)(
    'are queued in both directions until their mark says accept, over IPv%d',
    async (version) => {
      const stub = await QueueStub.start(lab, 'gateway', { syn: MARK.pending, data: MARK.accept });
      apply('gateway', FORWARD);
      await serve('server', 443, 1_000_000);
      expect(await fetch('client', lab.address('server', version))).toBe(1_000_000);
      expect(stub.packets.map(({ flags }) => flags & 0x12).slice(0, 3)).toEqual([0x02, 0x12, 0x10]);
      expect(new Set(stub.packets.map(({ hook }) => hook))).toEqual(new Set([HOOK_NUMBER.forward]));
      // SYN, SYN/ACK, ACK, the request; the verdict on that one ends the queueing.
      expect(stub.packets.length).toBeLessThan(8);
      expect(connmarks('gateway')).toEqual([MARK.accept]);
    },
  );

  it('are dropped by the kernel once their mark says deny', async () => {
    const stub = await QueueStub.start(lab, 'gateway', { syn: MARK.pending, data: MARK.deny });
    apply('gateway', FORWARD);
    await serve('server');
    expect(await fetch('client', lab.address('server'))).toBe(0);
    expect(stub.packets.filter(({ length }) => length === 55)).toHaveLength(1);
    expect(connmarks('gateway')).toEqual([MARK.deny]);
  });

  it('see the user’s mangle and filter rules all the same', async () => {
    await QueueStub.start(lab, 'gateway', { data: MARK.accept });
    lab.shell(
      'gateway',
      'iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -m comment --comment clamp -j TCPMSS --set-mss 900',
    );
    lab.shell('gateway', 'iptables -A FORWARD -p tcp --dport 443 -m comment --comment counted');
    apply('gateway', FORWARD);
    await serve('server');
    expect(await fetch('client', lab.address('server'))).toBe(1_000);
    expect(counted('gateway', 'clamp')).toBe(2);
    expect(counted('gateway', 'counted')).toBeGreaterThan(4);
    lab.shell('gateway', 'iptables -I FORWARD -p tcp --dport 443 -j DROP');
    expect(await fetch('client', lab.address('server'))).toBe(-1);
  });

  it.each([
    ['the state', 0x15],
    ['the state and the bit by which verdicts are told', MARK.told | 0x15],
  ])('are never let pass by a foreign fwmark with %s, whose other bits stay as they are', async (_, foreign) => {
    const stub = await QueueStub.start(lab, 'gateway', { syn: MARK.pending });
    lab.shell('gateway', `iptables -t mangle -A PREROUTING -j MARK --set-mark ${MARK.accept | foreign}`);
    lab.shell('gateway', 'iptables -t mangle -A POSTROUTING -p tcp -m mark --mark 0x15 -m comment --comment foreign');
    apply('gateway', FORWARD);
    await serve('server', 443, 100_000);
    expect(await fetch('client', lab.address('server'))).toBe(100_000);
    expect(stub.packets.length).toBeGreaterThan(8);
    expect(new Set(stub.packets.map(({ mark }) => mark))).toEqual(new Set([0x15, (MARK.pending | 0x15) >>> 0]));
    // The last ones may still be on their way here from the stub.
    await expect.poll(() => counted('gateway', 'foreign') - stub.packets.length).toBe(0);
    expect(connmarks('gateway')).toEqual([MARK.pending]);
  });

  it('keep the foreign bits of their connmark, and their decision whatever marks packets later', async () => {
    await QueueStub.start(lab, 'gateway', { syn: MARK.pending, data: MARK.accept });
    lab.shell('gateway', 'iptables -t mangle -A PREROUTING -p tcp -j CONNMARK --set-xmark 0x7/0x7');
    lab.shell(
      'gateway',
      `iptables -A FORWARD -p tcp ! --syn -m connmark --mark ${MARK.accept}/${MARK.mask} -j MARK --set-mark ${MARK.deny}`,
    );
    apply('gateway', FORWARD);
    await serve('server', 443, 100_000);
    expect(await fetch('client', lab.address('server'))).toBe(100_000);
    expect(connmarks('gateway')).toEqual([MARK.accept | 0x7]);
  });

  it('stay denied when their addresses and ports are used again, but for SYN and SYN/ACK, which are queued', async () => {
    const stub = await QueueStub.start(lab, 'gateway', { syn: MARK.pending, data: MARK.deny });
    apply('gateway', FORWARD);
    const silent = "require('node:net').createServer(() => {}).listen(443, '::', () => console.log('listening'))";
    await lab.start('server', [process.execPath, '-e', silent]).says(/listening/);
    // No reset and no FIN that the gateway sees: its conntrack keeps the entry.
    lab.shell('client', 'iptables -A OUTPUT -p tcp -m tcp --dport 443 ! --tcp-flags RST,FIN NONE -j DROP');
    const again = `const s = require('node:net').connect({ port: 443, host: '${lab.address('server')}', localPort: 40000 });
      s.on('error', () => {}); s.on('connect', () => s.write('GET'));
      setTimeout(() => { s.resetAndDestroy(); process.exit() }, 500)`;
    await lab.start('client', [process.execPath, '-e', again]).ended;
    const before = stub.packets.length;
    expect(connmarks('gateway')).toEqual([MARK.deny]);
    await lab.start('client', [process.execPath, '-e', again]).ended;
    const [syn] = stub.packets.slice(before);
    expect(syn).toMatchObject({ flags: 0x02, mark: MARK.deny });
  });

  it('that conntrack does not track, or finds invalid, do not pass', async () => {
    const stub = await QueueStub.start(lab, 'gateway', {});
    apply('gateway', FORWARD);
    await serve('server');
    lab.shell('gateway', 'iptables -t raw -A PREROUTING -p tcp --sport 443 -j CT --notrack');
    expect(await fetch('client', lab.address('server'))).toBe(-1);
    expect(stub.packets.every(({ flags }) => flags === 0x02)).toBe(true);
  });

  it('of other ports are nobody’s business', async () => {
    const stub = await QueueStub.start(lab, 'gateway', {});
    apply('gateway', FORWARD);
    await serve('server', 8080);
    expect(await fetch('client', lab.address('server'), 8080)).toBe(1_000);
    expect(stub.packets).toEqual([]);
  });

  it('do not pass without an engine, unless the rules were told to let them', async () => {
    apply('gateway', FORWARD);
    await serve('server');
    expect(await fetch('client', lab.address('server'))).toBe(-1);
    apply('gateway', { ...FORWARD, queueBypass: true });
    expect(await fetch('client', lab.address('server'))).toBe(1_000);
  });

  it.each([
    [
      'DNAT',
      '-t nat -A PREROUTING -p tcp -d 198.51.100.99 --dport 443 -j DNAT --to-destination 198.51.100.2',
      '198.51.100.99',
    ],
    ['SNAT', '-t nat -A POSTROUTING -o right0 -j MASQUERADE', '198.51.100.2'],
  ])('keep one pair of addresses in both directions under %s, and their mark', async (_, rule, address) => {
    const stub = await QueueStub.start(lab, 'gateway', { syn: MARK.pending, data: MARK.accept });
    lab.shell('gateway', `iptables ${rule}`);
    apply('gateway', FORWARD);
    await serve('server');
    expect(await fetch('client', address)).toBe(1_000);
    const [syn, synAck] = stub.packets;
    expect(syn).toMatchObject({ source: lab.address('client'), destination: lab.address('server'), flags: 0x02 });
    expect(synAck).toMatchObject({ source: lab.address('server'), destination: lab.address('client'), flags: 0x12 });
    expect(connmarks('gateway')).toEqual([MARK.accept]);
  });
});

describe('own flows', () => {
  it.each([4, 6] as const)('are never let pass by the mark of their socket (IPv%d)', async (version) => {
    const stub = await QueueStub.start(lab, 'client', { syn: MARK.pending });
    apply('client', LOCAL);
    await serve('server', 443, 100_000);
    const mark = MARK.accept | MARK.told | 0x15;
    expect(await fetchMarked('client', lab.address('server', version), mark)).toBe(100_000);
    expect(stub.packets.length).toBeGreaterThan(8);
    expect(connmarks('client')).toEqual([MARK.pending]);
  });

  it.each([
    ['without address translation', [], 4],
    ['over IPv6', [], 6],
    [
      'with DNAT in OUTPUT',
      ['-t nat -A OUTPUT -p tcp -d 203.0.113.9 --dport 443 -j DNAT --to-destination 198.51.100.2'],
      4,
    ],
    [
      'with DNAT of an address of the host itself',
      ['-t nat -A OUTPUT -p tcp -d 192.0.2.1 --dport 443 -j DNAT --to-destination 198.51.100.2'],
      4,
    ],
    [
      'with DNAT and SNAT',
      [
        '-t nat -A OUTPUT -p tcp -d 203.0.113.9 --dport 443 -j DNAT --to-destination 198.51.100.2',
        '-t nat -A POSTROUTING -p tcp --dport 443 -j SNAT --to-source 192.0.2.77',
      ],
      4,
    ],
  ] as const)('are queued in both directions until their mark says accept, %s', async (name, rules, version) => {
    const stub = await QueueStub.start(lab, 'client', { syn: MARK.pending, data: MARK.accept });
    for (const rule of rules) lab.shell('client', `iptables ${rule}`);
    lab.shell('client', 'ip addr add 192.0.2.77/24 dev right0');
    apply('client', LOCAL);
    await serve('server', 443, 1_000_000);
    const target = name.includes('itself')
      ? '192.0.2.1'
      : rules.length > 0
        ? '203.0.113.9'
        : lab.address('server', version);
    expect(await fetch('client', target)).toBe(1_000_000);
    const [syn, synAck] = stub.packets;
    const { source, sourcePort } = syn!;
    expect(syn).toMatchObject({ hook: HOOK_NUMBER.output, destination: lab.address('server', version), flags: 0x02 });
    expect(synAck).toMatchObject({
      hook: HOOK_NUMBER.input,
      source: lab.address('server', version),
      destination: source,
      destinationPort: sourcePort,
      flags: 0x12,
    });
    expect(stub.packets.length).toBeLessThan(8);
    expect(connmarks('client')).toEqual([MARK.accept]);
  });

  it('on loopback are left alone, also where a local proxy takes them', async () => {
    const stub = await QueueStub.start(lab, 'client', {});
    lab.shell('client', 'iptables -t nat -A OUTPUT -p tcp -d 203.0.113.5 --dport 443 -j REDIRECT --to-ports 9443');
    apply('client', LOCAL);
    await serve('client');
    await serve('client', 9443);
    for (const address of ['127.0.0.1', '::1', lab.address('client'), lab.address('client', 6), '203.0.113.5']) {
      expect(await fetch('client', address)).toBe(1_000);
    }
    expect(stub.packets).toEqual([]);
  });

  it('leave forwarded ones alone', async () => {
    const stub = await QueueStub.start(lab, 'gateway', {});
    apply('gateway', LOCAL);
    await serve('server');
    expect(await fetch('client', lab.address('server'))).toBe(1_000);
    expect(stub.packets).toEqual([]);
  });
});

describe('probes', () => {
  const { mark } = PROBING.probe;
  /** No reset and no FIN leaves: conntrack keeps the entry. */
  const neverEnds = () =>
    lab.shell('client', 'iptables -t raw -A OUTPUT -p tcp --dport 443 ! --tcp-flags RST,FIN NONE -j DROP');

  it.each([
    ['packet-mark', 4],
    ['packet-mark', 6],
    ['verdict', 4],
    ['verdict', 6],
  ] as const)('are never queued, neither way, and others beside them are (route %s, IPv%d)', async (route, version) => {
    // A verdict of this route carries the mark itself.
    const bits = route === 'packet-mark' ? { syn: MARK.pending, data: MARK.accept } : {};
    const stub = await QueueStub.start(lab, 'client', bits);
    apply('client', { ...LOCAL, route }, PROBING);
    await serve('server', 443, 100_000);
    const address = lab.address('server', version);
    expect(await fetchMarked('client', address, mark)).toBe(100_000);
    expect(stub.packets).toEqual([]);
    expect(connmarks('client')).toEqual([mark]);
    expect(await fetchMarked('client', address, 0)).toBe(100_000);
    expect(stub.packets.map(({ flags }) => flags & 0x12).slice(0, 3)).toEqual([0x02, 0x12, 0x10]);
    if (route === 'packet-mark') expect(connmarks('client').sort()).toEqual([mark, MARK.accept].sort());
  });

  it('go by without an engine', async () => {
    apply('client', LOCAL, PROBING);
    await serve('server');
    expect(await fetchMarked('client', lab.address('server'), mark)).toBe(1_000);
    expect(await fetchMarked('client', lab.address('server'), 0)).toBe(-1);
  });

  it('leave nothing to whoever uses their addresses and ports next', async () => {
    const stub = await QueueStub.start(lab, 'client', { syn: MARK.pending });
    apply('client', LOCAL, PROBING);
    neverEnds();
    await serve('server');
    await fetchMarked('client', lab.address('server'), mark, 40_000);
    expect(stub.packets).toEqual([]);
    expect(connmarks('client')).toEqual([mark]);
    await fetchMarked('client', lab.address('server'), 0, 40_000);
    expect(stub.packets[0]).toMatchObject({ flags: 0x02, sourcePort: 40_000 });
    expect(connmarks('client')).toEqual([MARK.pending]);
  });

  it('inherit nothing of whoever used theirs before', async () => {
    const stub = await QueueStub.start(lab, 'client', { syn: MARK.pending, data: MARK.deny });
    apply('client', LOCAL, PROBING);
    await serve('server');
    await fetchMarked('client', lab.address('server'), 0, 40_000);
    expect(connmarks('client')).toEqual([MARK.deny]);
    const before = stub.packets.length;
    expect(await fetchMarked('client', lab.address('server'), mark, 40_000)).toBe(1_000);
    expect(stub.packets).toHaveLength(before);
  });

  it('are not taken for those who mark a packet in the middle of a connection', async () => {
    const stub = await QueueStub.start(lab, 'client', { syn: MARK.pending });
    lab.shell('client', `iptables -t mangle -A OUTPUT -p tcp ! --syn -j MARK --set-xmark ${mark}/${mark}`);
    apply('client', LOCAL, PROBING);
    await serve('server', 443, 100_000);
    expect(await fetch('client', lab.address('server'))).toBe(100_000);
    expect(stub.packets.length).toBeGreaterThan(8);
    expect(connmarks('client')).toEqual([MARK.pending]);
  });

  it.each([4, 6] as const)(
    'are never forwarded: there their mark is anybody’s and lets nothing by (IPv%d)',
    async (version) => {
      const stub = await QueueStub.start(lab, 'gateway', { syn: MARK.pending });
      const program = version === 4 ? 'iptables' : 'ip6tables';
      lab.shell('gateway', `${program} -t mangle -A PREROUTING -p tcp -j MARK --set-xmark ${mark}/${mark}`);
      lab.shell('gateway', `${program} -t mangle -A PREROUTING -p tcp -j CONNMARK --set-xmark ${mark}/${mark}`);
      apply('gateway', FORWARD, PROBING);
      apply('gateway', LOCAL, PROBING);
      await serve('server', 443, 100_000);
      expect(await fetch('client', lab.address('server', version))).toBe(100_000);
      expect(stub.packets.map(({ flags }) => flags & 0x12).slice(0, 3)).toEqual([0x02, 0x12, 0x10]);
      expect(stub.packets.length).toBeGreaterThan(8);
    },
  );

  it('go by in nft as well', async () => {
    // This kernel may lack nft's queue statement: what would be queued is counted.
    const text = renderRules(PROBING, { ...LOCAL, format: 'nft' }).replace(/counter queue num \S+/g, 'counter accept');
    lab.run('client', 'nft', '-f', lab.write('rules.nft', text));
    const queued = () =>
      [...lab.run('client', 'nft', 'list', 'ruleset').matchAll(/counter packets (\d+) bytes \d+ accept/g)]
        .map(([, packets]) => Number(packets))
        .reduce((sum, packets) => sum + packets, 0);
    await serve('server', 443, 100_000);
    expect(await fetchMarked('client', lab.address('server'), mark, 40_000)).toBe(100_000);
    expect(await fetchMarked('client', lab.address('server', 6), mark)).toBe(100_000);
    expect(queued()).toBe(0);
    neverEnds();
    await fetchMarked('client', lab.address('server'), mark, 40_001);
    expect(queued()).toBe(0);
    await fetchMarked('client', lab.address('server'), 0, 40_001);
    expect(queued()).toBeGreaterThan(0);
    // The connection of port 40001 is a probe's no more.
    expect(connmarks('client').sort()).toEqual([0, mark, mark]);
  });
});

describe('QUIC', () => {
  it.each([
    ['forwarded', 'gateway', FORWARD, 4],
    ['forwarded', 'gateway', FORWARD, 6],
    ['own', 'client', LOCAL, 4],
    ['own', 'client', LOCAL, 6],
  ] as const)('%s, rules on the %s: refused at once, so that clients fall back', async (_, host, options, version) => {
    await answerUdp('server');
    expect(await ask('client', lab.address('server', version))).toBe('answer');
    apply(host, options);
    expect(await ask('client', lab.address('server', version))).toMatch(/ECONNREFUSED|EPERM/);
    apply(host, { ...options, quic: false });
    expect(await ask('client', lab.address('server', version))).toBe('answer');
  });
});
