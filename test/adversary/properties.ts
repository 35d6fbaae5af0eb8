/** What holds of every program of the adversary's, for fast-check. */
import fc from 'fast-check';

import type { Program } from './moves.ts';
import { holdCertificates, holdForgers, holdGenuine } from './oracle.ts';
import { genuineProgram, hostileProgram } from './programs.ts';
import { play } from './scene.ts';

export async function holdHostile(program: Program): Promise<void> {
  const outcomes = await play(program);
  holdForgers(program, outcomes);
  holdCertificates(program, outcomes);
}

export async function holdFriendly(program: Program): Promise<void> {
  holdGenuine(await play(program));
}

export const PROPERTIES = {
  'no client of OpenSSL’s believes a forger, whatever he, the path and the gateway do': fc.asyncProperty(
    hostileProgram,
    holdHostile,
  ),
  'the bank’s own server is denied to no client, however bad the path': fc.asyncProperty(genuineProgram, holdFriendly),
} as const;
