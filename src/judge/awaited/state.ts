/**
 * A state of the judge is named for what it awaits and holds only what belongs to that. What all of them share, and the
 * ways from one to another, are lent to them as a bench. Types only.
 */
import type { Hearing } from '../hearing.ts';
import type { Hellos } from '../hellos.ts';
import type { KeylogReading } from './keylog-reading.ts';
import type { Possession } from '../possession.ts';
import type { ProbeQuestion } from './probe-question.ts';
import type { Examined } from './examined.ts';

/** What of the server's flight the client may have once a state says so; without one it waits. */
export type Permissible =
  'certificate' | 'key-exchange' | 'unsealed' | 'sealed' | 'encrypted-part' | 'encrypted-certificate';

export interface State {
  readonly awaits: 'hello' | 'server-hello' | 'certificate' | 'secret' | 'probe' | 'path' | 'proof';
  /** True while an answer from outside is awaited that may still deny: what was sent waits for it. */
  readonly waiting: boolean;
  /** When waiting has to end, in microseconds. */
  readonly deadline: number;
  onDeadline(): void;
  /** Whether the client may have what was shown up to there, ahead of the ruling. */
  permits(point: Permissible): boolean;
  /** The configuration has changed: what was asked is asked again under the new one. */
  reenter(): void;
}

/** Why no certificate goes by. */
export type HiddenBy = 'earlyData' | 'tls13' | 'resumed';

/** What the judge lends to its states. */
export interface Bench {
  readonly hearing: Hearing;
  readonly hellos: Hellos;
  readonly possession: Possession;
  readonly question: ProbeQuestion;
  readonly keylog: KeylogReading;
  /** Asks what the hello asks of the configuration. */
  askHello(): void;
  awaitServerHello(): void;
  /** Asks what the answer in clear asks of the configuration. */
  askServerHello(): void;
  /** Evidence is wanted for what is hidden. `since`: when waiting for it began. */
  awaitEvidence(by: HiddenBy, since?: number): void;
  examine(examined: Examined): void;
  /** The same chains, under another configuration. */
  examineAgain(examined: Examined): void;
}
