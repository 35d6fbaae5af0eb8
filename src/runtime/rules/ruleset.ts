/**
 * Netfilter's rules as they are in the kernel, whatever program put them there: what `iptables-save`, `ip6tables-save` and
 * `nft -j list ruleset` print, as chains of rules of one kind. Where a program is missing, so is what it would show.
 */
import { type OffloadTexts, readFlowtables } from './offload.ts';
import type { Family } from './plan.ts';
import type { RunProgram } from '../programs/program.ts';
import { bothKinds, type HasLegacy, type Saved, savedRules } from './saved.ts';
import { type Ask, iptablesAsks, nftAsk, UNKNOWN } from './asked.ts';
import { type MarkWrite, packetMarkWrite } from './mark-writes.ts';

export interface Ruleset {
  readonly chains: readonly Chain[];
  readonly texts: OffloadTexts;
  /** Whether any of the programs could be asked. */
  readonly isKnown: boolean;
  /** False where there are rules that they do not tell. */
  readonly isWhole: boolean;
}

export interface Chain {
  /** What jumps within it go by: chains of other tables are others. */
  readonly table: string;
  readonly name: string;
  readonly families: readonly Family[];
  /** Undefined: only jumps lead here. */
  readonly hook: string | undefined;
  /** Chains of one hook are gone through from the least to the greatest. */
  readonly priority: number;
  /** Whether what comes to its end goes on. */
  readonly passes: boolean;
  readonly rules: readonly Rule[];
}

export interface Rule {
  /** Undefined: whatever the protocol. */
  readonly protocol: 'tcp' | 'udp' | 'other' | undefined;
  /** Undefined: whatever the ports. */
  readonly ports: readonly (readonly [number, number])[] | undefined;
  /** Whose they are. */
  readonly side: Side;
  /** What it asks besides protocol and ports. */
  readonly asks: readonly Ask[];
  readonly target: Target;
  /** As it was printed, without what it has counted: iptables' words, or nft's JSON. */
  readonly text: string;
  /** Packets that it has counted; undefined where it does not count. */
  readonly packets: number | undefined;
}

export type Side = 'source' | 'destination' | 'either';

export type Target =
  /** `returns`: a chain that comes to its end goes on behind this rule. */
  | { readonly kind: 'chain'; readonly chain: string; readonly returns: boolean }
  | { readonly kind: 'queue'; readonly first: number; readonly last: number; readonly bypass: boolean }
  /** Ends the table's way. */
  | { readonly kind: 'verdict'; readonly passes: boolean }
  /** Writes the packet's mark, and goes on. */
  | { readonly kind: 'mark'; readonly write: MarkWrite }
  | { readonly kind: 'return' }
  /** Goes on behind it. */
  | { readonly kind: 'other' };

export async function readRuleset(run: RunProgram, hasLegacy?: HasLegacy): Promise<Ruleset> {
  const [ipv4, ipv6, nft, flowtables] = await Promise.all([
    savedRules(run, 'ipv4', ['-c'], hasLegacy),
    savedRules(run, 'ipv6', ['-c'], hasLegacy),
    run('nft', ['-j', 'list', 'ruleset']),
    readFlowtables(run),
  ]);
  return {
    chains: [...savedChains(ipv4, 'ipv4'), ...savedChains(ipv6, 'ipv6'), ...nftChains(nft ?? '')],
    texts: { flowtables: flowtables ?? '', ipv4: bothKinds(ipv4), ipv6: bothKinds(ipv6) },
    isKnown: ipv4.usual !== undefined || nft !== undefined,
    isWhole: ipv4.isWhole && ipv6.isWhole,
  };
}

/** What is not told of the rules, in words; undefined: nothing. */
export function unreadOf({ isKnown, isWhole }: Ruleset): string | undefined {
  if (!isKnown) return 'neither iptables-save nor nft tells';
  return isWhole ? undefined : "there are rules of iptables' legacy kind, which cannot be read";
}

