/** What an engine says of lost protection, within five seconds: the program on the kernel's real queue, and real losses. */
import { afterAll, describe, expect, it } from 'vitest';

import type { Health } from '../../src/cli/health.ts';
import { ControlClient } from '../../src/runtime/control/client.ts';
import { spkiPin } from '../../src/runtime/demo/certificates.ts';
import { Engine, TLSPIN } from '../support/lab/engine.ts';
import { NAME as HOST } from '../support/lab/bank.ts';
import { requestWithNode, startTlsServer } from '../support/lab/peers.ts';
import { ca, genuine, lab } from '../support/lab/twins-of-each.ts';

describe('its exit status is', () => {
  it('3 where there is no engine, and where one does not answer', async () => {
    expect(health()).toMatchObject({ status: 3, text: expect.stringContaining('there is none') as string });
    const engine = await run();
    process.kill(engine.child.pid!, 'SIGSTOP');
    expect(health()).toMatchObject({
      status: 3,
      text: expect.stringContaining('does not answer within 5 s') as string,
    });
    process.kill(engine.child.pid!, 'SIGCONT');
    await becomes(0);
  });

  it('0 while all is well', async () => {
    await run();
    await becomes(0);
    expect(health()).toEqual({ status: 0, text: 'protected\n' });
  });

  it('1 for what is by choice, 2 for what has become open by its date', async () => {
    await run({ pinsets: [bank({ mode: 'report-only' })] });
    await becomes(1, 'pinset.report-only');
    await engine.child.stop();
    const cause = performance.now() + 8_000;
    const expires = new Date(Date.now() + 8_000).toISOString();
    await run({ pinsets: [bank({ expires })] });
    await becomes(2, 'pinset.expired', cause);
    expect(engine.conditions).toContain('pinset.expired begin');
    await engine.child.says(/^NOT PROTECTED \(pinset.expired\): the pinset bank expired on .*: give it pins/m);
  });
});

