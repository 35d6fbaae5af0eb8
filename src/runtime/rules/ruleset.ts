/**
 * Netfilter's rules as they are in the kernel, whatever program put them there: what `iptables-save`, `ip6tables-save` and
 * `nft -j list ruleset` print, as chains of rules of one kind. Where a program is missing, so is what it would show.
 */
import { type OffloadTexts, readFlowtables } from './offload.ts';
import type { Family } from './plan.ts';
import type { RunProgram } from './program.ts';

export interface Ruleset {
  readonly chains: readonly Chain[];
  readonly texts: OffloadTexts;
  /** Whether any of the programs could be asked. */
  readonly isKnown: boolean;
}

export interface Chain {
  /** What jumps within it go by: chains of other tables are others. */
  readonly table: string;
  readonly name: string;
  readonly families: readonly Family[];
  /** Undefined: only jumps lead here. */
  readonly hook: string | undefined;
  readonly rules: readonly Rule[];
}

export interface Rule {
  /** Undefined: whatever the protocol. */
  readonly protocol: 'tcp' | 'udp' | 'other' | undefined;
  /** Of either end; undefined: whatever the ports. */
  readonly ports: readonly (readonly [number, number])[] | undefined;
  /** Whether it asks anything besides protocol and ports. */
  readonly isConditional: boolean;
  readonly target: Target;
  /** As it was printed: iptables' words, or nft's JSON. */
  readonly text: string;
  /** Packets that it has counted; undefined where it does not count. */
  readonly packets: number | undefined;
}

export type Target =
  /** `returns`: a chain that comes to its end goes on behind this rule. */
  | { readonly kind: 'chain'; readonly chain: string; readonly returns: boolean }
  | { readonly kind: 'queue'; readonly first: number; readonly last: number; readonly bypass: boolean }
  /** Ends the table's way. */
  | { readonly kind: 'verdict' }
  | { readonly kind: 'return' }
  /** Goes on behind it. */
  | { readonly kind: 'other' };

export async function readRuleset(run: RunProgram): Promise<Ruleset> {
  const [ipv4, ipv6, nft, flowtables] = await Promise.all([
    run('iptables-save', ['-c']),
    run('ip6tables-save', ['-c']),
    run('nft', ['-j', 'list', 'ruleset']),
    readFlowtables(run),
  ]);
  return {
    chains: [...iptablesChains(ipv4 ?? '', 'ipv4'), ...iptablesChains(ipv6 ?? '', 'ipv6'), ...nftChains(nft ?? '')],
    texts: { flowtables: flowtables ?? '', ipv4: ipv4 ?? '', ipv6: ipv6 ?? '' },
    isKnown: ipv4 !== undefined || nft !== undefined,
  };
}

/** What `iptables-save -c` prints. */
export function iptablesChains(text: string, family: Family): Chain[] {
  const chains = new Map<string, Chain & { rules: Rule[] }>();
  let table = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) table = `${family} ${line.slice(1)}`;
    const [, declared, policy] = /^:(\S+) (\S+)/.exec(line) ?? [];
    if (declared !== undefined) {
      const hook = policy === '-' ? undefined : declared.toLowerCase();
      chains.set(`${table} ${declared}`, { table, name: declared, families: [family], hook, rules: [] });
    }
    const [, packets, chain, rest] = /^(?:\[(\d+):\d+\] )?-A (\S+) ?(.*)$/.exec(line) ?? [];
    if (chain !== undefined) chains.get(`${table} ${chain}`)?.rules.push(iptablesRule(rest!, packets));
  }
  return [...chains.values()];
}

function iptablesRule(text: string, packets: string | undefined): Rule {
  const plain = text.replace(QUOTED, '""');
  const [, jump, target, rest] = / ?(-[jg]) (\S+)(.*)$/.exec(` ${plain}`) ?? [];
  const matches = ` ${plain}`.replace(/ ?-[jg] \S+.*$/, '');
  const [, protocol] = /(?<!! )-p (\S+)/.exec(matches) ?? [];
  const [, ports] = /(?<!! )--(?:d?ports?|sports?|dports) (\S+)/.exec(matches) ?? [];
  const asked = matches
    .replace(/ -p (?:tcp|udp)\b/, '')
    .replace(/ -m (?:tcp|udp|multiport)\b/g, '')
    .replace(/ --(?:ports|dports?|sports?) \S+/, '')
    .replace(/ -m comment --comment (?:""|\S+)/g, '');
  return {
    protocol: protocol === undefined ? undefined : protocol === 'tcp' || protocol === 'udp' ? protocol : 'other',
    ports: ports === undefined ? undefined : portsOf(ports),
    isConditional: asked.trim() !== '',
    target: target === undefined ? { kind: 'other' } : iptablesTarget(jump!, target, rest!),
    text,
    packets: packets === undefined ? undefined : Number(packets),
  };
}

