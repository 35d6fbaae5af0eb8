/** What the server has told so far, for all pages: protection, the inbox, the overview. Knows no document. */
import type { EngineState, EngineStatus, Events, Health, Inbox, InboxEntry, Overview } from '../src/web/api.ts';
import { keepLatest } from './bounded.ts';
import type { Server } from './server.ts';

export class Known {
  readonly #server: Server;
  readonly entries = new Map<string, InboxEntry>();
  overview: Overview | null = null;
  engine: EngineState | null = null;
  health: Health | null = null;
  status: EngineStatus | null = null;
  /** Whether the server's events come. */
  isLinked = false;

  constructor(server: Server) {
    this.#server = server;
  }

  async load(): Promise<void> {
    const [overview, inbox] = await Promise.all([
      this.#server.get<Overview>('/api/overview'),
      this.#server.get<Inbox>('/api/inbox'),
    ]);
    this.overview = overview;
    ({ engine: this.engine, health: this.health, status: this.status } = overview);
    this.entries.clear();
    for (const entry of inbox.entries) this.entries.set(entry.id, entry);
  }

  /** No more than the server has itself: of those that it has let go of it does not tell. */
  take({ entry }: Pick<Events['inbox'], 'entry'>): void {
    this.entries.set(entry.id, entry);
    keepLatest(this.entries, MOST);
  }

  takeStatus({ health, status }: Events['status']): void {
    this.health = health;
    this.status = status;
  }

  get open(): number {
    return [...this.entries.values()].filter(({ state }) => state === 'open').length;
  }

  /** Those that wait first, of these the newest. What is refused again does not move: somebody may be about to click. */
  get sorted(): readonly InboxEntry[] {
    const rank = { open: 0, snoozed: 1, denied: 2, accepted: 3 } as const;
    return [...this.entries.values()].sort(
      (a, b) => rank[a.state] - rank[b.state] || b.first.localeCompare(a.first) || a.id.localeCompare(b.id),
    );
  }
}

const MOST = 500;
