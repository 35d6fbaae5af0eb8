/** A host between two others that loses, doubles and delays some of the TCP segments that it carries. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import type { Child } from '../../../src/runtime/demo/child.ts';
import type { Lab } from './lab.ts';

export interface Spoiling {
  /** Of a thousand segments each. */
  readonly lost?: number;
  readonly doubled?: number;
  readonly late?: number;
  /** Microseconds that each segment takes, and how much more or less at the most. */
  readonly delay?: number;
  readonly jitter?: number;
}

export async function spoil(
  lab: Lab,
  host: string,
  neighbours: readonly [string, string],
  shares: Spoiling,
  seed = 1,
): Promise<Child> {
  const program = lab.path('spoiling-wire');
  if (!existsSync(program)) execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-o', program, SOURCE]);
  lab.shell(host, 'echo 0 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv6/conf/all/forwarding');
  const sides = neighbours.flatMap((neighbour) => {
    const device = lab.network.device(neighbour, host);
    const mac = lab.run(neighbour, 'cat', `/sys/class/net/${device}/address`).trim();
    return [lab.network.device(host, neighbour), mac];
  });
  const { lost = 0, doubled = 0, late = 0, delay = 0, jitter = 0 } = shares;
  const child = lab.start(host, [program, ...sides, ...[lost, doubled, late, seed, delay, jitter].map(String)]);
  await child.says(/ready/);
  return child;
}

const SOURCE = fileURLToPath(new URL('../peers/spoiling-wire.c', import.meta.url));