/** Tables of the other kind are others, whatever their name. */
function savedChains({ usual, other }: Saved, family: Family): Chain[] {
  const others = iptablesChains(other ?? '', family).map((chain) => ({ ...chain, table: `other ${chain.table}` }));
  return [...iptablesChains(usual ?? '', family), ...others];
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
      const priority = PRIORITIES[table.slice(family.length + 1)] ?? 0;
      const passes = policy !== 'DROP';
      const chain = { table, name: declared, families: [family], hook, priority, passes, rules: [] };
      chains.set(`${table} ${declared}`, chain);
    }
    const [, packets, chain, rest] = /^(?:\[(\d+):\d+\] )?-A (\S+) ?(.*)$/.exec(line) ?? [];
    const isChain = (name: string) => chains.has(`${table} ${name}`);
    if (chain !== undefined) chains.get(`${table} ${chain}`)?.rules.push(iptablesRule(rest!, packets, isChain));
  }
  return [...chains.values()];
}

function iptablesRule(text: string, packets: string | undefined, isChain: (name: string) => boolean): Rule {
  const plain = text.replace(QUOTED, '""');
  const [, jump, target, rest] = / ?(-[jg]) (\S+)(.*)$/.exec(` ${plain}`) ?? [];
  const matches = ` ${plain}`.replace(/ ?-[jg] \S+.*$/, '');
  const [, protocol] = /(?<!! )-p (\S+)/.exec(matches) ?? [];
  const [, option, ports] = /(?<!! )--(ports|dports?|sports?) (\S+)/.exec(matches) ?? [];
  const asked = matches
    .replace(/(?<! !) -p (?:tcp|udp)\b/, '')
    .replace(/ -m (?:tcp|udp|multiport)\b/g, '')
    .replace(/(?<! !) --(?:ports|dports?|sports?) \S+/, '')
    .replace(/ -m comment --comment (?:""|\S+)/g, '');
  return {
    protocol: protocol === undefined ? undefined : protocol === 'tcp' || protocol === 'udp' ? protocol : 'other',
    ports: ports === undefined ? undefined : portsOf(ports),
    side: sideOf(option?.[0]),
    asks: iptablesAsks(asked),
    target: isChain(target ?? '')
      ? { kind: 'chain', chain: target!, returns: jump === '-j' }
      : iptablesTarget(target ?? '', rest ?? ''),
    text,
    packets: packets === undefined ? undefined : Number(packets),
  };
}

/** Of an option's or a field's first letter. */
function sideOf(letter: string | undefined): Side {
  return letter === 's' ? 'source' : letter === 'd' ? 'destination' : 'either';
}

function iptablesTarget(target: string, rest: string): Target {
  if (target === 'NFQUEUE') {
    const [, first = '0', last = first] = /--queue-(?:num|balance) (\d+)(?::(\d+))?/.exec(rest) ?? [];
    return { kind: 'queue', first: Number(first), last: Number(last), bypass: /--queue-bypass\b/.test(rest) };
  }
  if (VERDICTS.has(target)) return { kind: 'verdict', passes: target === 'ACCEPT' };
  if (target === 'MARK') return markTarget(` -j MARK${rest}`);
  return target === 'RETURN' ? { kind: 'return' } : { kind: 'other' };
}

function markTarget(text: string): Target {
  const write = packetMarkWrite(text);
  return write === undefined ? { kind: 'other' } : { kind: 'mark', write };
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
  const dormant = new Set<string>();
  for (const { table, chain, rule } of nftObjects(text)) {
    if ([table?.flags].flat().includes('dormant')) dormant.add(`${table!.family} ${table!.name}`);
    if (chain !== undefined && !dormant.has(`${chain.family} ${chain.table}`)) {
      const { family, name, hook, prio = 0, policy } = chain;
      const families: Family[] = family === 'ip' ? ['ipv4'] : family === 'ip6' ? ['ipv6'] : ['ipv4', 'ipv6'];
      const of = { table: `${family} ${chain.table}`, name, families, priority: prio };
      chains.set(`${of.table} ${name}`, { ...of, hook, passes: policy !== 'drop', rules: [] });
    }
    if (rule === undefined || rule.expr.some((each) => 'xt' in each)) continue;
    chains.get(`${rule.family} ${rule.table} ${rule.chain}`)?.rules.push(nftRule(rule.expr));
  }
  return [...chains.values()];
}

