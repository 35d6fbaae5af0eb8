/**
 * What an accepting ruling can rest on. Evidence makes the one kind, a setting that says `accept` the other, and a flow
 * that no pinset has a say in the third; nothing else can make any, so no deadline, reload, fault or end of a flow
 * accepts by being forgotten. Knows no findings and no states.
 */
import type { CompiledPinset, CompiledVerdict, Situations } from '../pins/policy.ts';
import type { Selection } from '../pins/match/snapshot.ts';
import type { Evidence } from './events.ts';
import type { Possession } from './possession.ts';
import type { BoundSession } from './sessions.ts';

export type Grounds = Satisfied | Allowed | NotPinned;

/** A pin matched, and whoever showed the certificate has shown that it is his, as far as the pinset wants that shown. */
export class Satisfied {
  readonly by: Exclude<Evidence, 'none'>;

  private constructor(by: Exclude<Evidence, 'none'>) {
    this.by = by;
  }

  /** Null while the proof is awaited, and where it has failed. */
  static byChain(possession: Possession, { situations }: CompiledPinset, evidence: Evidence): Satisfied | null {
    if (evidence === 'none' || evidence === 'resumed') return null;
    return possession.suffices(situations.checks.proofOfPossession) ? new Satisfied(evidence) : null;
  }

  /** The session was given out in a flow that was satisfied. */
  static bySession(session: BoundSession | undefined): Satisfied | null {
    return session === undefined ? null : new Satisfied('resumed');
  }
}

/** Situations that a configuration may accept. That nothing was shown before the end is none of a pinned flow's. */
export type AllowableKey = Exclude<keyof Situations, 'checks' | 'incomplete'>;

/** The configuration says so; `setting` names where. */
export class Allowed {
  readonly setting: AllowableKey | 'onMismatch' | 'onDeny' | 'afterExpiry';

  private constructor(setting: Allowed['setting']) {
    this.setting = setting;
  }

  /** Null unless the setting says `accept`. */
  static bySituation(situations: Situations, key: AllowableKey): Allowed | null {
    return situations[key] === 'accept' ? new Allowed(key) : null;
  }

  /** `probe-else-accept`: where a probe fails. */
  static byFailedProbe({ tls13 }: Situations): Allowed | null {
    return tls13 === 'probe-else-accept' ? new Allowed('tls13') : null;
  }

  static byVerdict({ action }: CompiledVerdict, setting: 'onMismatch' | 'onDeny'): Allowed | null {
    return action === 'accept' ? new Allowed(setting) : null;
  }

  static byExpiry({ afterExpiry }: CompiledPinset): Allowed | null {
    return afterExpiry === 'accept' ? new Allowed('afterExpiry') : null;
  }
}

/** No pinset has to be satisfied. */
export class NotPinned {
  readonly isUnpinned = true;
  static readonly #only = new NotPinned();

  private constructor() {}

  static bySelection({ require }: Selection): NotPinned | null {
    return require.length === 0 ? NotPinned.#only : null;
  }

  /** `isUnpinned`: of what no pinset could apply to. */
  static byHolder({ isUnpinned }: { readonly isUnpinned: boolean }): NotPinned | null {
    return isUnpinned ? NotPinned.#only : null;
  }
}
