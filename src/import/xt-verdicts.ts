/**
 * Targets of xt_sslpin's rules as verdicts, together with the rules that drop by a mark which another one has written.
 * Knows no tests and no conditions.
 */
import { CONNMARK_DEFAULTS } from '../pins/compile/connmark.ts';
import { PROBE_DEFAULTS } from '../pins/probe.ts';
import type { IptablesRule } from './iptables.ts';

/** A rule that denies what has a mark. */
export interface MarkDrop {
  readonly value: number;
  readonly mask: number;
  readonly verdict: 'drop' | 'reset';
}

export function dropsByMark(rule: IptablesRule | undefined): MarkDrop[] {
  const mark = rule?.matches.find(({ name }) => name === 'mark');
  const isDenial = rule?.target === 'DROP' || rule?.target === 'REJECT';
  if (mark === undefined || mark.isInverted || !isDenial) return [];
  const [value = NaN, mask = 0xffff_ffff] = mark.value.split('/').map(Number);
  if (!Number.isInteger(value) || !Number.isInteger(mask)) return [];
  return [{ value, mask, verdict: rule.target === 'DROP' ? 'drop' : 'reset' }];
}

export function verdictOf(
  { target, targetOptions }: IptablesRule,
  drops: readonly MarkDrop[],
  comments: string[],
): { verdict: unknown } | { error: string } {
  switch (target) {
    case 'DROP':
      return { verdict: 'drop' };
    case 'REJECT':
      if (targetOptions.get('reject-with') !== 'tcp-reset') comments.push('REJECT: the reset goes to both sides');
      return { verdict: 'reset' };
    case 'ACCEPT':
      comments.push('accept goes on with the next rule here, and lifts no pinset');
      return { verdict: 'accept' };
    case 'MARK':
      comments.push('MARK: the packet mark has no verdict here; it is the connection that is marked');
      return markOf(targetOptions, drops, comments);
    case 'CONNMARK':
      return markOf(targetOptions, drops, comments);
    case '':
      return { error: 'a rule without a target only counts' };
    default:
      return { error: `the target ${target} has no like here` };
  }
}

function markOf(
  options: ReadonlyMap<string, string>,
  drops: readonly MarkDrop[],
  comments: string[],
): { verdict: unknown } | { error: string } {
  const text = options.get('set-mark') ?? options.get('set-xmark') ?? options.get('or-mark');
  const [value = NaN, mask = 0xffff_ffff] = (text ?? '').split('/').map(Number);
  if (text === undefined || !Number.isInteger(value) || !Number.isInteger(mask)) {
    return { error: 'only --set-mark, --set-xmark and --or-mark can be said here' };
  }
  const wanted = options.has('or-mark') ? value : (mask | value) >>> 0;
  const kept = (wanted & ~OWN_BITS) >>> 0;
  if ((value & OWN_BITS) !== 0) return { error: "the mark has bits that are the engine's own (connmark, probe.mark)" };
  if (kept !== wanted)
    comments.push(`the mask leaves out ${hex((wanted & OWN_BITS) >>> 0)}, which is the engine's own`);
  const connmark = `${hex(value)}/${hex(kept)}`;
  const drop = drops.find((one) => (value & one.mask) >>> 0 === one.value);
  if (drop !== undefined) {
    comments.push(
      `another rule ${drop.verdict === 'drop' ? 'drops' : 'rejects'} by the mark ${hex(drop.value)}: so does this one`,
    );
    return { verdict: { verdict: drop.verdict, connmark } };
  }
  comments.push('marked and let pass, as it was: if a rule elsewhere drops by the mark, write "drop"');
  return { verdict: { verdict: 'accept', connmark } };
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** `connmark.mask`, `connmark.told` and `probe.mark`, where the configuration does not say otherwise. */
const OWN_BITS = (CONNMARK_DEFAULTS.mask | CONNMARK_DEFAULTS.told | PROBE_DEFAULTS.mark) >>> 0;
