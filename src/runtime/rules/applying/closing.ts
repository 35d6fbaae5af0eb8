/**
 * Rules for a host whose own cannot be had: nothing goes on that they might have sent to the engine. The next set of rules
 * that is put in place, or taken away, takes them away as well, by whichever program the host was closed. Knows no policy.
 */
import { CLOSED } from '../iptables-parts.ts';
import { TABLE } from '../nft.ts';
import { FAMILIES, type Hook } from '../plan.ts';
import type { RulesFormat } from '../render.ts';
import { FILL, PRELUDE, PRESENT, REMOVE } from '../shell.ts';

/** In words. */
export const CLOSING: Readonly<Record<Hook, string>> = {
  forward: 'nothing is forwarded',
  local: 'this host begins no connection',
};

export function renderClosing(hook: Hook, format: RulesFormat): string {
  return format === 'nft' ? closingNft(hook) : closingIptables(hook);
}

/** A script for sh that takes them away where they are, and does nothing elsewhere. */
export function renderOpening(hook: Hook | 'either', format: RulesFormat): string {
  const hooks = hook === 'either' ? (['forward', 'local'] as const) : [hook];
  const openings = hooks.map(format === 'nft' ? openingNft : openingIptables);
  return ['set -eu', ...(format === 'nft' ? [] : [REMOVE]), ...openings, ''].join('\n');
}

function openingNft(hook: Hook): string {
  const table = `inet ${TABLE[hook]}`;
  return `if nft list chain ${table} closed >/dev/null 2>&1; then nft delete table ${table}; fi`;
}

function openingIptables(hook: Hook): string {
  const { place, jump, chains } = CLOSED[hook];
  return PROGRAMS.map((program) => {
    const removal = `remove ${program} ${place} '${jump}' ${chains.join(' ')}`;
    return `if ${program}-save 2>/dev/null | grep -q '^:${chains[0]!} '; then ${removal}; fi`;
  }).join('\n');
}

const PROGRAMS = ['iptables', 'ip6tables'];

function closingIptables(hook: Hook): string {
  const { place, jump, chains } = CLOSED[hook];
  const fills = FAMILIES.map((family) => {
    const chain = chains[0]!;
    const fill = `fill ${family === 'ipv4' ? 'iptables' : 'ip6tables'} ${place} '${jump}' <<'EOF'`;
    return [fill, `:${chain} - [0:0]`, `-A ${chain} -j DROP`, 'EOF'].join('\n');
  });
  return ['#!/bin/sh', PRELUDE, PRESENT, FILL, fills[0], '[ -e /proc/net/if_inet6 ] || exit 0', fills[1], ''].join(
    '\n',
  );
}

/** In the table that the rules proper replace. */
function closingNft(hook: Hook): string {
  const table = TABLE[hook];
  const base = hook === 'forward' ? 'forward' : 'output';
  const rule = hook === 'forward' ? 'drop' : 'oifname != "lo" ct state new drop';
  return [
    `table inet ${table}`,
    `delete table inet ${table}`,
    `table inet ${table} {`,
    '  chain closed {',
    `    type filter hook ${base} priority -10; policy accept;`,
    `    ${rule}`,
    '  }',
    '}',
    '',
  ].join('\n');
}
