/** Segments by the ten thousand, in the name of hosts of the client's side that do not exist. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import type { Lab } from './lab.ts';

export interface SegmentFlood {
  readonly kind: 'syn' | 'ahead';
  readonly port: number;
  readonly count: number;
  /** A second. */
  readonly rate: number;
}

/** Resolves to what it says of itself, when it is over. */
export async function floodWithSegments(lab: Lab, { kind, port, count, rate }: SegmentFlood): Promise<string> {
  const program = lab.path('segment-flood');
  if (!existsSync(program)) execFileSync('cc', ['-O2', '-Wall', '-o', program, SOURCE]);
  // What servers answer ends at the client's.
  lab.shell('gateway', `ip route replace ${STRANGERS}/24 via ${lab.address('client')}`);
  lab.shell('client', `ip route replace blackhole ${STRANGERS}/24`);
  const child = lab.start('client', [
    program,
    kind,
    STRANGERS,
    lab.address('server'),
    ...[port, count, rate].map(String),
  ]);
  await child.ended;
  return child.output.trim();
}

/** TEST-NET-3 (RFC 5737). */
const STRANGERS = '203.0.113.0';
const SOURCE = fileURLToPath(new URL('../peers/segment-flood.c', import.meta.url));
