/** Leaves that were let pass, by pinset and host: a few of each host, those that were seen last. Bounded in hosts. */
import type { LeafOfRecord } from './causes.ts';

export interface Accepted {
  readonly leaf: LeafOfRecord;
  readonly first: string;
  readonly last: string;
}

export interface KeyOfHost {
  readonly pinset: string;
  readonly host: string;
  readonly key: string;
}

export class AcceptedKeys {
  /** The host that was let pass last comes last. */
  readonly #hosts = new Map<string, Map<string, Accepted>>();

  /** `at`: in the order of which texts are. */
  add(of: KeyOfHost, leaf: LeafOfRecord, at: string): void {
    const id = idOf(of);
    const keys = this.#hosts.get(id) ?? new Map<string, Accepted>();
    const known = keys.get(of.key);
    const [first, last] = [known?.first ?? at, known?.last ?? at];
    keys.set(of.key, {
      leaf: at >= last ? leaf : known!.leaf,
      first: at < first ? at : first,
      last: at > last ? at : last,
    });
    if (keys.size > KEYS) keys.delete(oldest(keys));
    this.#hosts.delete(id);
    this.#hosts.set(id, keys);
    if (this.#hosts.size > HOSTS) this.#hosts.delete(this.#hosts.keys().next().value!);
  }

  /** When this key was let pass last; empty: never. */
  lastOf(of: KeyOfHost): string {
    return this.#hosts.get(idOf(of))?.get(of.key)?.last ?? '';
  }

  /** Of the host's keys the one that was let pass last: another one, or the same ahead of `first`. */
  before(of: KeyOfHost & { readonly first: string }): Accepted | null {
    const known = [...(this.#hosts.get(idOf(of)) ?? [])].filter(([key, { last }]) => key !== of.key || last < of.first);
    return known.reduce<Accepted | null>((a, [, b]) => (a === null || b.last > a.last ? b : a), null);
  }
}

function idOf({ pinset, host }: KeyOfHost): string {
  return JSON.stringify([pinset, host]);
}

function oldest(keys: ReadonlyMap<string, Accepted>): string {
  return [...keys].reduce((a, b) => (b[1].last < a[1].last ? b : a))[0];
}

const HOSTS = 4_096;
const KEYS = 4;
