/**
 * Whether the threads go on: looks each second for a heartbeat of each. Tells who has hung, and the service manager, as
 * often as it wants to hear of us, that nobody has. Knows them by their heartbeats alone.
 */
import type { ServiceManager } from '../service-manager.ts';

export interface WatchedThread {
  readonly name: string;
  /** Grows while it goes on; undefined while it is not expected to. */
  readonly heartbeats: number | undefined;
  /** It loads what it needs, or takes a policy, for which it builds indexes of whatever lists there are. */
  readonly isAdopting: boolean;
}

export interface ThreadWatchOptions {
  readonly threads: () => readonly WatchedThread[];
  readonly manager: Pick<ServiceManager, 'watchdogMs' | 'alive'>;
  /** Told once of each, by its name. */
  readonly onHung: (name: string, seconds: number) => void;
}

export class ThreadWatch {
  readonly #options: ThreadWatchOptions;
  /** By name: heartbeats at the last look, and how many looks have shown no new ones. */
  readonly #seen = new Map<string, { readonly heartbeats: number; readonly silent: number }>();
  #timer: NodeJS.Timeout | undefined;
  #lookedAt = 0;
  #toldAt = 0;

  constructor(options: ThreadWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#lookedAt = performance.now();
    this.#toldAt = this.#lookedAt;
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { threads, manager, onHung } = this.#options;
    const now = performance.now();
    // Where this thread had no processor, or the process was stopped, the others had none either.
    const isLate = now - this.#lookedAt > INTERVAL_MS * 1.5;
    this.#lookedAt = now;
    let isAnySilent = false;
    for (const { name, heartbeats, isAdopting } of threads()) {
      if (heartbeats === undefined) continue;
      const before = this.#seen.get(name);
      const isSilent = before?.heartbeats === heartbeats;
      const silent = !isSilent ? 0 : before.silent + (isLate ? 0 : 1);
      this.#seen.set(name, { heartbeats, silent });
      // A heartbeat may come just behind a look.
      if (silent > 1) isAnySilent = true;
      if (silent === (isAdopting ? ADOPTING_LOOKS : HUNG_LOOKS) && !isLate) onHung(name, silent);
    }
    if (isAnySilent || manager.watchdogMs === undefined || now - this.#toldAt < manager.watchdogMs) return;
    this.#toldAt = now;
    manager.alive();
  }
}

const INTERVAL_MS = 1000;
/** Looks without a heartbeat. */
const HUNG_LOOKS = 3;
const ADOPTING_LOOKS = 30;
