/**
 * The programs that tests run besides Node and what every Debian has (coreutils, util-linux, bash): the package that has
 * each, and the test files that can do without it by leaving tests out. The README's lines of packages, and what test
 * files ask for, are checked against this list. Knows no test runner.
 */
import { spawnSync } from 'node:child_process';

import { SYSTEM_PATH } from '../../src/runtime/demo/private.ts';

/** The README's first line: without these there is no demonstration and hardly a test. */
export const BASE: Readonly<Record<string, string>> = {
  cc: 'build-essential',
  python3: 'python3',
  sysctl: 'procps',
  ip: 'iproute2',
  iptables: 'iptables',
  nft: 'nftables',
  openssl: 'openssl',
  curl: 'curl',
  ethtool: 'ethtool',
  conntrack: 'conntrack',
};

/** The README's second line: whoever has none of these has fewer tests, and is told so when the run ends. */
export const PEERS = {
  nginx: {
    debian: 'nginx-light',
    tests: ['e2e/paths.test.ts', 'e2e/prober.test.ts', 'e2e/quic.test.ts', 'e2e/tls13-servers.test.ts'],
  },
  go: {
    debian: 'golang-go',
    tests: ['e2e/prober.test.ts', 'e2e/tls13-keylog.test.ts', 'e2e/tls13-probe.test.ts', 'e2e/tls13-servers.test.ts'],
  },
  'gnutls-cli': { debian: 'gnutls-bin', tests: ['e2e/tls13-servers.test.ts'] },
  'gnutls-serv': { debian: 'gnutls-bin', tests: ['e2e/tls13-servers.test.ts'] },
  gtlsclient: { debian: 'ngtcp2-client', tests: ['e2e/quic.test.ts'] },
  gtlsserver: { debian: 'ngtcp2-server', tests: ['e2e/quic.test.ts'] },
  chromium: {
    debian: 'chromium',
    tests: ['e2e/console-page.test.ts', 'e2e/console-pages.test.ts', 'e2e/quic.test.ts'],
  },
  zstd: { debian: 'zstd', tests: ['tls/compressed-certificate.test.ts'] },
  zsh: { debian: 'zsh', tests: ['cli/shells.test.ts'] },
  fish: { debian: 'fish', tests: ['cli/shells.test.ts'] },
  mandoc: { debian: 'mandoc', tests: ['cli/shells.test.ts'] },
  prometheus: { debian: 'prometheus', tests: ['e2e/metrics.test.ts'] },
  promtool: { debian: 'prometheus', tests: ['e2e/metrics.test.ts'] },
  man: { debian: 'man-db', tests: ['cli/shells.test.ts'] },
  vsftpd: { debian: 'vsftpd', tests: ['e2e/audit.test.ts'] },
  'nats-server': {
    debian: 'nats-server',
    tests: [
      'e2e/fleet-learning.test.ts',
      'e2e/fleet-servers.test.ts',
      'e2e/fleet-verdicts.test.ts',
      'e2e/fleet-witnesses.test.ts',
      'e2e/fleet.test.ts',
      'e2e/pair.test.ts',
    ],
  },
  conntrackd: { debian: 'conntrackd', tests: ['e2e/pair.test.ts'] },
  keepalived: { debian: 'keepalived', tests: ['e2e/pair.test.ts'] },
  minisign: { debian: 'minisign', tests: ['minisign/minisign.test.ts'] },
  'musl-gcc': { debian: 'musl-tools', tests: ['native/confine.test.ts', 'native/program.test.ts'] },
} as const satisfies Readonly<Record<string, { debian: string; tests: readonly string[] }>>;

/** The README's third line: what boots another kernel. */
export const VIRTUAL: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  busybox: 'busybox-static',
  cpio: 'cpio',
};

export type Peer = keyof typeof PEERS;

/**
 * Whether a test that wants these is to be left out here. With `CI` set nothing is: what is missing is an error that
 * names it.
 */
export function lacks(...peers: readonly Peer[]): boolean {
  for (const peer of peers) askedFor.add(peer);
  const missing = peers.filter((peer) => !isHere(peer));
  if (missing.length > 0 && (process.env['CI'] ?? '') !== '') {
    throw new Error(`${missing.join(', ')} not found: ${installing(missing)}`);
  }
  return missing.length > 0;
}

/** What a program is started by. Only tests that have asked whether it is there come as far as that on every machine. */
export function started(peer: Peer): string {
  if (!askedFor.has(peer)) throw new Error(`a test that starts ${peer} says so first: it.skipIf(lacks('${peer}'))`);
  return peer;
}

export function isHere(program: string): boolean {
  const env = { ...process.env, PATH: SYSTEM_PATH };
  return spawnSync('sh', ['-c', 'command -v "$0"', program], { env }).status === 0;
}

/** The command that gets programs. */
export function installing(peers: readonly Peer[]): string {
  return `sudo apt install ${[...new Set(peers.map((peer) => PEERS[peer].debian))].join(' ')}`;
}

const askedFor = new Set<Peer>();
