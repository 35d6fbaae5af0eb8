/**
 * A probe's way to its server: by the client's address where that can be had, and by this host's own as soon as nothing is
 * heard on that one, unless nothing may leave by it. The first that shows something counts. Knows nothing of what is said.
 *
 *   client's ──▶ connected ──▶ outcome
 *      │ not heard for a while, or it ends with nothing
 *      └──▶ own ──▶ connected ──▶ outcome      whichever comes first
 */
import { randomInt } from 'node:crypto';

import type { ProbeRequest } from '../judge/ports.ts';
import type { ConnectionFailure, ConnectionOptions, Conversation, converse } from './connection.ts';
import type { Origin, Origins } from './origin.ts';

type Outcomes = { readonly kind: string };

export interface DialOptions<Outcome> extends Omit<
  ConnectionOptions<Outcome>,
  'server' | 'conversation' | 'origin' | 'pause'
> {
  readonly request: Pick<ProbeRequest, 'client' | 'server' | 'synTraits'>;
  /** Nobody waits for it. */
  readonly isBehind?: boolean;
  readonly origins: Pick<
    Origins,
    'of' | 'isStrict' | 'onHeard' | 'onUnheard' | 'mayPause' | 'onStarved' | 'portsTaken'
  >;
  /** One for each connection. */
  readonly conversation: () => Conversation<Outcome>;
  /** Told of each connection. */
  readonly begun: (asClient: boolean, isFallback: boolean) => void;
  readonly converse: typeof converse;
}

/** The function that is returned gives up. */
export function dial<Outcome extends Outcomes>(options: DialOptions<Outcome>): () => void {
  const dialling = new Dialling(options);
  dialling.begin();
  return () => dialling.giveUp();
}

class Dialling<Outcome extends Outcomes> {
  readonly #options: DialOptions<Outcome>;
  readonly #deadline: number;
  readonly #origin: Origin | undefined;
  readonly #underWay = new Set<Attempt>();
  readonly #timers: NodeJS.Timeout[] = [];
  #isConnected = false;
  /** By the client's address. */
  #isHeard = false;
  #hasFallenBack = false;
  /** Ports once more. */
  #drawn = 0;
  #isOver = false;

  constructor(options: DialOptions<Outcome>) {
    this.#options = options;
    this.#deadline = performance.now() + options.timeout;
    const { request, origins, isBehind = false } = options;
    this.#origin = origins.of(request, isBehind ? 'behind' : 'awaited');
  }

