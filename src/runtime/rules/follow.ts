/**
 * Follows packets through netfilter's chains as the kernel does: what is queued or dropped ends there, and what is left goes
 * on. Where a rule asks for what nobody knows of a packet, it goes both ways, and what has passed by the rule remembers it.
 */
import type { Ports } from './plan.ts';
import { intersection, overlap, union, without } from './ports.ts';
import type { Chain, Rule, Side, Target } from './ruleset.ts';

/** Packets that are where they are for the same reason. */
export interface Parcel {
  /** The server's, or either end's where none is told from the other. */
  readonly ports: Ports;
  readonly mark: number;
  /** The rule that they came by, if it fits them. */
  readonly by: Rule | undefined;
}

/** What is asked of one walk. */
export interface Errand {
  readonly protocol: 'tcp' | 'udp';
  /** Which end is the server. */
  readonly side: Side;
  /** Whether what a rule asks besides protocol and ports holds of a packet with that mark; undefined: it may. */
  readonly fits: (rule: Rule, mark: number) => boolean | undefined;
  /** Of our queues. */
  readonly onQueue?: (rule: Rule, ports: Ports, chain: Chain) => void;
  readonly onChain?: (chain: Chain) => void;
}

export class Follower {
  readonly #chains = new Map<string, Chain>();
  readonly #queues: readonly [number, number];
  #steps = 0;

  constructor(chains: readonly Chain[], queues: readonly [number, number]) {
    this.#queues = queues;
    for (const chain of chains) this.#chains.set(`${chain.table} ${chain.name}`, chain);
  }

  isOurs(target: Target): boolean {
    return target.kind === 'queue' && target.first <= this.#queues[1] && this.#queues[0] <= target.last;
  }

  /** Chains that it leads to, itself included. */
  reach(chain: Chain, known = new Set<Chain>()): ReadonlySet<Chain> {
    if (known.has(chain)) return known;
    known.add(chain);
    for (const { target } of chain.rules) {
      const next = target.kind === 'chain' ? this.#chains.get(`${chain.table} ${target.chain}`) : undefined;
      if (next !== undefined) this.reach(next, known);
    }
    return known;
  }

  /** What of it goes on behind a built-in chain. */
  through(chain: Chain, entering: Parcel, errand: Errand): Parcel[] {
    const passed: Parcel[] = [];
    const left = this.#follow(chain, entering, errand, passed, 0);
    return merged(chain.passes ? [...left, ...passed] : passed);
  }

  /** What comes to the chain's end, or returns from it; `passed`: what was accepted on its way. */
  #follow(chain: Chain, entering: Parcel, errand: Errand, passed: Parcel[], depth: number): Parcel[] {
    errand.onChain?.(chain);
    let left: Parcel[] = [entering];
    const returned: Parcel[] = [];
    for (const rule of chain.rules) {
      // Too many to tell anything.
      if (++this.#steps > MOST_STEPS) return [];
      if (left.length === 0) break;
      if (rule.protocol !== undefined && rule.protocol !== errand.protocol) continue;
      if (rule.ports !== undefined && !concerns(rule, rule.ports, left, errand)) continue;
      left = left.flatMap((parcel) => this.#meet(rule, chain, parcel, errand, { passed, returned, depth }));
      if (left.length > 1) left = merged(left);
    }
    return merged([...left, ...returned]);
  }

  /** What of a parcel goes on behind the rule. */
  #meet(rule: Rule, chain: Chain, parcel: Parcel, errand: Errand, on: On): Parcel[] {
    const { ports: asked, side } = rule;
    const isOfClient = asked !== undefined && side !== 'either' && errand.side !== 'either' && side !== errand.side;
    // A client's port may be any but those that take a privilege.
    if (isOfClient && asked.every(([, last]) => last < FIRST_OF_CLIENTS)) return [parcel];
    const ports = asked === undefined || isOfClient ? parcel.ports : intersection(parcel.ports, asked);
    if (ports.length === 0) return [parcel];
    const fits = errand.fits(rule, parcel.mark);
    if (fits === false) return [parcel];
    const isSure = fits === true && !isOfClient;
    const met = { ...parcel, ports, by: isSure ? parcel.by : (parcel.by ?? rule) };
    const missed = isSure ? without(parcel.ports, ports) : parcel.ports;
    const behind = this.#take(rule, chain, met, errand, on);
    return missed.length === 0 ? behind : [{ ...parcel, ports: missed }, ...behind];
  }

  #take(rule: Rule, chain: Chain, met: Parcel, errand: Errand, { passed, returned, depth }: On): Parcel[] {
    const { target } = rule;
    switch (target.kind) {
      case 'queue':
        // What another program lets pass goes on with the next built-in chain.
        if (this.isOurs(target)) errand.onQueue?.(rule, met.ports, chain);
        else passed.push(met);
        return [];
      case 'verdict':
        if (target.passes) passed.push(met);
        return [];
      case 'return':
        returned.push(met);
        return [];
      case 'mark': {
        const { mask, value } = target.write;
        const mark = value === undefined ? met.mark : ((met.mark & ~mask) ^ value) >>> 0;
        return [{ ...met, mark }];
      }
      case 'chain': {
        const next = this.#chains.get(`${chain.table} ${target.chain}`);
        if (next === undefined || depth >= MOST_DEPTH) return [met];
        const back = this.#follow(next, met, errand, passed, depth + 1);
        if (target.returns) return back;
        returned.push(...back);
        return [];
      }
      case 'other':
        return [met];
      default:
        return target satisfies never;
    }
  }
}

/** Most rules are of other ports: known without making anything. */
function concerns({ side }: Rule, ports: Ports, left: readonly Parcel[], errand: Errand): boolean {
  if (side !== 'either' && errand.side !== 'either' && side !== errand.side) return true;
  return left.some((parcel) => overlap(parcel.ports, ports));
}

interface On {
  readonly passed: Parcel[];
  readonly returned: Parcel[];
  readonly depth: number;
}

/** By mark; of what is there for certain nothing is there by a rule besides. */
function merged(parcels: readonly Parcel[]): Parcel[] {
  const certain = new Map<number, Parcel>();
  for (const parcel of parcels) {
    if (parcel.by !== undefined) continue;
    const same = certain.get(parcel.mark);
    certain.set(parcel.mark, same === undefined ? parcel : { ...parcel, ports: union(same.ports, parcel.ports) });
  }
  const perhaps = new Map<number, Parcel>();
  for (const parcel of parcels) {
    if (parcel.by === undefined) continue;
    const ports = without(parcel.ports, certain.get(parcel.mark)?.ports ?? []);
    const same = perhaps.get(parcel.mark);
    if (ports.length === 0) continue;
    perhaps.set(parcel.mark, { ...(same ?? parcel), ports: same === undefined ? ports : union(same.ports, ports) });
  }
  return [...certain.values(), ...perhaps.values()];
}

/** Rules that are looked at; the kernel allows no loops, but chains may be jumped to from many places. */
const MOST_STEPS = 10_000_000;
const MOST_DEPTH = 64;
const FIRST_OF_CLIENTS = 1024;
