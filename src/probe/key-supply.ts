/**
 * Key shares that are drawn ahead of the connections that say them, of the groups that clients were seen to share: a pair
 * takes tens of microseconds, and one with ML-KEM a millisecond, for which a client would wait. Each is taken once and never
 * comes back. Knows no hello.
 */
import { createKeyShare, type OwnKeyShare } from './key-share.ts';

export class KeySupply {
  readonly #shelves = new Map<number, OwnKeyShare[]>();
  #isFilling = false;

  /** Undefined for a group that this runtime cannot do. */
  take(group: number): OwnKeyShare | undefined {
    const drawn = this.#shelves.get(group)?.pop();
    const share = drawn ?? createKeyShare(group);
    if (share === undefined) return undefined;
    if (drawn === undefined && !this.#shelves.has(group)) this.#shelves.set(group, []);
    this.#fillSoon(FILL_AFTER_MS);
    return share;
  }

  /** Whoever waits now is not to wait for this. */
  #fillSoon(afterMs: number): void {
    if (this.#isFilling) return;
    this.#isFilling = true;
    setTimeout(() => this.#fill(), afterMs).unref();
  }

  /** One at a time, with whatever else is to be done between them. */
  #fill(): void {
    this.#isFilling = false;
    for (const [group, shelf] of this.#shelves) {
      if (shelf.length >= KEPT) continue;
      const share = createKeyShare(group);
      if (share !== undefined) shelf.push(share);
      return this.#fillSoon(0);
    }
  }
}

/** Of each group: as many connections as there are of one client and its decoys. */
const KEPT = 8;
/** A probe's answer has come by then, mostly. */
const FILL_AFTER_MS = 10;