function iptablesTarget(jump: string, target: string, rest: string): Target {
  if (target === 'NFQUEUE') {
    const [, first = '0', last = first] = /--queue-(?:num|balance) (\d+)(?::(\d+))?/.exec(rest) ?? [];
    return { kind: 'queue', first: Number(first), last: Number(last), bypass: /--queue-bypass\b/.test(rest) };
  }
  if (VERDICTS.has(target)) return { kind: 'verdict' };
  if (target === 'RETURN') return { kind: 'return' };
  // Targets that go on are written in capitals too, and so are built-in chains, which nothing jumps to.
  if (/^[A-Z0-9_]+$/.test(target)) return { kind: 'other' };
  return { kind: 'chain', chain: target, returns: jump === '-j' };
}

/** `443,8000:8080`. */
function portsOf(text: string): [number, number][] {
  return text.split(',').map((part) => {
    const [first = '', last = first] = part.split(':');
    return [Number(first), last === '' ? 65_535 : Number(last)];
  });
}

/** libnftables-json(5). What iptables' nft variant keeps there is opaque in it, and comes from `iptables-save`. */
export function nftChains(text: string): Chain[] {
  const chains = new Map<string, Chain & { rules: Rule[] }>();
  for (const { chain, rule } of nftObjects(text)) {
    if (chain !== undefined) {
      const { family, table, name, hook } = chain;
      const families: Family[] = family === 'ip' ? ['ipv4'] : family === 'ip6' ? ['ipv6'] : ['ipv4', 'ipv6'];
      chains.set(`${family} ${table} ${name}`, { table: `${family} ${table}`, name, families, hook, rules: [] });
    }
    if (rule === undefined || rule.expr.some((each) => 'xt' in each)) continue;
    chains.get(`${rule.family} ${rule.table} ${rule.chain}`)?.rules.push(nftRule(rule.expr));
  }
  return [...chains.values()];
}

interface NftObject {
  readonly chain?: { readonly family: string; readonly table: string; readonly name: string; readonly hook?: string };
  readonly rule?: {
    readonly family: string;
    readonly table: string;
    readonly chain: string;
    readonly expr: readonly Readonly<Record<string, unknown>>[];
  };
}

function nftObjects(text: string): readonly NftObject[] {
  try {
    return (JSON.parse(text) as { nftables: NftObject[] }).nftables;
  } catch {
    return [];
  }
}

function nftRule(expr: readonly Readonly<Record<string, unknown>>[]): Rule {
  let protocol: Rule['protocol'];
  let ports: Rule['ports'];
  let isConditional = false;
  let target: Target = { kind: 'other' };
  let packets: number | undefined;
  for (const each of expr) {
    const [[name = '', value] = []] = Object.entries(each);
    const known = nftTarget(name, value);
    if (known !== undefined) target = known;
    else if (name === 'counter') packets = (value as { packets?: number } | null)?.packets;
    else if (name === 'match') {
      const asked = nftPorts(value);
      if (asked === undefined) isConditional = true;
      else ({ protocol, ports } = asked);
    } else if (name === 'limit') isConditional = true;
  }
  return { protocol, ports, isConditional, target, text: JSON.stringify(expr), packets };
}

function nftTarget(name: string, value: unknown): Target | undefined {
  if (name === 'queue') return nftQueue(value as { num?: unknown; flags?: unknown });
  if (name === 'jump' || name === 'goto') {
    return { kind: 'chain', chain: (value as { target: string }).target, returns: name === 'jump' };
  }
  if (['accept', 'drop', 'reject'].includes(name)) return { kind: 'verdict' };
  return name === 'return' ? { kind: 'return' } : undefined;
}

function nftQueue({ num, flags }: { num?: unknown; flags?: unknown }): Target {
  const [first, last] = typeof num === 'number' ? [num, num] : ((num as { range?: [number, number] })?.range ?? [0, 0]);
  return { kind: 'queue', first, last, bypass: [flags].flat().includes('bypass') };
}

/** `tcp dport { … }`. */
function nftPorts(value: unknown): Pick<Rule, 'protocol' | 'ports'> | undefined {
  const { op, left, right } = value as {
    op: string;
    left: { payload?: { protocol: string; field: string } };
    right: unknown;
  };
  const { protocol, field } = left.payload ?? {};
  if (op !== '==' || (protocol !== 'tcp' && protocol !== 'udp') || (field !== 'dport' && field !== 'sport')) return;
  const parts = (right as { set?: unknown[] } | null)?.set ?? [right];
  const ports = parts.map((part): [number, number] => {
    const range = (part as { range?: [number, number] } | null)?.range;
    return range ?? [Number(part), Number(part)];
  });
  return { protocol, ports };
}

/** Comments are anybody's words. */
const QUOTED = /"(?:[^"\\]|\\.)*"/g;
const VERDICTS: ReadonlySet<string> = new Set(['ACCEPT', 'DROP', 'REJECT']);
