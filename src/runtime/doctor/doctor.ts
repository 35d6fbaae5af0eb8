/** One look at everything around tlspin: what is wrong, and how to mend it. Changes nothing. */
import { readdirSync } from 'node:fs';

import type { Policy } from '../../pins/policy.ts';
import { loadBinding } from '../../source/binding.ts';
import { readKernelQueues } from '../../source/kernel-queue.ts';
import { openDevices } from '../rules/beside/devices.ts';
import { readKernelFile } from '../rules/beside/kernel-file.ts';
import { runProgram } from '../programs/program.ts';
import { type EngineParts, lookAtEngine } from './engine.ts';
import type { Finding, Gravity, Surroundings } from './finding.ts';
import { lookAtHost } from './host.ts';
import { lookAtNetfilter } from './netfilter.ts';

/** The worst first. */
export async function lookAround(
  policy: Policy,
  around: Surroundings = thisMachine(),
  parts: EngineParts = { binding: loadBinding(), queues: readKernelQueues() },
): Promise<Finding[]> {
  const { findings, feeds } = await lookAtNetfilter(around, policy);
  const all = [
    ...(await lookAtEngine(around, parts, policy, feeds)),
    ...findings,
    ...(await lookAtHost(around, policy, feeds)),
  ];
  return all.sort((a, b) => GRAVITIES.indexOf(b.gravity) - GRAVITIES.indexOf(a.gravity));
}

/** From the least to the most. */
const GRAVITIES: readonly Gravity[] = ['fine', 'note', 'degraded', 'unprotected'];

function thisMachine(): Surroundings {
  return {
    run: runProgram,
    read: readKernelFile,
    list: (path) => attempt(() => readdirSync(path)) ?? [],
    devices: openDevices(loadBinding()),
    environment: process.env,
  };
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
