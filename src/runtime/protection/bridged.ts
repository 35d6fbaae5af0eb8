/**
 * Bridges whose frames go by netfilter, where that takes something from protection: it was shown them before, or nothing goes
 * through this host otherwise. Of a bridge beside which packets are forwarded nobody knows whether who is pinned is behind it.
 */
import { type Bridge, bridgesIn, forwards } from '../rules/beside/bridges.ts';
import type { Device } from '../rules/beside/devices.ts';
import type { ReadFile } from '../rules/beside/kernel-file.ts';
import type { Feed } from '../rules/feeds.ts';
import { FAMILIES, type Family, FAMILY_NAMES } from '../rules/plan.ts';

export class BridgedBefore {
  /** By bridge. */
  readonly #shown = new Map<string, Set<Family>>();

  /** It may be meant so. */
  forget(): void {
    this.#shown.clear();
  }

  /** In words; undefined: none. */
  unseen(devices: readonly Device[], feeds: readonly Feed[], read: ReadFile): string | undefined {
    const bridges = bridgesIn(devices, read);
    const isForwarding = bridges.length === 0 || forwards(devices, read);
    const found = bridges.flatMap((bridge) => {
      const families = this.#missing(bridge, feeds, isForwarding);
      const names = families.map((family) => FAMILY_NAMES[family]).join(' and ');
      return families.length === 0 ? [] : [`${names} from port to port of ${bridge.name}`];
    });
    return found.length === 0 ? undefined : `the rules are not shown ${found.join(', ')}`;
  }

  #missing({ name, shows }: Bridge, feeds: readonly Feed[], isForwarding: boolean): Family[] {
    const shown = this.#shown.get(name) ?? new Set();
    this.#shown.set(name, shown);
    for (const family of shows) shown.add(family);
    // nft has them without being shown them.
    if (feeds.some(({ table }) => table.startsWith('bridge '))) return [];
    const fed = feeds.filter(({ hook }) => FORWARDED.includes(hook));
    return FAMILIES.filter((family) => {
      const isFed = fed.some((feed) => feed.family === family);
      return isFed && !shows.includes(family) && (!isForwarding || shown.has(family));
    });
  }
}

const FORWARDED: readonly string[] = ['forward', 'prerouting', 'postrouting'];
