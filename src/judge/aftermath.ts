/**
 * What follows a ruling that accepts: a session that the server hands out may stand for it later, and what the server has
 * shown is recorded, should the client believe it. Rules nothing.
 */
import { recordsHosts } from '../pins/match/learning.ts';
import { nextChange } from '../pins/match/match.ts';
import { Continuation } from './continuation.ts';
import type { Course } from './course.ts';
import type { Reason } from './events.ts';
import { SessionBinding } from './session-binding.ts';

export class Aftermath {
  readonly session = new SessionBinding();
  readonly continuation = new Continuation();
  readonly #course: Course;
  /** Until when sessions stand for what was matched: then a pin comes into use or goes out of it. In milliseconds. */
  #bindsUntil = Infinity;

  constructor(course: Course) {
    this.#course = course;
  }

  begin(): void {
    const { hellos, hearing } = this.#course;
    const { server } = hellos;
    if (this.#isRecorded()) this.continuation.begin(server?.isTls13 ?? false);
    if (!this.#binds()) return this.session.giveUp();
    const { sessionId, answersSessionTicket } = server!;
    const nowMs = hearing.context.dateMs();
    const { require, deny } = hearing.selection!;
    for (const pinsets of [require, deny]) {
      for (const pinset of pinsets) this.#bindsUntil = Math.min(this.#bindsUntil, nextChange(pinset, nowMs));
    }
    this.session.begin(sessionId, answersSessionTicket, hearing.facts.sessionResumed);
  }

  /** The client goes on, which it does only where it believes the server's Finished, if it has that. */
  onBelief(): void {
    for (const { octets, lifetimeSeconds } of this.session.onBelief()) this.#remember(octets, lifetimeSeconds);
  }

  /** Whether what the server has shown is to be recorded, should the client believe it. */
  #isRecorded(): boolean {
    const { hearing, hellos, possession, examined } = this.#course;
    const { live } = hearing.context;
    const isShown = hearing.ruling!.action === 'accept' && examined !== undefined && possession.isShown;
    // What a client sends early says nothing of what it thinks of the answer.
    const isEarly = hellos.client?.offersEarlyData ?? false;
    return live && isShown && !isEarly && (hearing.selection?.require.some(recordsHosts) ?? false);
  }

  /** Whether what the server hands out may later stand for the evidence of this flow. */
  #binds(): boolean {
    const { hearing, possession } = this.#course;
    const { action, mode, pinset, evidence, reason } = hearing.ruling!;
    return (
      action === 'accept' &&
      mode === 'enforce' &&
      pinset !== null &&
      (evidence === 'resumed' || (evidence === 'observed' && BINDING_REASONS.has(reason))) &&
      !possession.hasFailed
    );
  }

  #remember(credential: Uint8Array, seconds: number): void {
    const { selection, context } = this.#course.hearing;
    const names = selection!.require.filter((pinset) => pinset.mode === 'enforce').map((pinset) => pinset.name);
    const { sessions, subject } = context;
    sessions.remember(subject, credential, names, { until: context.now() + seconds * 1e6, dateMs: this.#bindsUntil });
  }
}

const BINDING_REASONS: ReadonlySet<Reason> = new Set(['pin-match', 'backup-pin-match']);
