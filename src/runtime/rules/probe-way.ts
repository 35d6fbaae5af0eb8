/**
 * The way back to probes that leave with another's address: what is answered to them has their mark when its way is
 * chosen, and a table of routes of its own says that it is for this host. What leaves has the same mark and goes as ever.
 * Owns the commands that make it so, and what `ip` tells of it; the marks are the rules'.
 *
 *   64  marked, and leaving this host (or asked about as if it did)  ─▶ 66
 *   65  marked                                                       ─▶ table 7468: local
 *   66
 */
import { UNBRIDGE } from './bridge-way.ts';
import type { Family } from './plan.ts';
import { FAMILIES, hex } from './plan.ts';
import type { RunProgram } from '../programs/program.ts';

const TABLE = 7468;
const [SKIP, TAKE, REST] = [64, 65, 66];

/** Where there is no such way, probes leave with this host's own address: nothing else depends on it. */
export const WAY = String.raw`# way FAMILY MARK: packets with the mark that come in are this host's; without a mark that ends.
way() {
  command -v ip >/dev/null || return 0
  for rule in '${SKIP} goto ${REST}' '${TAKE} lookup ${TABLE}' '${REST} nop'; do
    while ip "$1" rule del pref $rule 2>/dev/null; do :; done
  done
  while ip "$1" route del local default dev lo table ${TABLE} 2>/dev/null; do :; done
  [ -n "$2" ] || return 0
  { ${commands('"$1"', '"$2"').join(' &&\n    ')}
  } || echo "tlspin rules: no way back ($1) for probes with their clients' addresses: they leave with this host's" >&2
}
`;

/** A rule that is jumped to comes first. */
function commands(family: string, mark: string): string[] {
  return [
    `ip ${family} route add local default dev lo table ${TABLE}`,
    `ip ${family} rule add pref ${REST} nop`,
    `ip ${family} rule add pref ${SKIP} iif lo fwmark ${mark} goto ${REST}`,
    `ip ${family} rule add pref ${TAKE} fwmark ${mark} lookup ${TABLE}`,
  ];
}

/** For people. */
export function wayCommands(mark: number): string[] {
  return FAMILIES.flatMap((family) => commands(OPTION[family], `${hex(mark)}/${hex(mark)}`));
}

/** Null: it goes. */
export function wayOf(mark: number | null, family: Family): string {
  return `way ${OPTION[family]} ${mark === null ? "''" : `${hex(mark)}/${hex(mark)}`}`;
}

/** What takes it away, and what the engine has added to it. */
export function unwayOf(family: Family): string {
  return `${wayOf(null, family)}\nunbridge ${OPTION[family]}`;
}

export const UNWAY = `${WAY}\n${UNBRIDGE}`;

/** The whole of it as a script of its own, beside rules that are no script. */
export function renderWay(mark: number | null): string {
  return script(WAY, (family) => wayOf(mark, family));
}

export function renderUnway(): string {
  return script(UNWAY, unwayOf);
}

function script(functions: string, of: (family: Family) => string): string {
  const [ipv4, ipv6] = FAMILIES.map(of);
  return ['#!/bin/sh', 'set -eu', functions, ipv4, '[ -e /proc/net/if_inet6 ] || exit 0', ipv6, ''].join('\n');
}

/**
 * Families of which what is answered to others' addresses comes back. `own`: the rules of own chains that packets come by.
 */
export async function readWays(
  run: RunProgram,
  own: ReadonlyMap<string, string>,
  mark: number,
): Promise<ReadonlySet<Family>> {
  const isReturning = await Promise.all(
    FAMILIES.map(async (family) => {
      const [text, routes] = await Promise.all([
        run('ip', [OPTION[family], '-j', 'rule', 'show']),
        run('ip', [OPTION[family], 'route', 'show', 'table', `${TABLE}`]),
      ]);
      const isLocal = /^local default dev lo\b/m.test(routes ?? '');
      return isTaken(rulesIn(text ?? ''), mark) && isLocal && isMarked(own, family, mark);
    }),
  );
  return new Set(FAMILIES.filter((_, at) => isReturning[at]));
}

function rulesIn(text: string): readonly IpRule[] {
  try {
    return JSON.parse(text) as IpRule[];
  } catch {
    return [];
  }
}

function isTaken(rules: readonly IpRule[], mark: number): boolean {
  const ours = rules.filter(({ fwmark, fwmask }) => Number(fwmark) === mark && Number(fwmask) === mark);
  const isSkipped = ours.some(({ priority, iif }) => priority === SKIP && iif === 'lo');
  return isSkipped && ours.some(({ priority, table }) => priority === TAKE && table === `${TABLE}`);
}

interface IpRule {
  readonly priority: number;
  readonly fwmark?: string;
  readonly fwmask?: string;
  readonly iif?: string;
  readonly table?: string;
}

/** By the chain of either program that marks what comes in. */
function isMarked(own: ReadonlyMap<string, string>, family: Family, mark: number): boolean {
  return [...own].some(
    ([name, text]) =>
      name.startsWith(family) &&
      /(tlspin-probe-in|probe_prerouting)$/.test(name) &&
      (text.includes(hex(mark)) || text.includes(`${mark}`)),
  );
}

const OPTION: Readonly<Record<Family, string>> = { ipv4: '-4', ipv6: '-6' };
