/**
 * Rules of others that write the engine's bits of connection marks. Read out of what there is in the kernel; that a program
 * writes a mark without a rule (`conntrack -U`) shows nowhere.
 */
import type { Policy } from '../../pins/policy.ts';
import { ownedConnmarkBits } from './connmark-mask.ts';
import { isOwn } from './feeds.ts';
import { hex } from './plan.ts';
import type { Chain, Ruleset } from './ruleset.ts';

export type ForeignMark = 'marks.accepting' | 'marks.overwritten';

/** What a rule makes of a connection's mark: the bits that may be others afterwards, and those that are set for certain. */
interface Write {
  readonly mask: number;
  /** Undefined: whatever the packet's mark is. */
  readonly value: number | undefined;
}

/** In words, each kind once. */
export function foreignMarks({ chains }: Pick<Ruleset, 'chains'>, policy: Policy): Map<ForeignMark, string> {
  const owned = (ownedConnmarkBits(policy) | policy.probe.mark) >>> 0;
  const { mask, accept } = policy.connmark;
  const found = new Map<ForeignMark, string>();
  for (const chain of chains) {
    if (isOwn(chain)) continue;
    for (const { text } of chain.rules) {
      const write = iptablesWrite(text) ?? nftWrite(text);
      if (write === undefined || (write.mask & owned) === 0) continue;
      const writesAll = (write.mask & mask) >>> 0 === mask;
      const isAccepting = write.value !== undefined && writesAll && (write.value & mask) >>> 0 === accept;
      const kind = isAccepting ? 'marks.accepting' : 'marks.overwritten';
      if (!found.has(kind)) found.set(kind, describe(chain, write.mask & owned, text));
    }
  }
  return found;
}

function describe({ table, name }: Chain, bits: number, text: string): string {
  const rule = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  return `a rule of ${table} ${name} writes ${hex(bits)} of connection marks (${rule})`;
}

function iptablesWrite(text: string): Write | undefined {
  const [, options] = /-j CONNMARK (.*)$/.exec(text) ?? [];
  if (options === undefined) return undefined;
  const [, value, mask] = /--set-xmark (0x[0-9a-f]+)\/(0x[0-9a-f]+)/.exec(options) ?? [];
  if (value !== undefined) return { mask: Number(mask), value: Number(value) };
  if (!options.includes('--save-mark')) return undefined;
  const [, ctmask = ALL] = /--ctmask (0x[0-9a-f]+)/.exec(options) ?? [];
  return { mask: Number(ctmask), value: undefined };
}

/** `{"mangle": {"key": {"ct": {"key": "mark"}}, "value": …}}`. */
function nftWrite(text: string): Write | undefined {
  if (!text.startsWith('[') || !text.includes('"mangle"')) return undefined;
  const expr = JSON.parse(text) as { mangle?: { key: unknown; value: unknown } }[];
  const mangle = expr.find((each) => each.mangle !== undefined)?.mangle;
  if (JSON.stringify(mangle?.key) !== CT_MARK) return undefined;
  const kept = keptBits(mangle!.value);
  return { mask: ~kept >>> 0, value: constantOf(mangle!.value) };
}

/** The bits that are what they were. */
function keptBits(value: unknown): number {
  if (JSON.stringify(value) === CT_MARK) return 0xffff_ffff;
  const [[operation = '', operands] = []] = Object.entries((value ?? {}) as Record<string, unknown>);
  if (!Array.isArray(operands)) return 0;
  const [of, constant] = operands as [unknown, unknown];
  if (typeof constant !== 'number') return 0;
  return ((operation === '&' ? constant : ~constant) & keptBits(of)) >>> 0;
}

function constantOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  const set = (value as { '|'?: [unknown, unknown] } | null)?.['|']?.[1];
  return typeof set === 'number' ? set : undefined;
}

const CT_MARK = '{"ct":{"key":"mark"}}';
const ALL = '0xffffffff';
const LONGEST = 120;
