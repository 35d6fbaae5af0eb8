/** What rules make of marks, read out of their text: of a connection's, and of the packet's own. */

export interface MarkWrite {
  /** The bits that may be others afterwards. */
  readonly mask: number;
  /** Those that are set for certain; undefined: whatever another mark is. */
  readonly value: number | undefined;
}

/** By `-j CONNMARK`, or nft's `ct mark set`. */
export function connmarkWrite(text: string): MarkWrite | undefined {
  const [, options] = / ?-j CONNMARK (.*)$/.exec(text) ?? [];
  if (options === undefined) return nftWrite(text, CT_MARK);
  const set = setMark(options);
  if (set !== undefined || !options.includes('--save-mark')) return set;
  const [, ctmask = ALL] = /--ctmask (0x[0-9a-f]+)/.exec(options) ?? [];
  return { mask: Number(ctmask), value: undefined };
}

/** By `-j MARK`, or nft's `meta mark set`. */
export function packetMarkWrite(text: string): MarkWrite | undefined {
  const [, options] = / ?-j MARK (.*)$/.exec(text) ?? [];
  return options === undefined ? nftWrite(text, META_MARK) : setMark(options);
}

function setMark(options: string): MarkWrite | undefined {
  const [, value, mask] = /--set-xmark (0x[0-9a-f]+)\/(0x[0-9a-f]+)/.exec(options) ?? [];
  return value === undefined ? undefined : { mask: Number(mask), value: Number(value) };
}

/** `{"mangle": {"key": {"ct": {"key": "mark"}}, "value": …}}`. */
function nftWrite(text: string, key: string): MarkWrite | undefined {
  if (!text.startsWith('[') || !text.includes('"mangle"')) return undefined;
  const expr = JSON.parse(text) as { mangle?: { key: unknown; value: unknown } }[];
  const mangle = expr.find((each) => each.mangle !== undefined)?.mangle;
  if (JSON.stringify(mangle?.key) !== key) return undefined;
  const kept = keptBits(mangle!.value, key);
  return { mask: ~kept >>> 0, value: constantOf(mangle!.value) };
}

/** The bits that are what they were. */
function keptBits(value: unknown, key: string): number {
  if (JSON.stringify(value) === key) return 0xffff_ffff;
  const [[operation = '', operands] = []] = Object.entries((value ?? {}) as Record<string, unknown>);
  if (!Array.isArray(operands)) return 0;
  const [of, constant] = operands as [unknown, unknown];
  if (typeof constant !== 'number') return 0;
  return ((operation === '&' ? constant : ~constant) & keptBits(of, key)) >>> 0;
}

function constantOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  const { '|': or, '&': and } = (value ?? {}) as { '|'?: [unknown, unknown]; '&'?: [unknown, unknown] };
  if (typeof or?.[1] === 'number') return or[1];
  return typeof and?.[1] === 'number' ? 0 : undefined;
}

const CT_MARK = '{"ct":{"key":"mark"}}';
const META_MARK = '{"meta":{"key":"mark"}}';
const ALL = '0xffffffff';
