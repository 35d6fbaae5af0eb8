/**
 * What iptables has in the kernel, as it prints it: of both its kinds, nf_tables and legacy, whose rules are all in force and
 * of which `iptables-save` shows one. The legacy kind is read with CAP_NET_RAW only, so that is known to be missing. Knows no rule.
 */
import { openSync, readSync } from 'node:fs';

import { FAMILIES, type Family } from './plan.ts';
import type { RunProgram } from '../programs/program.ts';

export interface Saved {
  /** The text of `iptables-save`; undefined where there is no such program, or it may not. */
  readonly usual: string | undefined;
  /** Of the other kind, where that has rules. */
  readonly other: string | undefined;
  /** False where there are rules besides. */
  readonly isWhole: boolean;
}

/** Whether the kernel has tables of the legacy kind; undefined: nobody may know. */
export type HasLegacy = (family: Family) => boolean | undefined;

export async function savedRules(
  run: RunProgram,
  family: Family,
  args: readonly string[] = [],
  hasLegacy: HasLegacy = readHasLegacy,
): Promise<Saved> {
  const name = NAMES[family];
  const usual = await run(`${name}-save`, args);
  if (usual?.startsWith('#') === true && !usual.includes('(nf_tables)')) {
    return { usual, other: await run(`${name}-nft-save`, args), isWhole: true };
  }
  const legacy = hasLegacy(family);
  const other = legacy === false || usual === undefined ? undefined : await run(`${name}-legacy-save`, args);
  return { usual, other, isWhole: legacy !== true || other !== undefined };
}

export function bothKinds({ usual, other }: Saved): string {
  return `${usual ?? ''}\n${other ?? ''}`;
}

/** Opens what says which tables there are while that is allowed (its mode is 0440). */
export function keepTableNames(): void {
  for (const family of FAMILIES) {
    try {
      kept.set(family, openSync(FILES[family], 'r'));
    } catch {
      // each reading tries again
    }
  }
}

const kept = new Map<Family, number>();

/** Whether the kernel has tables of the legacy kind; undefined: nobody may know. */
export function readHasLegacy(family: Family): boolean | undefined {
  try {
    const octets = Buffer.alloc(MOST_OCTETS);
    if (!kept.has(family)) kept.set(family, openSync(FILES[family], 'r'));
    return readSync(kept.get(family)!, octets, 0, octets.length, 0) > 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? false : undefined;
  }
}

const NAMES: Readonly<Record<Family, string>> = { ipv4: 'iptables', ipv6: 'ip6tables' };
const FILES: Readonly<Record<Family, string>> = {
  ipv4: '/proc/net/ip_tables_names',
  ipv6: '/proc/net/ip6_tables_names',
};
const MOST_OCTETS = 256;
