/** The world as the flows of one run see it, whatever carries them: where verdicts and events go, and who can be asked. */
import type { EventSink } from '../judge/events.ts';
import type { ChainExaminer, KeylogSource, Prober, ProofVerifier } from '../judge/ports.ts';
import type { Clock, VerdictSink } from '../packet/source.ts';

export interface Surroundings {
  readonly verdicts: VerdictSink;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly examiner: ChainExaminer;
  readonly proves: ProofVerifier;
  /** Undefined where nobody can be asked, as offline: every question has failed. */
  readonly prober?: Prober | undefined;
  /** Undefined where there is no key log. */
  readonly keylog?: KeylogSource | undefined;
  /** False for captures: nothing is held or denied, connections are picked up in their middle, records come at the end. */
  readonly live: boolean;
  /** Says each handshake message; off unless somebody watches, since it costs an event a message. */
  readonly watch?: boolean;
}