  begin(): void {
    const { timeout, origins, done } = this.#options;
    const isOwn = this.#origin === undefined;
    if (isOwn && origins.isStrict) return done({ kind: 'failed', reason: 'unreachable', detail: 'source' });
    if (!isOwn && !this.#isOnly) {
      const whereUnheard = () => {
        if (!this.#isHeard) this.#fallBack();
      };
      this.#timers.push(setTimeout(whereUnheard, Math.min(UNHEARD_MS, timeout / 4)));
      this.#timers.push(setTimeout(() => this.#fallBack(), timeout / 2));
    }
    this.#attempt(this.#origin, timeout);
  }

  giveUp(): void {
    this.#hasFallenBack = true;
    for (const { end } of [...this.#underWay]) end?.();
  }

  #attempt(origin: Origin | undefined, timeout: number): void {
    const { request, isBehind = false, mark, origins, begun, conversation, converse, connected } = this.#options;
    const mayPause = origin !== undefined && !isBehind && origins.mayPause(request.server);
    // Nobody is to tell them by whose hello comes first.
    const pause = !mayPause || randomInt(2) === 0 ? 0 : 1 + randomInt(MOST_PAUSE_MS);
    const attempt: Attempt = { pause, portsTaken: origins.portsTaken, end: undefined };
    this.#underWay.add(attempt);
    begun(origin !== undefined, this.#hasFallenBack);
    attempt.end = converse<Outcome>({
      server: request.server,
      mark,
      origin,
      pause,
      timeout,
      conversation: new Prepared(conversation),
      connected: () => {
        if (origin !== undefined) {
          this.#isHeard = true;
          origins.onHeard(origin);
        }
        if (!this.#isConnected) connected?.();
        this.#isConnected = true;
      },
      done: (outcome) => this.#onOutcome(attempt, origin, outcome),
    });
  }

  #onOutcome(attempt: Attempt, origin: Origin | undefined, outcome: Outcome | ConnectionFailure): void {
    this.#underWay.delete(attempt);
    if (this.#isOver) return;
    if (attempt.pause > 0 && isLate(outcome)) this.#options.origins.onStarved(this.#options.request.server);
    if (saysNothing(outcome)) {
      if (origin !== undefined && this.#drawsAgain(attempt)) return;
      if (origin !== undefined) this.#fallBack();
      if (this.#underWay.size > 0) return;
    } else if (origin === undefined && this.#origin !== undefined && !this.#isHeard) {
      this.#options.origins.onUnheard(this.#origin);
    }
    this.#isOver = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.giveUp();
    this.#options.done(outcome);
  }

  /** Whether it begins anew: the port was its client's. */
  #drawsAgain({ portsTaken }: Attempt): boolean {
    const timeout = this.#deadline - performance.now();
    if (this.#isHeard || timeout < 1 || this.#options.origins.portsTaken === portsTaken) return false;
    if (this.#hasFallenBack || ++this.#drawn > MOST_DRAWN) return false;
    this.#attempt(this.#origin, timeout);
    return true;
  }

  get #isOnly(): boolean {
    return this.#origin?.isOnly === true;
  }

  #fallBack(): void {
    const timeout = this.#deadline - performance.now();
    if (this.#isOver || this.#hasFallenBack || this.#isOnly || timeout < 1) return;
    this.#hasFallenBack = true;
    this.#attempt(undefined, timeout);
  }
}

/** A conversation that is made while its connection is: its keys take time, and none is needed until it is connected. */
class Prepared<Outcome> implements Conversation<Outcome> {
  readonly #make: () => Conversation<Outcome>;
  #made: Conversation<Outcome> | undefined;

  constructor(make: () => Conversation<Outcome>) {
    this.#make = make;
    // The SYN leaves when this turn of the loop is over.
    setImmediate(() => this.#conversation());
  }

  start(): Uint8Array {
    return this.#conversation().start();
  }

  feed(bytes: Uint8Array): Uint8Array {
    return this.#conversation().feed(bytes);
  }

  get outcome(): Outcome | undefined {
    return this.#made?.outcome;
  }

  part(bytes: Uint8Array): readonly Uint8Array[] | undefined {
    return this.#made?.part === undefined ? [] : this.#made.part(bytes);
  }

  #conversation(): Conversation<Outcome> {
    return (this.#made ??= this.#make());
  }
}

interface Attempt {
  readonly pause: number;
  /** When it began. */
  readonly portsTaken: number;
  end: (() => void) | undefined;
}

/** It may be the way that failed, and not the server. */
function saysNothing(outcome: { readonly kind: string; readonly reason?: string }): boolean {
  return outcome.kind === 'failed' && OF_THE_WAY.has(outcome.reason ?? '');
}

/** A server that takes whoever speaks first, and one at a time, serves the client, which waits for the probe. */
function isLate(outcome: { readonly kind: string; readonly reason?: string }): boolean {
  return outcome.kind === 'failed' && outcome.reason === 'timeout';
}

const OF_THE_WAY: ReadonlySet<string> = new Set(['unreachable', 'closed', 'timeout', 'not-marked']);
const MOST_PAUSE_MS = 2;
const MOST_DRAWN = 4;
/** Within which nearly every server has answered a SYN, ahead of its first repetition. */
const UNHEARD_MS = 400;