interface NftObject {
  readonly table?: { readonly family: string; readonly name: string; readonly flags?: string | readonly string[] };
  readonly chain?: {
    readonly family: string;
    readonly table: string;
    readonly name: string;
    readonly hook?: string;
    readonly prio?: number;
    readonly policy?: string;
  };
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
  let ports: NftPorts = { protocol: undefined, ports: undefined, side: 'either' };
  let target: Target = { kind: 'other' };
  let packets: number | undefined;
  const asks: Ask[] = [];
  for (const each of expr) {
    const [[name = '', value] = []] = Object.entries(each);
    const known = nftTarget(name, value, each);
    const asked = name === 'match' ? nftPorts(value) : undefined;
    if (known !== undefined) target = known;
    if (name === 'vmap') asks.push(UNKNOWN);
    else if (known !== undefined) continue;
    else if (name === 'counter') packets = (value as { packets?: number } | null)?.packets;
    else if (asked !== undefined && ports.ports === undefined) ports = asked;
    else if (name === 'match') asks.push(nftAsk(value));
    else if (!STATEMENTS.has(name)) asks.push(UNKNOWN);
  }
  const text = JSON.stringify(expr.map((each) => ('counter' in each ? { counter: null } : each)));
  return { ...ports, asks, target, text, packets };
}

function nftTarget(name: string, value: unknown, each: object): Target | undefined {
  if (name === 'queue') return nftQueue(value as { num?: unknown; flags?: unknown });
  if (name === 'jump' || name === 'goto') {
    return { kind: 'chain', chain: (value as { target: string }).target, returns: name === 'jump' };
  }
  if (['accept', 'drop', 'reject'].includes(name)) return { kind: 'verdict', passes: name === 'accept' };
  // Which of its verdicts it comes to is asked of more than is known.
  if (name === 'vmap') return { kind: 'verdict', passes: true };
  if (name === 'mangle') return markTarget(JSON.stringify([each]));
  return name === 'return' ? { kind: 'return' } : undefined;
}

function nftQueue({ num, flags }: { num?: unknown; flags?: unknown }): Target {
  const [first, last] = typeof num === 'number' ? [num, num] : ((num as { range?: [number, number] })?.range ?? [0, 0]);
  return { kind: 'queue', first, last, bypass: [flags].flat().includes('bypass') };
}

type NftPorts = Pick<Rule, 'protocol' | 'ports' | 'side'>;

/** `tcp dport { … }`. */
function nftPorts(value: unknown): NftPorts | undefined {
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
  // A set by its name.
  if (ports.flat().some(Number.isNaN)) return undefined;
  return { protocol, ports, side: sideOf(field[0]) };
}

/** For people. */
export function shortened(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

export function isOwn({ name, table }: Pick<Chain, 'name' | 'table'>): boolean {
  return /^tlspin(-|$)/.test(name) || /^inet tlspin(_local)?$/.test(table);
}

/** Comments are anybody's words. */
const QUOTED = /"(?:[^"\\]|\\.)*"/g;
const VERDICTS: ReadonlySet<string> = new Set(['ACCEPT', 'DROP', 'REJECT']);
/** linux/netfilter_ipv4.h, NF_IP_PRI_*. */
const PRIORITIES: Readonly<Record<string, number>> = { raw: -300, mangle: -150, nat: -100, filter: 0, security: 50 };
/** Of nft, what asks nothing and goes on. */
const STATEMENTS: ReadonlySet<string> = new Set(['log', 'notrack', 'ct helper', 'set', 'flow', 'secmark', 'dup']);
const LONGEST = 120;
