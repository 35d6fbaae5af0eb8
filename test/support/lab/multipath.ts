/** Ends that speak Multipath TCP where they may: Linux's own, by peers/multipath.py. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import type { Child } from '../../../src/runtime/demo/child.ts';
import type { Lab } from './lab.ts';

export interface MultipathOutcome {
  /** The connection is plain TCP. */
  readonly fallback: boolean;
  readonly received: Buffer;
}

/** Answers what is said with these octets. */
export async function startMultipathServer(
  lab: Lab,
  host: string,
  address: string,
  octets: Uint8Array,
): Promise<Child> {
  const child = lab.start(host, command(lab, 'server', address, octets));
  await child.says(/listening/);
  return child;
}

/** Says these octets. */
export async function connectMultipath(
  lab: Lab,
  host: string,
  address: string,
  octets: Uint8Array,
): Promise<MultipathOutcome> {
  const child = lab.start(host, command(lab, 'client', address, octets));
  await child.ended;
  if (child.output === '') throw new Error(`the client said nothing: ${child.errors}`);
  const { fallback, received } = JSON.parse(child.output) as { fallback: boolean; received: string };
  return { fallback, received: Buffer.from(received, 'hex') };
}

function command(lab: Lab, role: 'client' | 'server', address: string, octets: Uint8Array): string[] {
  const file = lab.path(`multipath-${role}`);
  writeFileSync(file, octets);
  return ['python3', SCRIPT, role, address, '443', file];
}

const SCRIPT = fileURLToPath(new URL('../peers/multipath.py', import.meta.url));
