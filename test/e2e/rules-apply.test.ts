/** `tlspin rules --apply`: rules that are in place as a whole or not at all, and a host that is closed where they cannot be had. */
import { describe, expect, it } from 'vitest';

import { spkiPin } from '../../src/runtime/demo/certificates.ts';
import { TLSPIN } from '../support/lab/engine.ts';
import { NAME as HOST } from '../support/lab/bank.ts';
import { requestWithCurl, startTlsServer } from '../support/lab/peers.ts';
import { ca, genuine, lab } from '../support/lab/twins-of-each.ts';

const FORMATS = ['iptables', 'nft'] as const;

describe.each(FORMATS)('with %s', (format) => {
  it('are put in place, again, and taken away', ({ skip }) => {
    skip(format === 'nft' && !hasNftQueue(), 'this kernel has no queue of nft');
    const before = ruleset();
    configure();
    for (let times = 0; times < 2; times++)
      expect(rules('--apply', '--format', format)).toEqual({ status: 0, said: '' });
    expect(ruleset()).toMatch(/NFQUEUE|queue/);
    expect(rules('--apply', '--format', format, '--hook', 'local')).toEqual({ status: 0, said: '' });
    expect(rules('--apply', '--remove', '--format', format)).toEqual({ status: 0, said: '' });
    expect(ruleset()).toBe(before);
  });

  it('that cannot be had close the host where that is wished, until they can', async ({ skip }) => {
    skip(format === 'nft' && !hasNftQueue(), 'this kernel has no queue of nft');
    await startTlsServer(lab, 'server', { identity: genuine, port: 8443 });
    expect(await reaches()).toBe(true);
    lab.write('tlspin.json', '{');
    expect(rules('--apply', '--format', format)).toMatchObject({ status: 1 });
    expect(await reaches()).toBe(true);
    const { status, said } = rules('--apply', '--or-close', '--format', format);
    expect(status).toBe(1);
    expect(said).toContain('is no valid configuration');
    expect(said).toContain('tlspin rules: closed: nothing is forwarded until they can be applied');
    expect(await reaches()).toBe(false);
    configure();
    expect(rules('--apply', '--format', format)).toEqual({ status: 0, said: '' });
    expect(await reaches()).toBe(true);
    expect(ruleset()).not.toContain('closed');
  });
});

it.each([
  ['iptables', 'nft'],
  ['nft', 'iptables'],
] as const)('the host is closed without %s too, by %s, and open once there are rules', async (missing, other) => {
  await startTlsServer(lab, 'server', { identity: genuine, port: 8443 });
  configure();
  const programs = { iptables: ['iptables', 'ip6tables'], nft: ['nft'] }[other];
  const all = programs.flatMap((name) => (name === 'nft' ? [name] : [name, `${name}-save`, `${name}-restore`]));
  const found = ['sh', 'id', 'cat', 'grep', ...all].map((name) => lab.shell('gateway', `command -v ${name}`).trim());
  lab.shell('gateway', `mkdir ${lab.path('few')} && ln -s ${found.join(' ')} ${lab.path('few')}`);
  const { status, said } = rulesBy(lab.path('few'), '--apply', '--or-close', '--format', missing);
  expect([status, said]).toEqual([1, expect.stringContaining(`${missing} is missing: install the package`)]);
  expect(said).toContain('tlspin rules: closed: nothing is forwarded until they can be applied');
  expect(await reaches()).toBe(false);
  expect(rules('--apply')).toEqual({ status: 0, said: '' });
  expect(await reaches()).toBe(true);
  expect(rules('--apply', '--remove')).toEqual({ status: 0, said: '' });
  expect(ruleset()).not.toContain('tlspin');
});

it('rules of which a part cannot be put in place leave those that were there', () => {
  configure();
  rules('--apply', '--no-quic');
  const before = ruleset();
  const broken = lab.write(
    'ip6tables-restore',
    '#!/bin/sh\nset -e\nall=$(cat)\ncase "$all" in *":tlspin-quic"*) echo "no room" >&2; exit 4;; esac\n' +
      'printf "%s\\n" "$all" | /usr/sbin/ip6tables-restore "$@"\n',
  );
  lab.run('gateway', 'chmod', '755', broken);
  const { status, said } = rules('--apply');
  expect(status).toBe(1);
  expect(said).toMatch(/error: the rules are as they were: no room/);
  expect(ruleset()).toBe(before);
});

it('whoever is not root is told so', () => {
  configure();
  const said = lab.shell('gateway', `setpriv --reuid 65534 --clear-groups ${command('--apply')} 2>&1 || true`);
  expect(said).toContain('error: --apply needs root: run it with sudo');
});

// ---- the stage ----

function configure(): void {
  const pinset = { name: 'bank', match: { hosts: [HOST] }, pins: [spkiPin(genuine.cert), OTHER] };
  lab.write('tlspin.json', JSON.stringify({ version: 1, pinsets: [pinset] }));
}

function command(...args: string[]): string {
  return [...TLSPIN, 'rules', '-c', lab.path('tlspin.json'), ...args].join(' ');
}

function rules(...args: string[]): { status: number; said: string } {
  return rulesBy(`${lab.path('.')}:$PATH`, ...args);
}

function rulesBy(path: string, ...args: string[]): { status: number; said: string } {
  const said = lab.shell('gateway', `PATH=${path}; ${command(...args)} 2>&1 && echo '#0' || echo "#$?"`);
  return { status: Number(/#(\d+)\n$/.exec(said)?.[1]), said: said.replace(/#\d+\n$/, '') };
}

/** Without counters and times. */
function ruleset(): string {
  const all = ['iptables-save', 'ip6tables-save'].map((save) => lab.run('gateway', save)).join('');
  const rules = all.split('\n').filter((line) => line.startsWith('-A') || /^:tlspin/.test(line));
  return [...rules.map((line) => line.replace(/\[\d+:\d+\]/, '')), lab.shell('gateway', 'nft list tables inet')].join(
    '\n',
  );
}

async function reaches(): Promise<boolean> {
  const request = { host: lab.address('server'), port: 8443, servername: HOST, ca: ca.cert, timeout: 1_500 };
  return (await requestWithCurl(lab, 'client', request)).error === null;
}

function hasNftQueue(): boolean {
  return (
    lab.shell(
      'gateway',
      "nft 'add table inet x; add chain inet x y; add rule inet x y queue num 9' 2>/dev/null && nft delete table inet x && echo yes || true",
    ) !== ''
  );
}

const OTHER = `sha256//${'A'.repeat(43)}=`;
