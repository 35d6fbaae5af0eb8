/**
 * Hosts that the engine learns, for the page: their keys over time and what they come to, as `tlspin learn` says it. Asked
 * for page by page, and kept for some seconds, since a browser asks again and again.
 */
import type { BookLimits } from '../learn/book.ts';
import { type Proposal, proposalsOf } from '../learn/proposal.ts';
import type { LearnedHost, LearnState } from '../learn/state.ts';
import type { Request } from '../runtime/control/client.ts';
import type { Learned, LearnedHostView, LearnedKeyView } from './api.ts';

export type Ask = (request: Request) => Promise<Readonly<Record<string, unknown>>>;

export class LearnedHosts {
  readonly #ask: Ask;
  #known: { readonly at: number; readonly proposals: Promise<readonly Proposal[]> } | undefined;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** `who`: a part of the name of hosts or pinsets. Rejects with the engine's sentence. */
  async find(who: string): Promise<Learned> {
    const all = await this.#proposals();
    const wanted = who.toLowerCase();
    const found = all.filter(({ pinset, host }) => `${pinset} ${host}`.toLowerCase().includes(wanted));
    const latest = found.sort((a, b) => b.learned.lastSeen.localeCompare(a.learned.lastSeen));
    return { hosts: latest.slice(0, SHOWN).map(viewOf), found: found.length, known: all.length };
  }

  /** What it shows next is learned anew. Rejects with the engine's sentence. */
  async forget(pinset: string, host: string): Promise<void> {
    await this.#ask({ command: 'learn', action: 'forget', targets: [host], pinset });
    this.#known = undefined;
  }

  /** Holds it to a key that it was denied for as well. Rejects with the engine's sentence. */
  async hold(pinset: string, host: string, spki: string): Promise<void> {
    const key = `spki-sha256:${spki}`;
    await this.#ask({ command: 'inbox', action: 'accept', pinset, host: host.replace(/:\d+$/, ''), key });
    this.#known = undefined;
  }

  async #proposals(): Promise<readonly Proposal[]> {
    const now = performance.now();
    if (this.#known === undefined || now - this.#known.at > FRESH_MS) {
      this.#known = { at: now, proposals: this.#read() };
      this.#known.proposals.catch(() => (this.#known = undefined));
    }
    return this.#known.proposals;
  }

  async #read(): Promise<readonly Proposal[]> {
    const pinsets: Record<string, Record<string, LearnedHost>> = {};
    let page = await this.#page(0);
    const { shared, limits } = page;
    for (let pages = 1; ; pages++) {
      for (const { pinset, host, learned } of page.hosts) (pinsets[pinset] ??= {})[host] = learned;
      if (page.next === null || pages === MOST_PAGES) break;
      page = await this.#page(page.next);
    }
    return proposalsOf({ version: 1, pinsets, shared }, limits);
  }

  async #page(after: number): Promise<LearnedPage> {
    return (await this.#ask({ command: 'learn', action: 'show', after })) as unknown as LearnedPage;
  }
}

interface LearnedPage {
  readonly limits: BookLimits;
  readonly shared: LearnState['shared'];
  readonly hosts: readonly { readonly pinset: string; readonly host: string; readonly learned: LearnedHost }[];
  readonly next: number | null;
}

function viewOf({ pinset, host, standing, learned, proposed, warnings }: Proposal): LearnedHostView {
  const held = learned.promoted?.keys ?? [];
  const keyAs = (as: LearnedKeyView['as']) => (key: LearnedHost['refused'][number]) => ({
    ...{ key: `spki-sha256:${key.spki}`, as, subject: key.subject, count: key.count },
    ...{ first: key.firstSeen, last: key.lastSeen },
  });
  const isHeld = ({ spki }: { readonly spki: string }) => held.includes(spki);
  return {
    ...{ pinset, host, standing, observations: learned.observations },
    ...{ first: learned.firstSeen, last: learned.lastSeen, promoted: learned.promoted?.at ?? null },
    keys: [
      ...learned.keys.filter(isHeld).map(keyAs('held')),
      ...learned.keys.filter((key) => !isHeld(key)).map(keyAs('seen')),
      ...learned.refused.map(keyAs('denied')),
    ],
    proposed: proposed === undefined ? null : JSON.stringify(proposed, null, 2),
    warnings,
  };
}

const FRESH_MS = 3_000;
const SHOWN = 200;
/** Of 256 hosts each. */
const MOST_PAGES = 64;
