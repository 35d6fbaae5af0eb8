/** `tlspin doctor` in namespaces, where what it is to find is made: real rules, real settings. */
import { beforeEach, describe, expect, it } from 'vitest';

import { spkiPin } from '../../src/runtime/demo/certificates.ts';
import { Engine, TLSPIN } from '../support/lab/engine.ts';
import { NAME as HOST } from '../support/lab/bank.ts';
import { genuine, lab } from '../support/lab/twins-of-each.ts';

const config = () => ({
  pinsets: [
    { name: 'bank', match: { hosts: [HOST] }, pins: [spkiPin(genuine.cert), OTHER], tls13: 'deny', resumed: 'deny' },
  ],
});

describe('before anything is there', () => {
  it('it says what is missing, and that nothing is protected', () => {
    lab.write('tlspin.json', JSON.stringify({ version: 1, ...config() }));
    const { status, codes } = doctor();
    expect(status).toBe(2);
    expect(codes).toMatchObject({ 'rules.none': 'unprotected', 'engine.none': 'unprotected', 'kernel.queue': 'fine' });
  });
});

describe('beside a running engine', () => {
  beforeEach(async () => {
    await Engine.start(lab, { config: config() });
  });

  it('it finds nothing wrong where nothing is', () => {
    const { status, codes } = doctor();
    expect(status).toBe(0);
    expect(codes).toMatchObject({ rules: 'fine', engine: 'fine', 'kernel.queue': 'fine', conntrack: 'fine' });
    const text = lab.shell('gateway', [...TLSPIN, 'doctor', '-c', lab.path('tlspin.json'), '2>/dev/null'].join(' '));
    expect(text).toMatch(/^fine +queue 0: fed \(forward\) with all that the configuration asks for \(rules\)$/m);
  });

  it.each([
    ['rules of one family are gone', 'ip6tables -t security -F', 'rules.partial', 'unprotected'],
    [
      'a rule restores whole marks',
      'iptables -t mangle -A PREROUTING -j CONNMARK --restore-mark',
      'marks.restored',
      'degraded',
    ],
    [
      'a rule saves whole marks',
      'iptables -t mangle -A POSTROUTING -j CONNMARK --save-mark',
      'marks.overwritten',
      'degraded',
    ],
    [
      'a rule accepts in our name',
      'iptables -t mangle -A PREROUTING -j CONNMARK --set-mark 0x1000000',
      'marks.accepting',
      'unprotected',
    ],
    ['routing looks at our bits', 'ip rule add fwmark 0x1000000/0x3000000 lookup 100', 'marks.routed', 'degraded'],
    ['nothing is forwarded', 'sysctl -qw net.ipv4.ip_forward=0', 'host.forwarding', 'degraded'],
    [
      'conntrack is liberal',
      'sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=1',
      'conntrack.liberal',
      'unprotected',
    ],
    [
      'conntrack forgets soon',
      'sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_established=60',
      'conntrack.short',
      'degraded',
    ],
  ])('it says that %s', (_, made, code, gravity) => {
    lab.shell('gateway', made);
    const { status, codes } = doctor();
    expect(codes).toMatchObject({ [code]: gravity });
    expect(status).toBe(gravity === 'unprotected' ? 2 : 1);
  });
});

/** Findings by their codes. */
function doctor(): { status: number; codes: Record<string, string> } {
  const command = [...TLSPIN, 'doctor', '-c', lab.path('tlspin.json'), '--json'].join(' ');
  const said = lab.shell('gateway', `${command} 2>/dev/null && echo '#0' || echo "#$?"`);
  const { findings } = JSON.parse(said.replace(/#\d+\n$/, '')) as { findings: { code: string; gravity: string }[] };
  const codes = Object.fromEntries(findings.map(({ code, gravity }) => [code, gravity]));
  return { status: Number(/#(\d+)\n$/.exec(said)?.[1]), codes };
}

const OTHER = `sha256//${Buffer.alloc(32, 7).toString('base64')}`;
