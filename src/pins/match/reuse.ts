/**
 * A policy that takes over of the one before it what has not changed, as the very same objects: whoever keeps several, to
 * tell of decisions of each, keeps what differs. Equal is what is equal by value; nothing here decides.
 */
import { isDeepStrictEqual } from 'node:util';

import type { CompiledList, CompiledPinset, Policy } from '../policy.ts';

export function reusing(policy: Policy, before: Policy): Policy {
  const pinsets = new Map(before.pinsets.map((pinset) => [pinset.name, pinset]));
  const lists = new Map(before.lists.map((list) => [list.id, list]));
  return {
    ...policy,
    pinsets: policy.pinsets.map((pinset) => samePinset(pinset, pinsets.get(pinset.name)) ?? pinset),
    lists: policy.lists.map((list) => sameList(list, lists.get(list.id)) ?? list),
  };
}

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
