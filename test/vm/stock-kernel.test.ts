/**
 * What the kernel of a stock Debian does with tlspin, which this machine's may not be able to: connmarks in verdicts,
 * conntrack's number of each connection, nft's `queue`, both iptables, flow offload. Boots it once; what is tried there is
 * scenarios.sh, and each check becomes a test.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { CONNMARK_DEFAULTS as MARK } from '../../src/pins/compile/connmark.ts';
import { ROOT } from '../support/built.ts';
import { type Bank, makeBank } from '../support/lab/bank.ts';
import { TLSPIN } from '../support/lab/engine.ts';
import { BASE, isHere, VIRTUAL } from '../support/programs.ts';
import { stockKernel } from './kernel.ts';
import { runInMachine } from './machine.ts';

const missing = Object.entries({ ...BASE, ...VIRTUAL }).filter(([program]) => !isHere(program));
if (missing.length > 0) {
  const [programs, packages] = [0, 1].map((part) => [...new Set(missing.map((entry) => entry[part]))]);
  throw new Error(`${programs!.join(', ')} not found: sudo apt install ${packages!.join(' ')}`);
}

const extent = process.env['TLSPIN_VM'] ?? 'full';
const output = await runInMachine(stockKernel(), {
  files: filesOfJob(),
  limit: 60 * Number(process.env['TLSPIN_VM_MINUTES'] ?? 30),
  script: `
    export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
    PROJECT='${ROOT}' NODE='${process.execPath}'
    ACCEPT=${MARK.accept} PENDING=${MARK.pending} TOLD=${MARK.told} MASK=${MARK.mask}
    EXTENT=${extent}
    . /job/lab.sh
    . /job/scenarios.sh`,
  onOutput: (text) => process.stderr.write(text),
});
const checks = [...output.matchAll(/^@check\t(.*)\t(.*)\t(.*)\t(.*)$/gm)];

it.each(checks.map(([, scenario, name, expected, actual]) => [`${scenario}: ${name}`, expected, actual] as const))(
  '%s',
  (_, expected, actual) => expect(actual).toBe(expected),
);

it('the scenarios come to their end', () => {
  expect(output).toContain('@end');
  expect(checks.length).toBe(extent === 'short' ? 27 : 75);
});

function filesOfJob(): Record<string, string> {
  const directory = mkdtempSync(join(tmpdir(), 'tlspin-vm-files-'));
  const bank = makeBank();
  try {
    return {
      ...filesOfBank(bank),
      ...rulesOf(bank, directory),
      ...Object.fromEntries(['lab.sh', 'scenarios.sh', 'abrupt-client.py'].map((name) => [name, ownFile(name)])),
      'no-end.nft': `table inet no_end { chain out { type filter hook output priority 0;
        tcp dport 443 tcp flags & (fin | rst) != 0 drop; }; }\n`,
      // What belongs to whom is for connection tracking to say: addresses may be the same.
      'zones.nft': `table ip zones { chain ahead { type filter hook prerouting priority raw;
        iifname { "to-twin", "to-forger" } ct zone set 2; }; }\n`,
      // As it may be: only what is accepted.
      'offload.nft': `table inet fast_path {
        flowtable fast { hook ingress priority 0; devices = { to-client, to-server, to-forger }; }
        chain forward { type filter hook forward priority 50;
          ct mark & ${MARK.mask} == ${MARK.accept} flow add @fast; }; }\n`,
    };
  } finally {
    bank.remove();
    rmSync(directory, { recursive: true });
  }
}

function filesOfBank({ ca, genuine, forged, config }: Bank): Record<string, string> {
  const written = (more: object): string =>
    JSON.stringify({ version: 1, control: { socket: '/tmp/control' }, ...config, ...more });
  return {
    'ca.pem': readFileSync(ca, 'utf8'),
    'genuine.pem': readFileSync(genuine.cert, 'utf8'),
    'genuine.key': readFileSync(genuine.key, 'utf8'),
    'forged.pem': readFileSync(forged.cert, 'utf8'),
    'forged.key': readFileSync(forged.key, 'utf8'),
    'tlspin.json': written({}),
    'broken.json': '{',
    'packet-mark.json': written({ connmark: { route: 'packet-mark' } }),
    'offload.json': written({ allowOffload: true }),
  };
}

/** Printed here: they do not depend on the kernel. */
function rulesOf({ config }: Bank, directory: string): Record<string, string> {
  const file = join(directory, 'tlspin.json');
  writeFileSync(file, JSON.stringify({ version: 1, ...config }));
  const rules = (...args: string[]): string => {
    const [node, ...program] = TLSPIN;
    return execFileSync(node!, [...program, 'rules', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  };
  return {
    'rules.sh': rules('-c', file),
    'remove.sh': rules('--remove'),
    'rules.nft': rules('-c', file, '--format', 'nft'),
  };
}

function ownFile(name: string): string {
  return readFileSync(join(import.meta.dirname, name), 'utf8');
}
