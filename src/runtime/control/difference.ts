/**
 * What changes when one policy takes another's place, in the words of the configuration: pinsets and their pins, lists,
 * rules, and the sections whose values differ. Pure.
 */
import type { CompiledList, CompiledPin, CompiledPinset, Policy } from '../../pins/policy.ts';
import { differenceOfSequences } from '../../pins/match/sequence-difference.ts';
import { renderRules } from '../rules/render.ts';

export interface Difference {
  readonly pinsets: {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly changed: readonly PinsetDifference[];
  };
  readonly lists: {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly changed: readonly ({ readonly list: string } & EntryDifference)[];
  };
  /** Other keys of the document whose meaning differs, such as `limits`. */
  readonly sections: readonly string[];
  /** Why the netfilter rules have to be printed and applied again; empty where they are the same. */
  readonly rules: readonly string[];
}

export interface PinsetDifference {
  readonly pinset: string;
  readonly pins: EntryDifference;
  readonly deny: EntryDifference;
  /** Its other keys, such as `mode`. */
  readonly keys: readonly string[];
}

/** Canonical spellings: the first of them, and how many there are. */
export interface EntryDifference {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly addedCount: number;
  readonly removedCount: number;
}

export function differenceOf(before: Policy, after: Policy): Difference {
  const pinsets = byName(before.pinsets, after.pinsets, ({ name }) => name);
  const lists = byName(before.lists, after.lists, ({ id }) => id);
  return {
    pinsets: {
      added: pinsets.added,
      removed: pinsets.removed,
      changed: pinsets.kept.map(([old, now]) => pinsetDifference(old, now)).filter(isDifferent),
    },
    lists: {
      added: lists.added,
      removed: lists.removed,
      changed: lists.kept
        .map(([old, now]) => listDifference(old, now))
        .filter(({ addedCount, removedCount }) => addedCount + removedCount > 0),
    },
    sections: SECTIONS.filter((key) => !isEqual(before[key], after[key])),
    rules: rulesDifference(before, after),
  };
}

/** Nothing that anybody would notice. */
export function isNothing({ pinsets, lists, sections, rules }: Difference): boolean {
  const parts = [pinsets.added, pinsets.removed, pinsets.changed, lists.added, lists.removed, lists.changed];
  return [...parts, sections, rules].every((part) => part.length === 0);
}

function pinsetDifference(before: CompiledPinset, after: CompiledPinset): PinsetDifference {
  const keys = (Object.keys(after) as (keyof CompiledPinset)[]).filter(
    (key) => key !== 'pins' && key !== 'deny' && key !== 'index' && !isEqual(before[key], after[key]),
  );
  return {
    pinset: after.name,
    pins: entryDifference(before.pins, after.pins, describePin),
    deny: entryDifference(before.deny, after.deny, describePin),
    keys,
  };
}

function isDifferent({ pins, deny, keys }: PinsetDifference): boolean {
  const counts = [pins, deny].map(({ addedCount, removedCount }) => addedCount + removedCount);
  return keys.length > 0 || counts.some((count) => count > 0);
}

function listDifference(before: CompiledList, after: CompiledList): { readonly list: string } & EntryDifference {
  return { list: after.id, ...entryDifference(before.entries, after.entries, ({ canonical }) => canonical) };
}

function entryDifference(
  before: readonly CompiledPin[],
  after: readonly CompiledPin[],
  describe: (pin: CompiledPin) => string,
): EntryDifference {
  const { added, removed } = differenceOfSequences(before, after, describe, isSamePin);
  return {
    added: added.slice(0, SHOWN),
    removed: removed.slice(0, SHOWN),
    addedCount: added.length,
    removedCount: removed.length,
  };
}

function isSamePin(a: CompiledPin, b: CompiledPin): boolean {
  const isOnSameTerms = a.at === b.at && a.role === b.role && a.notBefore === b.notBefore && a.expires === b.expires;
  return isOnSameTerms && a.canonical === b.canonical;
}

/** `spki-sha256:… (at ca, backup, until 2027-01-31)`: a pin whose terms change is another pin. */
function describePin({ canonical, at, role, notBefore, expires }: CompiledPin): string {
  if (role === 'primary' && notBefore === null && expires === null) return `${canonical} (at ${at})`;
  const terms = [
    `at ${at}`,
    ...(role === 'backup' ? ['backup'] : []),
    ...(notBefore === null || notBefore === Infinity ? [] : [`from ${new Date(notBefore).toISOString()}`]),
    ...(expires === null ? [] : [`until ${new Date(expires).toISOString()}`]),
  ];
  return `${canonical} (${terms.join(', ')})`;
}

/** The rules themselves are compared; the parts that they are made of say why. */
function rulesDifference(before: Policy, after: Policy): string[] {
  const isSame = HOOKS.every((hook) => rulesOf(before, hook) === rulesOf(after, hook));
  if (isSame) return [];
  const causes = RULES_CAUSES.filter(([, of]) => !isEqual(of(before), of(after))).map(([cause]) => cause);
  return causes.length > 0 ? causes : ['pinsets'];
}

function rulesOf(policy: Policy, hook: 'forward' | 'local'): string {
  // They name the configuration that they are of.
  return renderRules({ ...policy, hash: '' }, { hook, format: 'iptables', quic: true, queueBypass: false });
}

function byName<T>(before: readonly T[], after: readonly T[], nameOf: (item: T) => string) {
  const old = new Map(before.map((item) => [nameOf(item), item]));
  const now = new Map(after.map((item) => [nameOf(item), item]));
  return {
    added: [...now.keys()].filter((name) => !old.has(name)),
    removed: [...old.keys()].filter((name) => !now.has(name)),
    kept: [...now].flatMap(([name, item]): [T, T][] => (old.has(name) ? [[old.get(name)!, item]] : [])),
  };
}

function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

const SECTIONS = [
  'pins',
  'rules',
  'pinned',
  'unpinned',
  'onMismatch',
  'connmark',
  'limits',
  'probe',
  'keylog',
  'ports',
  'log',
  'control',
  'fleet',
  'user',
  'queues',
  'failOpen',
  'keptRules',
  'allowOffload',
] as const satisfies readonly (keyof Policy)[];

const RULES_CAUSES: readonly (readonly [string, (policy: Policy) => unknown])[] = [
  ['ports', (policy) => policy.ports],
  ['queues', (policy) => policy.queues],
  ['connmark', (policy) => policy.connmark],
  ['probe.mark', (policy) => policy.probe.mark],
];
const HOOKS = ['forward', 'local'] as const;
/** Entries that are shown of each kind of change. */
const SHOWN = 50;
