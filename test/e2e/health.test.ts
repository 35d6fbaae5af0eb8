/** What an engine says of lost protection, within five seconds: the program on the kernel's real queue, and real losses. */
import { afterAll, beforeEach, describe, expect, it } from 'vitest';

import type { Health } from '../../src/cli/health.ts';
import { ControlClient } from '../../src/runtime/control/client.ts';
import { spkiPin } from '../../src/runtime/demo/certificates.ts';
import { NAME as HOST } from '../support/lab/bank.ts';
import { Clock } from '../support/lab/clock.ts';
import { Engine, type RunOptions, TLSPIN } from '../support/lab/engine.ts';
import type { Lab } from '../support/lab/lab.ts';
import { oneArmedLab } from '../support/lab/one-arm.ts';
import { requestWithNode, startTlsServer } from '../support/lab/peers.ts';
import { buildPreloaded } from '../support/lab/preloaded.ts';
import { ca, genuine, lab as ordinaryLab } from '../support/lab/twins-of-each.ts';

it('the exit status is 3 without an engine, 0 while all is well, 1 for what is by choice, 2 for what has become open', async () => {
  expect(health()).toMatchObject({ status: 3, text: expect.stringContaining('there is none') as string });
  await run();
  await becomes(0);
  expect(health()).toEqual({ status: 0, text: 'protected\n' });

  process.kill(engine.child.pid!, 'SIGSTOP');
  expect(health()).toMatchObject({ status: 3, text: expect.stringContaining('does not answer within 5 s') as string });
  process.kill(engine.child.pid!, 'SIGCONT');

  reload({ pinsets: [bank({ mode: 'report-only' })] });
  await becomes(1, 'pinset.report-only');
  expect(health()).toMatchObject({ status: 1, text: expect.stringContaining('pinset.report-only') as string });

  const ends = Date.now() + 2_000;
  const expires = new Date(ends).toISOString();
  const [closes, worn] = ['closes', 'worn'].map((name) => ({ name, match: { hosts: [`${name}.example`] } }));
  reload({
    pinsets: [
      bank({ expires }),
      { ...closes, expires, afterExpiry: 'deny', pins: [OTHER] },
      { ...worn, pins: [{ pin: OTHER, expires }] },
    ],
  });
  const codes = ['pinset\\.expired .*bank', 'pinset\\.expired-denies .*closes', 'pinset\\.no-pins .*worn'];
  await becomes(2, codes, performance.now() - Date.now() + ends);
  expect(health()).toMatchObject({
    status: 2,
    text: expect.stringMatching(/^NOT PROTECTED\npinset.expired /) as string,
  });
  await engine.child.says(/^NOT PROTECTED \(pinset.expired\): the pinset bank expired on .*: give it pins/m);

  reload();
  await becomes(0);
  await engine.takeOver({ under: ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin'] });
  await becomes(1, 'probe.unmarked');
});

describe('rules', () => {
  it.for(['iptables', 'nft'] as const)(
    'that are not there, of which a part goes, and that are flushed are told of (%s)',
    async (format, { skip }) => {
      if (format === 'nft' && !nftQueues()) skip('this kernel has no queue of nft');
      const { part, told, all } = LOSSES[format];
      await run({}, null);
      await becomes(2, 'rules.none');
      engine.applyRules('--format', format, '--no-quic');
      await becomes(1, 'quic.unseen.*forwarded IPv4 to UDP port 443 and forwarded IPv6');
      engine.applyRules('--format', format);
      await becomes(0);
      lab.shell('gateway', part);
      await becomes(2, told);
      engine.applyRules('--format', format);
      await becomes(0);
      lab.shell('gateway', all);
      await becomes(2, 'rules.none');
    },
  );

  it('that others add are no business of ours; what leads past the queue, or writes our marks, is told of', async () => {
    lab.shell(
      'gateway',
      `sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0 || true
      ip link add br9 type bridge nf_call_iptables 1; ip link add port1 master br9 type veth peer name port2; ip link set port2 master br9`,
    );
    await run();
    lab.shell(
      'gateway',
      `iptables -t mangle -A POSTROUTING -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff
      iptables -A FORWARD -p tcp --dport 22 -j ACCEPT; iptables -t nat -A POSTROUTING -j MASQUERADE`,
    );
    await becomes(0);

    lab.shell('gateway', 'iptables -t security -I tlspin-told -j LOG');
    await becomes(1, 'rules.changed.*tlspin-told');

    lab.shell(
      'gateway',
      `iptables -t security -I FORWARD -s 192.0.2.7 -j ACCEPT
      ip6tables -t security -I FORWARD -i wg0 -j RETURN
      iptables -t nat -A PREROUTING -p tcp --dport 443 -j REDIRECT --to-ports 3128
      sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=1
      iptables -t mangle -A POSTROUTING -j CONNMARK --save-mark
      tc qdisc add dev left0 clsact && tc filter add dev left0 ingress bpf bytecode '1,6 0 0 4294967295,'
      ip link set br9 type bridge nf_call_iptables 0
      iptables-legacy -t mangle -A PREROUTING -j CONNMARK --set-mark 0x1000000`,
    );
    await becomes(2, [
      'rules.bypassed.*192.0.2.7',
      'rules.bypassed.*wg0',
      'packets.diverted.*REDIRECT',
      'packets.programmed.*BPF',
      'bridge.unseen.*IPv4 from port to port of br9',
      'conntrack.liberal',
      'marks.overwritten',
      'rules.unreadable.*legacy',
    ]);
    const doctor = [...TLSPIN, 'doctor', '-c', engine.config].join(' ');
    expect(lab.shell('gateway', `${doctor} 2>&1 || true`)).toMatch(/other ipv4 mangle PREROUTING .*marks\.accepting/);
    expect(engine.conditions.filter((each) => each.startsWith('rules.changed'))).toEqual(['rules.changed begin']);
  });

  it.each([
    [
      'a program that only its link tells of',
      () => lab.run('gateway', 'python3', lab.write('tcx.py', TCX), 'left0'),
      1,
      'packets.programmed.*left0 \\(tcx\\)',
    ],
    [
      'a route to this host',
      () => lab.shell('gateway', 'ip route add local 198.51.100.0/24 dev lo'),
      2,
      'packets.diverted.*198\\.51\\.100\\.0/24',
    ],
  ] as const)('that are led past by %s are told of', async (_, lead, status, told) => {
    await run();
    await becomes(0);
    lead();
    await becomes(status, told);
  });

  it('of ours of which a part goes are told of, whichever it is', async () => {
    await run();
    await becomes(0);
    await leftOut(
      'iptables -t security -I tlspin-flow -m conntrack --ctstate ESTABLISHED -j RETURN',
      'ip6tables -t security -D tlspin-flow -p tcp --tcp-flags SYN SYN -g tlspin-ask',
      ['rules.partial.*forwarded IPv4', 'rules.partial.*forwarded IPv6.*addresses that were accepted'],
    );
    await leftOut(
      'iptables -t mangle -F tlspin-guard',
      'ip6tables -t security -I tlspin-ask -j NFQUEUE --queue-num 7',
      ['rules.partial.*forwarded IPv4.*bits of ours', 'rules.partial.*; IPv6'],
    );
    reload({ pinsets: [bank({ match: { hosts: [HOST], ports: [443, 993] } })] });
    await becomes(2, 'forwarded IPv4 of port 993');
    engine.applyRules();
    await restored();
    lab.shell('gateway', 'iptables -t security -I FORWARD -p tcp -m multiport --dports 80,443 -j ACCEPT');
    await becomes(2, 'rules.partial.*|rules.none.*');
  });

  it('that somebody flushes are put in place again where that is wanted, until it happens too often', async () => {
    await run({ rules: { keep: true } }, null);
    await becomes(1, 'rules.restored');
    const flush = () => lab.shell('gateway', 'iptables -t security -F; iptables -t security -X');
    for (let times = 0; times < 2; times++) {
      flush();
      await expect.poll(fed, { timeout: 15_000 }).toBe(true);
      // What is put in place piece by piece is all there before it is taken away again.
      await restored();
    }
    flush();
    await becomes(2, 'rules.given-up.*again and again');
    expect(fed()).toBe(false);
    expect(engine.conditions).toContain('rules.restored begin');
  });
});

describe('packets that are lost', () => {
  it('are told of: the kernel has dropped them, or, with failOpen, let them pass unseen', async () => {
    await run();
    await becomes(0);
    await flood();
    await becomes(1, 'queue.full|queue.buffer');
    await engine.child.stop();
    await run({ failOpen: true });
    await becomes(0);
    await flood();
    await becomes(2, 'queue.fail-open');
  });
});

it('what becomes of files, servers, limits, the clock, the link and the socket is told of', async () => {
  lab = oneArmedLab();
  lab.write('transport.cjs', TRANSPORT);
  try {
    const clock = new Clock(lab);
    const preloaded = [clock.env['LD_PRELOAD'], buildPreloaded(lab, 'deaf')].join(':');
    const env = { ...clock.env, LD_PRELOAD: preloaded, DEAF_WHEN: lab.path('deaf') };
    const to = { log: { to: ['verdicts.ndjson', { transport: { target: './transport.cjs' } }] } };
    await run(to, [], { env, log: null });
    await becomes(0);

    reload('{');
    await becomes(1, 'reload.refused');
    const lists = { bad: { file: 'bad.list', maxAge: '2s' } };
    const backup = { pins: [OTHER, { pin: spkiPin(genuine.cert), role: 'backup' }] };
    lab.write('bad.list', `${'0a'.repeat(20)}\n`);
    reload({
      ...to,
      lists,
      pinsets: [bank({ ...backup, match: { hosts: ['*.bank.example'] }, deny: ['@bad'] })],
      probe: { perClient: 1 },
    });
    await becomes(1, 'list.stale', performance.now() + 2_000);
    expect(engine.conditions.filter((each) => each.startsWith('reload'))).toEqual([
      'reload.refused begin',
      'reload.refused end',
    ]);

    await startTlsServer(lab, 'server', { identity: genuine, maxVersion: 'TLSv1.3' });
    await visit();
    lab.shell('gateway', `conntrack -U -f ipv4 -p tcp -s ${lab.address('client')} -m 0x1000010`);
    await becomes(1, ['pin.backup', 'gateway.one-armed']);
    lab.write('ended', '');
    await visit();
    await becomes(1, 'log.lost');
    const prober = lab.address('server').replace(/2$/, '1');
    lab.shell('server', `iptables -A INPUT -s ${prober} -p tcp -j REJECT --reject-with tcp-reset`);
    for (const name of ['one', 'two']) await visit(`${name}.bank.example`);
    await becomes(1, 'probe.exhausted');
    clock.set(3_600);
    await becomes(1, 'clock.jump');
    expect(engine.conditions).not.toContain('marks.given begin');
    lab.shell('gateway', 'conntrack -U -f ipv4 -p tcp -m 0x1000000');
    await becomes(1, 'marks.given.*port 443');
    lab.shell('gateway', 'sysctl -qw net.netfilter.nf_conntrack_events=0');
    await becomes(1, 'marks.unheard');

    lab.write('deaf', '');
    await Promise.all([visit(), becomes(2, 'queue.deaf')]);
  } finally {
    await lab.close();
  }
});

// ---- the stage ----

let lab: Lab;
let engine: Engine;
beforeEach(() => void (lab = ordinaryLab));

const bank = (more: object = {}) => ({
  name: 'bank',
  match: { hosts: [HOST] },
  pins: [spkiPin(genuine.cert), OTHER],
  ...more,
});
const configuration = (more: object = {}) => ({ control: { socket: 'control.sock' }, pinsets: [bank()], ...more });

/** `rules`: what `tlspin rules` is told; null: there are none. */
async function run(more: object = {}, rules: readonly string[] | null = [], options?: RunOptions): Promise<void> {
  engine = new Engine(lab, { config: configuration(more) });
  await engine.run(options);
  if (rules !== null) engine.applyRules(...rules);
}

/** With what the configuration has besides, or with this text for one. */
function reload(more: object | string = {}): void {
  const text = typeof more === 'string' ? more : JSON.stringify({ version: 1, ...configuration(more) });
  lab.write('tlspin.json', text);
  process.kill(engine.child.pid!, 'SIGHUP');
}

function health(): { status: number; text: string } {
  const command = [...TLSPIN, 'health', '--control', lab.path('control.sock')].join(' ');
  const said = lab.shell('gateway', `${command} 2>&1 && echo '#0' || echo "#$?"`);
  return { status: Number(/#(\d+)\n$/.exec(said)?.[1]), text: said.replace(/#\d+\n$/, '') };
}

const LOSSES = {
  iptables: {
    part: 'ip6tables -t security -F tlspin-ask',
    told: 'rules.partial.*IPv6',
    all: 'iptables -t security -F; ip6tables -t security -F',
  },
  nft: { part: 'nft flush chain inet tlspin ask', told: 'rules.none', all: 'nft flush ruleset' },
};

const fed = (): boolean => lab.run('gateway', 'iptables-save', '-t', 'security').includes('NFQUEUE');

function nftQueues(): boolean {
  return (
    lab.shell(
      'gateway',
      "nft 'add table inet x; add chain inet x y; add rule inet x y queue num 9' 2>/dev/null && nft delete table inet x && echo yes || true",
    ) !== ''
  );
}

/** Two parts of the rules at once, one of each family, and all is well again. */
async function leftOut(ipv4: string, ipv6: string, codes: readonly string[]): Promise<void> {
  lab.shell('gateway', `${ipv4}\n${ipv6}`);
  await becomes(2, codes);
  engine.applyRules();
  await restored();
}

/** That the rules of ours are others than before counts as news for longer. */
async function restored(): Promise<void> {
  await expect.poll(async () => (await told()).text, POLLING).not.toMatch(/rules\.(?:none|partial)/);
}

async function visit(servername = HOST): Promise<void> {
  const host = lab.address('server');
  await requestWithNode(lab, 'client', { host, servername, ca: ca.cert, timeout: 5_000 });
}

/** Asked at the socket until it says so, and each of the codes, by which it is known how long that took. */
async function becomes(
  status: number,
  codes: string | readonly string[] = [],
  began = performance.now(),
): Promise<void> {
  const missing = new Set([codes].flat());
  const ask = async () => {
    const answer = await told();
    for (const code of [...missing].filter((each) => new RegExp(each).test(answer.text))) {
      missing.delete(code);
      delays.push([(performance.now() - began) / 1000, code]);
    }
    return { ...answer, missing: [...missing] };
  };
  await expect.poll(ask, POLLING).toMatchObject({ status, missing: [] });
}

const POLLING = { timeout: 15_000, interval: 50 };
const delays: [seconds: number, codes: string][] = [];

/** A machine that is busy may be late once: test/runtime/protection/ has the longest that it takes by itself. */
afterAll(() => {
  const slowest = delays.toSorted(([a], [b]) => b - a);
  const shown = slowest.map(([seconds, code]) => `${seconds.toFixed(1)} s ${code}`);
  console.log(`from the cause to the word of it: ${shown.join(', ')}`);
  const isRead = ([, code]: (typeof delays)[number]) =>
    /^(rules|packets|marks\.(?!given)|conntrack|forwarded)\b/.test(code);
  for (const kind of [slowest.filter(isRead), slowest.filter((delay) => !isRead(delay))]) {
    const [middle] = kind[Math.floor(kind.length / 2)] ?? [0];
    expect(middle).toBeLessThan(5);
  }
});

async function told(): Promise<{ status: number; text: string }> {
  const client = await ControlClient.connect(lab.path('control.sock'));
  try {
    const { health } = (await client.ask({ command: 'health' })) as unknown as { health: Health };
    const lines = health.conditions.map(({ code, detail }) => `${code}  ${detail}`);
    return { status: ['protected', 'degraded', 'unprotected'].indexOf(health.state), text: lines.join('\n') };
  } finally {
    client.close();
  }
}

/** More SYNs than the queue and its buffer have room for, while nobody reads. */
async function flood(): Promise<void> {
  process.kill(engine.child.pid!, 'SIGSTOP');
  lab.write('flood.py', FLOOD);
  lab.run('client', 'python3', lab.path('flood.py'), lab.address('client'), lab.address('server'));
  process.kill(engine.child.pid!, 'SIGCONT');
}

const OTHER = `sha256//${Buffer.alloc(32, 7).toString('base64')}`;

/** Ends with the first record that it is given once it is told to. */
const TRANSPORT = `
const { existsSync } = require('node:fs');
const write = (_, __, done) => {
  if (existsSync(__dirname + '/ended')) throw new Error('told to');
  done();
};
module.exports = () => new (require('node:stream').Writable)({ write });
`;

/** Has a program that lets all pass attached to a device by way of tcx, where it stays (BPF_PROG_LOAD, BPF_PROG_ATTACH). */
const TCX = `
import ctypes, platform, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def bpf(command, attributes):
    attributes = ctypes.create_string_buffer(attributes.ljust(128, b'\\0'), 128)
    number = 280 if platform.machine() == 'aarch64' else 321
    result = libc.syscall(number, command, attributes, 128)
    if result < 0: raise OSError(ctypes.get_errno(), 'bpf')
    return result
next_one = struct.pack('<BBhi', 0xb7, 0, 0, -1) + struct.pack('<BBhi', 0x95, 0, 0, 0)
program, license = ctypes.create_string_buffer(next_one), ctypes.create_string_buffer(b'GPL')
fd = bpf(5, struct.pack('<IIQQ', 3, 2, ctypes.addressof(program), ctypes.addressof(license)))
bpf(8, struct.pack('<III', socket.if_nametoindex(sys.argv[1]), fd, 46))
`;

const FLOOD = `
import socket, struct, sys
source, target = (socket.inet_aton(a) for a in sys.argv[1:])
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
raw.bind((sys.argv[1], 0))
def checksum(octets):
    total = sum(struct.unpack('!%dH' % (len(octets) // 2), octets))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff
for i in range(20000):
    syn = struct.pack('!HHIIBBHHH', 10000 + i, 443, i, 0, 5 << 4, 2, 65535, 0, 0)
    whole = source + target + struct.pack('!HH', 6, len(syn)) + syn
    raw.sendto(syn[:16] + struct.pack('!H', checksum(whole)) + syn[18:], (sys.argv[2], 443))
`;