describe('rules', () => {
  it.each(['iptables', 'nft'])(
    'that are not there, of which a part goes, and that are flushed are told of (%s)',
    async (format) => {
      if (format === 'nft' && !nftQueues()) return;
      await run({}, null);
      await becomes(2, 'rules.none');
      engine.applyRules('--format', format);
      await becomes(0);
      lab.shell(
        'gateway',
        format === 'nft' ? 'nft flush chain inet tlspin ask' : 'ip6tables -t security -F tlspin-ask',
      );
      await becomes(2, format === 'nft' ? 'rules.none' : 'rules.partial.*IPv6');
      engine.applyRules('--format', format);
      await becomes(0);
      lab.shell(
        'gateway',
        format === 'nft' ? 'nft flush ruleset' : 'iptables -t security -F; ip6tables -t security -F',
      );
      await becomes(2, 'rules.none');
      expect(engine.conditions.filter((each) => each.startsWith('rules.none'))).toEqual([
        ...['rules.none begin', 'rules.none end'],
        'rules.none begin',
      ]);
    },
  );

  it('that let go by what is pinned, ahead of ours, are told of', async () => {
    await run();
    await becomes(0);
    lab.shell('gateway', 'iptables -t security -I FORWARD -p tcp -m multiport --dports 80,443 -j ACCEPT');
    await becomes(2, 'rules.partial.*|rules.none.*');
    lab.shell('gateway', 'iptables -t security -D FORWARD 1');
    await becomes(0);
  });

  it.each([
    ['what is pinned from an address', 'iptables -t security -I FORWARD -s 192.0.2.7 -j ACCEPT', 'rules.bypassed.*192.0.2.7'],
    ['what comes by an interface', 'ip6tables -t security -I FORWARD -i wg0 -j RETURN', 'rules.bypassed.*wg0'],
    ['what is open', 'iptables -t security -I tlspin-flow -m conntrack --ctstate ESTABLISHED -j RETURN', 'rules.partial'],
    ['SYNs by addresses that were accepted', 'iptables -t security -D tlspin-flow -p tcp --tcp-flags SYN SYN -g tlspin-ask', 'rules.partial.*accepted'],
    ['what others have marked', 'iptables -t mangle -F tlspin-guard', 'rules.partial.*bits of ours'],
    ['what another program is asked', 'iptables -t security -I tlspin-ask -j NFQUEUE --queue-num 7', 'rules.partial|rules.none'],
    ['what a program of this host is handed', 'iptables -t nat -A PREROUTING -p tcp --dport 443 -j REDIRECT --to-ports 3128', 'packets.diverted.*REDIRECT'],
    ['what is outside of the window', 'sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=1', 'conntrack.liberal'],
    ['what is accepted in our own chain', 'iptables -t security -I tlspin-flow -j CONNMARK --set-mark 0x1000000/0x3000000', 'marks.accepting'],
  ])('that let go by %s are told of', async (_, made, told) => {
    await run();
    await becomes(0);
    lab.shell('gateway', made);
    await becomes(2, told);
  }); // prettier-ignore

  it('that are changed without harm are told of, once', async () => {
    await run();
    await becomes(0);
    lab.shell('gateway', 'iptables -t security -I tlspin-told -j LOG');
    await becomes(1, 'rules.changed.*tlspin-told');
    engine.applyRules();
    await expect.poll(() => health().text, { timeout: 15_000, interval: 200 }).not.toContain('LOG');
    expect(engine.conditions).toEqual(['rules.changed begin']);
  });

  it('of iptables’ legacy kind, beside others, are told to be there, and are read by doctor', async () => {
    await run();
    await becomes(0);
    lab.shell('gateway', 'iptables-legacy -t mangle -A PREROUTING -j CONNMARK --set-mark 0x1000000');
    await becomes(1, 'rules.unreadable.*legacy');
    const doctor = [...TLSPIN, 'doctor', '-c', engine.config].join(' ');
    expect(lab.shell('gateway', `${doctor} 2>&1 || true`)).toMatch(/other ipv4 mangle PREROUTING .*marks\.accepting/);
  });

  it('of one port are told of where pins are for another one too', async () => {
    await run();
    lab.write('tlspin.json', configure({ pinsets: [bank({ match: { hosts: [HOST], ports: [443, 993] } })] }));
    process.kill(engine.child.pid!, 'SIGHUP');
    await becomes(2, 'forwarded IPv4 of port 993');
    engine.applyRules();
    await becomes(0);
  });

  it('that somebody flushes are put in place again where that is wanted, until it happens too often', async () => {
    await run({ rules: { keep: true } }, null);
    await becomes(1, 'rules.restored');
    const flush = () => lab.shell('gateway', 'iptables -t security -F; iptables -t security -X');
    for (let times = 0; times < 2; times++) {
      flush();
      await expect.poll(fed, { timeout: 15_000 }).toBe(true);
    }
    flush();
    await becomes(2, 'rules.given-up.*again and again');
    expect(fed()).toBe(false);
    expect(engine.conditions).toContain('rules.restored begin');
  });

  it('of others that write our bits of connection marks are told of', async () => {
    await run();
    await becomes(0);
    lab.shell('gateway', 'iptables -t mangle -A POSTROUTING -j CONNMARK --save-mark');
    await becomes(1, 'marks.overwritten');
    lab.shell('gateway', 'iptables -t mangle -A PREROUTING -p tcp -j CONNMARK --set-mark 0x1000000/0xff000000');
    await becomes(2, 'marks.accepting');
  });

  it('that are no business of ours are not', async () => {
    await run();
    lab.shell('gateway', 'iptables -t mangle -A POSTROUTING -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff');
    lab.shell(
      'gateway',
      'iptables -A FORWARD -p tcp --dport 22 -j ACCEPT; iptables -t nat -A POSTROUTING -j MASQUERADE',
    );
    await becomes(0);
    expect(health()).toEqual({ status: 0, text: 'protected\n' });
  });
});

