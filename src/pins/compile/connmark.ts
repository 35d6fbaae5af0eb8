/** Verdicts and the connection mark: bits that belong to the engine and bits that a verdict may write. */
import type { Path, Reporter } from '../document/message.ts';
import type { CompiledVerdict, ConnmarkLayout } from '../policy.ts';
import type { ConnmarkSource } from '../document/schema/packets.ts';
import type { VerdictSource } from '../document/schema/values.ts';

/**
 * Between the marks that others are known to use: Kubernetes, CNI plugins, Weave, Tailscale and pbr below, dae, zapret and
 * Antrea above.
 */
export const CONNMARK_DEFAULTS: ConnmarkLayout = {
  mask: 0x0300_0000,
  accept: 0x0100_0000,
  deny: 0x0200_0000,
  pending: 0x0300_0000,
  told: 0x0400_0000,
  route: 'auto',
};

export function compileConnmark(source: ConnmarkSource | undefined, path: Path, report: Reporter): ConnmarkLayout {
  const read = (key: 'mask' | 'accept' | 'deny' | 'pending' | 'told') => {
    const value = source?.[key];
    if (value === undefined) return CONNMARK_DEFAULTS[key];
    const parsed = parseBits(String(value));
    if (parsed === undefined) report.error([...path, key], `"${value}" is not a mark such as "0x1000000"`);
    return parsed ?? CONNMARK_DEFAULTS[key];
  };
  const mask = read('mask');
  const layout = { mask, accept: read('accept'), deny: read('deny'), pending: read('pending'), told: read('told') };
  const states = ['accept', 'deny', 'pending'] as const;
  for (const [index, state] of states.entries()) {
    const value = layout[state];
    const same = states.slice(0, index).find((other) => layout[other] === value);
    if ((value & ~mask) !== 0) report.error([...path, state], `${hex(value)} has bits outside the mask ${hex(mask)}`);
    else if (value === 0) report.error([...path, state], '0 is the mark of connections that nobody has looked at');
    else if (same !== undefined) report.error([...path, state], `${hex(value)} is the mark of "${same}" already`);
  }
  if (!isOneBit(layout.told)) report.error([...path, 'told'], `${hex(layout.told)} is not one bit`);
  else if ((layout.told & mask) !== 0)
    report.error([...path, 'told'], `${hex(layout.told)} is in the mask ${hex(mask)}: choose another for one of them`);
  return { ...layout, route: source?.route ?? 'auto' };
}

/** What no verdict may write. */
export interface TakenBits {
  readonly engine: number;
  readonly probe: number;
}

export function compileVerdict(
  source: VerdictSource | undefined,
  fallback: CompiledVerdict,
  path: Path,
  taken: TakenBits,
  report: Reporter,
): CompiledVerdict {
  if (source === undefined) return fallback;
  if (typeof source === 'string') return { action: source, connmark: null };
  const action = source.verdict ?? fallback.action;
  if (source.connmark === undefined) return { action, connmark: null };
  const at = [...path, 'connmark'];
  const [value, mask] = source.connmark.split('/').map((bits) => parseBits(bits));
  if (value === undefined || mask === undefined) {
    report.error(at, `"${source.connmark}" is not a value and a mask such as "0x12/0xff"`);
    return { action, connmark: null };
  }
  if ((mask & taken.engine) !== 0) {
    report.error(at, `the mask ${hex(mask)} overlaps the engine's own bits ${hex(taken.engine)}: choose others`);
  } else if ((mask & taken.probe) !== 0) {
    report.error(
      at,
      `the mask ${hex(mask)} holds the mark of probes ${hex(taken.probe)}: choose another, or "probe.mark"`,
    );
  } else if ((value & ~mask) !== 0) {
    report.error(at, `the value ${hex(value)} has bits outside its mask ${hex(mask)}`);
  } else if (mask === 0) {
    report.error(at, 'a mask of 0 writes nothing: leave "connmark" out');
  }
  return { action, connmark: { value, mask } };
}

export function isOneBit(mark: number): boolean {
  return mark !== 0 && (mark & (mark - 1)) === 0;
}

export function parseBits(text: string): number | undefined {
  const bits = text.trim();
  if (!/^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(bits)) return undefined;
  const value = Number(bits);
  return value <= 0xffff_ffff ? value : undefined;
}

export function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
