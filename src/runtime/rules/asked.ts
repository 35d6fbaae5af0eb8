/**
 * What a rule asks of a packet besides protocol and ports, as far as that is known of one: what opens or goes on, what
 * connection tracking says of it, marks, loopback. All else (addresses, interfaces) may hold or not.
 */
import { BRIDGE_DEVICE } from './bridge-way.ts';
import type { Family } from './plan.ts';

/** A packet in so far as rules of ours ask about it. */
export interface Packet {
  readonly family: Family;
  readonly protocol: 'tcp' | 'udp';
  readonly way: 'forwarded' | 'incoming' | 'outgoing';
  /** Of TCP: SYN and ACK; no others are set. */
  readonly flags: number;
  readonly state: string;
  readonly connmark: number;
  readonly mark: number;
  /** The bits of both marks that are known; whoever uses others may have set them. */
  readonly known: number;
}

/** Undefined: it may hold or not. */
export type Ask = (packet: Packet) => boolean | undefined;

/** Whether all of it holds. */
export function fits(asks: readonly Ask[], packet: Packet): boolean | undefined {
  let all: boolean | undefined = true;
  for (const ask of asks) {
    const holds = ask(packet);
    if (holds === false) return false;
    all &&= holds;
  }
  return all;
}

export const UNKNOWN: Ask = () => undefined;

/** By which nothing comes or leaves that rules are for. */
const NO_FLOWS: readonly string[] = ['lo', BRIDGE_DEVICE];

/** Of iptables' words, without protocol and ports. */
export function iptablesAsks(words: string): Ask[] {
  const asks: Ask[] = [];
  const left = WORDS.reduce(
    (text, [pattern, make]) =>
      text.replace(pattern, (_, not: string | undefined, ...values: string[]) => {
        asks.push(negatedIf(not !== undefined, make(...values)));
        return '';
      }),
    words,
  );
  return left.trim() === '' ? asks : [...asks, UNKNOWN];
}

const WORDS: readonly (readonly [RegExp, (...values: string[]) => Ask])[] = [
  [new RegExp(`( !)? -[io] (?:${NO_FLOWS.join('|')})(?= |$)`, 'g'), () => () => false],
  [/ -m addrtype( !)? --dst-type LOCAL(?= |$)/g, () => toThisHost],
  [/ -m (?:conntrack|state)( !)? --(?:ct)?state ([A-Z,]+)/g, (states) => inState(states!.split(','))],
  [/ -m connmark( !)? --mark (0x[0-9a-f]+)(?:\/(0x[0-9a-f]+))?/g, (value, mask) => marked('connmark', value, mask)],
  [/ -m mark( !)? --mark (0x[0-9a-f]+)(?:\/(0x[0-9a-f]+))?/g, (value, mask) => marked('mark', value, mask)],
  [/( !)? --tcp-flags (\S+) (\S+)/g, (mask, set) => flagged(bitsOf(mask!.split(',')), bitsOf(set!.split(',')))],
];

/** Of an expression `match` of nft's. */
export function nftAsk(value: unknown): Ask {
  const { op, left, right } = value as { op: string; left: unknown; right: unknown };
  const ask = op === '==' || op === '!=' || op === 'in' ? nftEquality(left, right, op === 'in') : undefined;
  return ask === undefined ? UNKNOWN : negatedIf(op === '!=', ask);
}

function nftEquality(left: unknown, right: unknown, isAny: boolean): Ask | undefined {
  const [of, mask] = (left as { '&'?: [unknown, unknown] } | null)?.['&'] ?? [left, undefined];
  const key = JSON.stringify(of);
  const words = wordsOf(right);
  if (key === '{"ct":{"key":"mark"}}') return nftMarked('connmark', right, mask);
  if (key === '{"meta":{"key":"mark"}}') return nftMarked('mark', right, mask);
  if (key === '{"payload":{"protocol":"tcp","field":"flags"}}') return nftFlagged(mask, right, isAny);
  if (mask !== undefined || words === undefined) return undefined;
  if (key === '{"ct":{"key":"state"}}') return inState(words.map((word) => word.toUpperCase()));
  if (INTERFACES.has(key)) return words.every((word) => NO_FLOWS.includes(word)) ? () => false : undefined;
  if (key === '{"fib":{"result":"type","flags":["daddr"]}}' && words[0] === 'local') return toThisHost;
  if (key === '{"meta":{"key":"nfproto"}}') return ({ family }) => words.includes(family);
  if (PROTOCOLS.has(key)) return ({ protocol }) => words.includes(protocol);
  return undefined;
}

function nftMarked(of: 'mark' | 'connmark', right: unknown, mask: unknown): Ask | undefined {
  if (typeof right !== 'number' || (mask !== undefined && typeof mask !== 'number')) return undefined;
  return marked(of, `${right}`, mask === undefined ? undefined : `${mask}`);
}

function nftFlagged(mask: unknown, right: unknown, isAny: boolean): Ask | undefined {
  const words = wordsOf(right);
  if (words === undefined) return undefined;
  const bits = bitsOf(words);
  if (isAny) return ({ flags }) => (flags & bits) !== 0;
  // Each of a set for itself, and not all of them together.
  if (words.length > 1 && (right as { set?: unknown }).set !== undefined) return undefined;
  const masked = wordsOf(mask);
  return masked === undefined ? ({ flags }) => flags === bits : flagged(bitsOf(masked), bits);
}

/** One word, several, or a set of them. */
function wordsOf(value: unknown): string[] | undefined {
  const { set, '|': or } = (value ?? {}) as { set?: unknown[]; '|'?: unknown[] };
  const all = Array.isArray(value) ? (value as unknown[]) : (set ?? or ?? [value]);
  return all.every((each): each is string => typeof each === 'string') ? all : undefined;
}

function negatedIf(isNegated: boolean, ask: Ask): Ask {
  if (!isNegated) return ask;
  return (packet) => {
    const holds = ask(packet);
    return holds === undefined ? undefined : !holds;
  };
}

const toThisHost: Ask = ({ way }) => way === 'incoming';

function inState(states: readonly string[]): Ask {
  return ({ state }) => states.includes(state);
}

function marked(of: 'mark' | 'connmark', value = '0', mask = '0xffffffff'): Ask {
  const [wanted, looked] = [Number(value), Number(mask)];
  return (packet) => {
    const differs = ((packet[of] & looked) ^ wanted) >>> 0;
    if ((differs & packet.known) !== 0) return false;
    return (looked & ~packet.known) === 0 ? differs === 0 : undefined;
  };
}

function flagged(mask: number, set: number): Ask {
  return ({ flags }) => (flags & mask) === set;
}

/** RFC 9293 §3.1. */
const FLAGS: readonly string[] = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG'];
export const [SYN, ACK] = [2, 16];

function bitsOf(names: readonly string[]): number {
  const upper = names.map((name) => name.toUpperCase());
  return FLAGS.reduce((bits, name, at) => (upper.includes(name) || upper.includes('ALL') ? bits | (1 << at) : bits), 0);
}

const INTERFACES: ReadonlySet<string> = new Set(
  ['iif', 'oif', 'iifname', 'oifname'].map((key) => JSON.stringify({ meta: { key } })),
);
const PROTOCOLS: ReadonlySet<string> = new Set([
  '{"meta":{"key":"l4proto"}}',
  '{"payload":{"protocol":"ip","field":"protocol"}}',
  '{"payload":{"protocol":"ip6","field":"nexthdr"}}',
]);
