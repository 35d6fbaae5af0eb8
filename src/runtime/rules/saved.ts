/**
 * What iptables has in the kernel, as it prints it: of both its kinds, nf_tables and legacy, whose rules are all in force and
 * of which `iptables-save` shows one. Knows no rule.
 */
import { readFileSync } from 'node:fs';

import type { Family } from './plan.ts';
import type { RunProgram } from './program.ts';

/** The text of `iptables-save`, and of the other kind where that has rules; undefined where there is no such program. */
export interface Saved {
  readonly usual: string | undefined;
  readonly other: string | undefined;
}

export async function savedRules(
  run: RunProgram,
  family: Family,
  args: readonly string[] = [],
  hasLegacy: (family: Family) => boolean = mayHaveLegacy,
): Promise<Saved> {
  const name = NAMES[family];
  const usual = await run(`${name}-save`, args);
  if (usual === undefined) return { usual, other: undefined };
  const isLegacy = usual.startsWith('#') && !usual.includes('(nf_tables)');
  if (isLegacy) return { usual, other: await run(`${name}-nft-save`, args) };
  return { usual, other: hasLegacy(family) ? await run(`${name}-legacy-save`, args) : undefined };
}

export function bothKinds({ usual, other }: Saved): string {
  return `${usual ?? ''}\n${other ?? ''}`;
}

/** Whether the kernel has tables of the legacy kind; whoever may not look does not know. */
function mayHaveLegacy(family: Family): boolean {
  try {
    return readFileSync(`/proc/net/${TABLES[family]}_names`, 'utf8').trim() !== '';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

const NAMES: Readonly<Record<Family, string>> = { ipv4: 'iptables', ipv6: 'ip6tables' };
const TABLES: Readonly<Record<Family, string>> = { ipv4: 'ip_tables', ipv6: 'ip6_tables' };
