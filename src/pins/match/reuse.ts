/**
 * A policy that takes over of the one before it what has not changed, as the very same objects: whoever keeps several, to
 * tell of decisions of each, keeps what differs, and a packet thread is told no more than that. Equal is what is equal by
 * value; nothing here decides.
 */
import { isDeepStrictEqual } from 'node:util';

import type { CompiledList, CompiledPinset, Policy } from '../policy.ts';
import type { ToldPolicy } from './pack.ts';

/**
 * What few are new among many is copied: V8's strings are parts of the text that they were found in, so that each would
 * keep all of the document of its generation.
 */
export function reusing(policy: Policy, before: Policy): Policy {
  const pinsets = new Map(before.pinsets.map((pinset) => [pinset.name, pinset]));
  const lists = new Map(before.lists.map((list) => [list.id, list]));
  const same = policy.pinsets.map((pinset) => samePinset(pinset, pinsets.get(pinset.name)));
  const bundles = new Bundles(before);
  const isFew = same.filter((pinset) => pinset === undefined).length < same.length / 2;
  const fresh = (pinset: CompiledPinset) => bundles.sharedBy(isFew ? structuredClone(pinset) : pinset);
  return {
    ...policy,
    pinsets: policy.pinsets.map((pinset, at) => same[at] ?? fresh(pinset)),
    lists: policy.lists.map((list) => sameList(list, lists.get(list.id)) ?? list),
  };
}

/** The policy that was told as what differs from the one before it. */
export function completed(told: ToldPolicy, before: Pick<Policy, 'pinsets'>): Policy {
  const bundles = new Bundles(before);
  return {
    ...told,
    pinsets: told.pinsets.map((pinset, at) => (pinset === null ? before.pinsets[at]! : bundles.sharedBy(pinset))),
  };
}

/** What `checks.trust` holds is large, and many pinsets' own: what is equal to one that there was is that one. */
class Bundles {
  readonly #known: ReadonlySet<Bundle>;
  readonly #twins = new Map<Bundle, Bundle>();

  constructor({ pinsets }: Pick<Policy, 'pinsets'>) {
    this.#known = new Set(pinsets.map(({ situations }) => situations.checks.trust));
  }

  sharedBy(pinset: CompiledPinset): CompiledPinset {
    const { situations, learned } = pinset;
    const trust = this.#twinOf(situations.checks.trust);
    if (trust === situations.checks.trust) return pinset;
    return {
      ...pinset,
      situations: { ...situations, checks: { ...situations.checks, trust } },
      ...(learned && { learned: new Map([...learned].map(([host, each]) => [host, this.sharedBy(each)])) }),
    };
  }

  #twinOf(trust: Bundle): Bundle {
    if (trust.length === 0) return trust;
    let twin = this.#twins.get(trust);
    if (twin === undefined) {
      twin = this.#known.has(trust)
        ? trust
        : ([...this.#known].find((each) => isDeepStrictEqual(each, trust)) ?? trust);
      this.#twins.set(trust, twin);
    }
    return twin;
  }
}

type Bundle = CompiledPinset['situations']['checks']['trust'];

function samePinset(pinset: CompiledPinset, before: CompiledPinset | undefined): CompiledPinset | undefined {
  if (before === undefined || pinset.pins.length + pinset.deny.length > MOST_PINS) return undefined;
  return isDeepStrictEqual(pinset, before) ? before : undefined;
}

/** Entries are all alike but for what they are pins of. */
function sameList(list: CompiledList, before: CompiledList | undefined): CompiledList | undefined {
  if (before?.entries.length !== list.entries.length) return undefined;
  const isSame = list.entries.every(({ canonical }, i) => canonical === before.entries[i]!.canonical);
  return isSame && isDeepStrictEqual({ ...list, entries: [] }, { ...before, entries: [] }) ? before : undefined;
}

/** Beyond, comparing takes longer than it saves. */
const MOST_PINS = 1_000;
