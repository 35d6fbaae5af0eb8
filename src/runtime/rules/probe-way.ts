/**
 * The way back to probes that leave with another's address: what is answered to them has their mark when its way is
 * chosen, and a table of routes of its own says that it is for this host. What leaves has the same mark and goes as ever.
 * Owns the commands that make it so, and what `ip` tells of it; the marks are the rules'.
 *
 *   62  leaving by the device of probes that go over a bridge        ─▶ table 7469: that device
 *   63  marked, and whence what that device takes in may come        ─▶ table 7469
 *   64  marked, and leaving this host (or asked about as if it did)  ─▶ 66
 *   65  marked                                                       ─▶ table 7468: local
 *   66
 *
 * That device is the engine's, which makes it where a bridge is met with (runtime/probing/tunnel.ts), and the routes of the
 * table with it. By 63 a source is asked for (rp_filter), with the type of service that the engine gives what it takes in.
 */
import { RECEIVED_SERVICE } from '../../engine/guise/guise.ts';
import type { Family } from './plan.ts';
import { FAMILIES, hex } from './plan.ts';
import type { RunProgram } from './program.ts';

const TABLE = 7468;
/** Of the routes over bridges, and the device that they lead to. */
export const BRIDGE_TABLE = 7469;
export const BRIDGE_DEVICE = 'tlspin0';
const [OVER_BRIDGE, FROM_BRIDGE, SKIP, TAKE, REST] = [62, 63, 64, 65, 66];

/** Where there is no such way, probes leave with this host's own address: nothing else depends on it. */
export const WAY = String.raw`# way FAMILY MARK: packets with the mark that come in are this host's; without a mark that ends.
way() {
  command -v ip >/dev/null || return 0
  for rule in '${OVER_BRIDGE} lookup ${BRIDGE_TABLE}' '${FROM_BRIDGE} lookup ${BRIDGE_TABLE}' '${SKIP} goto ${REST}' '${TAKE} lookup ${TABLE}' '${REST} nop'; do
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
    `ip ${family} rule add pref ${OVER_BRIDGE} oif ${BRIDGE_DEVICE} lookup ${BRIDGE_TABLE}`,
    `ip ${family} rule add pref ${FROM_BRIDGE} iif lo fwmark ${mark} tos 0x${RECEIVED_SERVICE.toString(16)} lookup ${BRIDGE_TABLE}`,
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

/** The whole of it as a script of its own, beside rules that are no script. */
export function renderWay(mark: number | null): string {
  const [ipv4, ipv6] = FAMILIES.map((family) => wayOf(mark, family));
  return ['#!/bin/sh', 'set -eu', WAY, ipv4, '[ -e /proc/net/if_inet6 ] || exit 0', ipv6, ''].join('\n');
}

export interface Ways {
  /** What is answered to others' addresses comes back. */
  readonly returning: ReadonlySet<Family>;
  /** And what leaves with them over a bridge is led to its device. */
  readonly bridged: ReadonlySet<Family>;
}

/** `own`: the rules of own chains that packets come by. */
export async function readWays(run: RunProgram, own: ReadonlyMap<string, string>, mark: number): Promise<Ways> {
  const ways = await Promise.all(
    FAMILIES.map(async (family) => {
      const [text, routes] = await Promise.all([
        run('ip', [OPTION[family], '-j', 'rule', 'show']),
        run('ip', [OPTION[family], 'route', 'show', 'table', `${TABLE}`]),
      ]);
      const rules = rulesIn(text ?? '');
      const isLocal = /^local default dev lo\b/m.test(routes ?? '');
      const isReturning = isTaken(rules, mark) && isLocal && isMarked(own, family, mark);
      return { isReturning, isBridged: isReturning && isLed(rules, mark) };
    }),
  );
  return {
    returning: new Set(FAMILIES.filter((_, at) => ways[at]!.isReturning)),
    bridged: new Set(FAMILIES.filter((_, at) => ways[at]!.isBridged)),
  };
}

function rulesIn(text: string): readonly IpRule[] {
  try {
    return JSON.parse(text) as IpRule[];
  } catch {
    return [];
  }
}

function isTaken(rules: readonly IpRule[], mark: number): boolean {
  const ours = marked(rules, mark);
  const isSkipped = ours.some(({ priority, iif }) => priority === SKIP && iif === 'lo');
  return isSkipped && ours.some(({ priority, table }) => priority === TAKE && table === `${TABLE}`);
}

function isLed(rules: readonly IpRule[], mark: number): boolean {
  const ours = rules.filter(({ table }) => table === `${BRIDGE_TABLE}`);
  const isOver = ours.some(({ priority, oif }) => priority === OVER_BRIDGE && oif === BRIDGE_DEVICE);
  return isOver && marked(ours, mark).some(({ priority, iif }) => priority === FROM_BRIDGE && iif === 'lo');
}

function marked(rules: readonly IpRule[], mark: number): IpRule[] {
  return rules.filter(({ fwmark, fwmask }) => Number(fwmark) === mark && Number(fwmask) === mark);
}

interface IpRule {
  readonly priority: number;
  readonly fwmark?: string;
  readonly fwmask?: string;
  readonly iif?: string;
  readonly oif?: string;
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