describe('packets that are lost', () => {
  it('are told of: the kernel has dropped them', async () => {
    await run();
    await becomes(0);
    await flood();
    await becomes(1, 'queue.full|queue.buffer');
  });

  it('with failOpen have passed unseen', async () => {
    await run({ failOpen: true });
    await becomes(0);
    await flood();
    await becomes(2, 'queue.fail-open');
  });
});

describe('what the configuration does', () => {
  it('a reload that is refused is told of until one succeeds', async () => {
    await run();
    await becomes(0);
    const before = configure();
    lab.write('tlspin.json', '{');
    process.kill(engine.child.pid!, 'SIGHUP');
    await becomes(1, 'reload.refused');
    lab.write('tlspin.json', before);
    process.kill(engine.child.pid!, 'SIGHUP');
    await becomes(0);
    expect(engine.conditions.filter((each) => each.startsWith('reload'))).toEqual([
      'reload.refused begin',
      'reload.refused end',
    ]);
  });

  it('a backup pin that a server is accepted by is told of', async () => {
    await run({ pinsets: [bank({ pins: [OTHER, { pin: spkiPin(genuine.cert), role: 'backup' }] })] });
    await becomes(0);
    await startTlsServer(lab, 'server', { identity: genuine });
    const [outcome] = await requestWithNode(lab, 'client', {
      host: lab.address('server'),
      servername: HOST,
      ca: ca.cert,
    });
    expect(outcome).toMatchObject({ error: null });
    await becomes(1, 'pin.backup');
  });
});

// ---- the stage ----

let engine: Engine;

const bank = (more: object = {}) => ({
  name: 'bank',
  match: { hosts: [HOST] },
  pins: [spkiPin(genuine.cert), OTHER],
  ...more,
});
const configuration = (more: object = {}) => ({ control: { socket: 'control.sock' }, pinsets: [bank()], ...more });

function configure(more: object = {}): string {
  return JSON.stringify({ version: 1, ...configuration(more) });
}

async function run(more: object = {}, rules?: readonly string[] | null): Promise<Engine> {
  const options = { config: configuration(more) };
  engine = await Engine.start(lab, rules === undefined ? options : { ...options, rules });
  return engine;
}

function health(...args: string[]): { status: number; text: string } {
  const command = [...TLSPIN, 'health', '--control', lab.path('control.sock'), ...args].join(' ');
  const said = lab.shell('gateway', `${command} 2>&1 && echo '#0' || echo "#$?"`);
  return { status: Number(/#(\d+)\n$/.exec(said)?.[1]), text: said.replace(/#\d+\n$/, '') };
}

const fed = (): boolean => lab.run('gateway', 'iptables-save', '-t', 'security').includes('NFQUEUE');

function nftQueues(): boolean {
  return lab.shell('gateway', "nft 'add table inet x; add chain inet x y; add rule inet x y queue num 9' 2>/dev/null && nft delete table inet x && echo yes || true") !== ''; // prettier-ignore
}

/** Asked at the socket until it says so, by which it is known how long that took; and then of the program, once. */
async function becomes(status: number, codes = '', began = performance.now()): Promise<void> {
  const expected = { status, text: expect.stringMatching(codes) as string };
  await expect.poll(() => told(), { timeout: 15_000, interval: 50 }).toMatchObject(expected);
  const seconds = (performance.now() - began) / 1000;
  if (status > 0) delays.push([seconds, codes]);
  expect(health()).toMatchObject(expected);
}

const delays: [seconds: number, codes: string][] = [];

/** A machine that is busy may be late once: test/runtime/protection/rules.test.ts has the longest that it takes by itself. */
afterAll(() => {
  const slowest = delays.toSorted(([a], [b]) => b - a);
  const shown = slowest.map(([seconds, codes]) => `${seconds.toFixed(1)} s ${codes}`);
  console.log(`from the cause to the word of it: ${shown.join(', ')}`);
  const [middle] = slowest[Math.floor(slowest.length / 2)] ?? [0];
  expect(middle).toBeLessThan(5);
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
