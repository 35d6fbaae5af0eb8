/**
 * What other gateways were shown of a host, beside what was seen here: together they are more observations, and where a key
 * takes more than one witness, they are the others. Gateways of one network see the world by the same way, and count as
 * one; those of this one's own do not count. Knows not how they are heard of.
 */

/** Keys that a host showed lately at one gateway, as often as counts there. */
export interface HostSighting {
  readonly observations: number;
  readonly keys: readonly { readonly spki: string; readonly count: number }[];
}

export interface RemoteSighting extends HostSighting {
  readonly gateway: string;
  readonly network: string;
}

/** Whoever hears of them. */
export interface Corroboration {
  /** Gateways, this one among them, each of another network, that have to have seen a key; 1: others count for nothing. */
  readonly gateways: number;
  readonly here: { readonly gateway: string; readonly network: string };
  sightingsOf(pinset: string, host: string): readonly RemoteSighting[];
  /** Something was learned here. */
  touch(): void;
}

/** What others say of one host. */
export class Votes {
  readonly #here: Corroboration['here'] | undefined;
  readonly #gateways: number;
  readonly #pinset: string;
  readonly #host: string;
  readonly #others: readonly RemoteSighting[];

  constructor(elsewhere: Corroboration | undefined, pinset: string, host: string) {
    this.#here = elsewhere?.here;
    this.#gateways = elsewhere?.gateways ?? 1;
    this.#pinset = pinset;
    this.#host = host;
    const isAsked = elsewhere !== undefined && elsewhere.gateways > 1;
    this.#others = isAsked ? onePerNetwork(elsewhere.sightingsOf(pinset, host), elsewhere.here) : [];
  }

  /** Theirs. */
  get observations(): number {
    return sum(this.#others.map(({ observations }) => observations));
  }

  /** Whether a key that was seen here was seen often enough, by as many as it takes. */
  bearOut({ spki, count }: { readonly spki: string; readonly count: number }, wanted: number): boolean {
    const counts = this.#countsOf(spki);
    return counts.length + 1 >= this.#gateways && count + sum(counts) >= wanted;
  }

  /** Keys that a host shows elsewhere alone, to as many as it takes, often enough. */
  keysBeside(own: readonly { readonly spki: string }[], wanted: number): readonly string[] {
    const shown = new Set(this.#others.flatMap(({ keys }) => keys.map(({ spki }) => spki)));
    for (const { spki } of own) shown.delete(spki);
    return [...shown].filter((spki) => {
      const counts = this.#countsOf(spki);
      return counts.length >= this.#gateways && sum(counts) >= wanted;
    });
  }

  /** A sentence where somebody was shown nothing of what was shown here; always the same one for the same keys. */
  disagreement(own: HostSighting): string | undefined {
    if (this.#here === undefined || own.keys.length === 0) return undefined;
    const shownHere = new Set(own.keys.map(({ spki }) => spki));
    const isDisputed = this.#others.some(
      ({ keys }) => keys.length > 0 && !keys.some(({ spki }) => shownHere.has(spki)),
    );
    if (!isDisputed) return undefined;
    const said = [{ ...this.#here, ...own }, ...this.#others].map(
      ({ gateway, network, keys }) =>
        `${gateway} (${network}) was shown ${keys.map(({ spki }) => `spki-sha256:${spki}`).join(' and ')}`,
    );
    return `${this.#pinset}: ${this.#host} has other keys elsewhere: ${said.join(', ')}`;
  }

  /** A sentence for people; undefined where nobody else has to have seen anything. */
  get told(): string | undefined {
    if (this.#gateways === 1) return undefined;
    const said = this.#others.map(({ gateway, network, keys }) => {
      const shown = keys.map(({ spki, count }) => `spki-sha256:${spki} ${count} ×`).join(' and ');
      return `${gateway} (${network}) was shown ${shown === '' ? 'nothing that counts' : shown}`;
    });
    const heard = said.length === 0 ? 'no other has told of it' : said.join(', ');
    return `it takes ${this.#gateways} gateways of different networks that have seen its key: ${heard}`;
  }

  /** For behind "seen so many times". */
  get text(): string {
    const names = this.#others.map(({ gateway }) => gateway);
    return names.length === 0 ? '' : `, with what ${names.join(' and ')} saw`;
  }

  #countsOf(spki: string): number[] {
    return this.#others.flatMap(({ keys }) => keys.find((key) => key.spki === spki)?.count ?? []);
  }
}

/** Of gateways of one network, whoever has seen most. */
function onePerNetwork(sightings: readonly RemoteSighting[], here: Corroboration['here']): RemoteSighting[] {
  const best = new Map<string, RemoteSighting>();
  for (const each of sightings) {
    if (each.network === here.network || each.gateway === here.gateway) continue;
    const before = best.get(each.network);
    if (before === undefined || before.observations < each.observations) best.set(each.network, each);
  }
  return [...best.values()].sort((a, b) => (a.network < b.network ? -1 : 1));
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

/** Where nobody else is asked. */
export const NOBODY = new Votes(undefined, '', '');
