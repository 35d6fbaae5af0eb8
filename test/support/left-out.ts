/**
 * The closing line of a test run: which tests were left out, and what would have to be installed for them, since vitest
 * itself only counts them.
 */
import type { Reporter, TestModule, Vitest } from 'vitest/node';

import { installing, isHere, type Peer, PEERS } from './programs.ts';

export class LeftOut implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    // Whoever chooses tests by name leaves the others out himself.
    if (this.#vitest?.config.testNamePattern !== undefined) return;
    const ran = modules.map((module) => ({
      file: module.relativeModuleId.replace(/^test\//, ''),
      skipped: [...module.children.allTests('skipped')].map(({ fullName }) => fullName),
    }));
    const line = leftOut(ran, isHere);
    if (line !== undefined) this.#vitest?.logger.log(`\n${line}`);
  }
}

/** `file` as the list of programs has it; undefined where nothing was left out. */
export function leftOut(ran: readonly Ran[], isThere: (program: string) => boolean): string | undefined {
  const wanting = new Map<Peer, Ran[]>();
  const others = new Set(ran.filter(({ skipped }) => skipped.length > 0));
  for (const peer of Object.keys(PEERS) as Peer[]) {
    const files: readonly string[] = PEERS[peer].tests;
    const found = ran.filter(({ file, skipped }) => skipped.length > 0 && files.includes(file));
    if (found.length > 0 && !isThere(peer)) wanting.set(peer, found);
  }
  const forWant = new Set([...wanting.values()].flat());
  for (const one of forWant) others.delete(one);
  const missing = [...wanting.keys()];
  const counted = [...forWant].map(({ file, skipped }) => `${file} ${skipped.length}`).join(', ');
  const parts = [
    ...(missing.length > 0 ? [`without ${missing.join(', ')} (${installing(missing)}): ${counted}`] : []),
    ...[...others].flatMap(({ file, skipped }) => skipped.map((name) => `${file} > ${name}`)),
  ];
  return parts.length > 0 ? `Tests left out ${parts.join('; ')}` : undefined;
}

interface Ran {
  readonly file: string;
  /** The names of those that were left out. */
  readonly skipped: readonly string[];
}
