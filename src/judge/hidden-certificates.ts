/**
 * Where no certificate goes by in clear (TLS 1.3, a resumption that nothing is known of): what each holder of the flow
 * wants done, and what that comes to before there is evidence, and when none can be had. Where evidence comes from is
 * for prober and key log.
 */
import type { CompiledPinset, CompiledVerdict, HiddenCertificate, Situations } from '../pins/policy.ts';
import type { Selection } from '../pins/match/snapshot.ts';
import type { Reason } from './events.ts';
import { Allowed, type Grounds, NotPinned, Satisfied } from './grounds.ts';
import { ACCEPT, type Claim } from './claim.ts';
import { Finding } from './ruling.ts';
import type { BoundSession } from './sessions.ts';
import type { Holder } from './situation.ts';

export interface HiddenCase {
  readonly holder: Holder;
  readonly wanted: HiddenCertificate;
  /** Of a decision that rests on no certificate. */
  readonly reason: Reason;
  /** What is done where `wanted` is to accept. */
  readonly onAccept: CompiledVerdict;
  /** What that rests on. */
  readonly grounds: Grounds | null;
}

export class HiddenCertificates {
  readonly #cases: readonly HiddenCase[];
  /** Those of them that want evidence. */
  readonly #open: readonly HiddenCase[];

  constructor(cases: readonly HiddenCase[]) {
    this.#cases = cases.map((each) =>
      each.holder.deniesAll ? { ...each, wanted: 'deny', reason: 'expired-pinset' } : each,
    );
    this.#open = this.#cases.filter(({ wanted }) => wanted !== 'accept' && wanted !== 'deny');
  }

  /** What is decided whatever any evidence shows. */
  get settled(): readonly Finding[] {
    if (this.#open.length === this.#cases.length) return NOTHING_SETTLED;
    return this.#cases.flatMap(({ holder, wanted, reason, onAccept, grounds }) => {
      if (wanted === 'accept') return [Finding.of(claimOf(holder, onAccept, reason), grounds)];
      return wanted === 'deny' ? [Finding.mismatch(claimOf(holder, holder.onMismatch, reason))] : [];
    });
  }

  get isOpen(): boolean {
    return this.#open.length > 0;
  }

  get wantsProbe(): boolean {
    return this.#open.some(({ wanted }) => wanted === 'probe' || wanted === 'probe-else-accept');
  }

  /** Whether a key log is asked first. */
  get wantsKeylog(): boolean {
    return this.#open.some(({ wanted }) => wanted === 'keylog' || wanted === 'keylog-else-probe');
  }

  /** As much of `selection` as evidence is judged by. */
  narrow(selection: Selection): Selection {
    if (this.#open.length === this.#cases.length) return selection;
    const settled = new Set(
      this.#cases.filter((each) => !this.#open.includes(each)).map(({ holder }) => holder.pinset),
    );
    return { ...selection, require: selection.require.filter((pinset) => !settled.has(pinset)) };
  }

  /** The key log has nothing: these cannot be decided by a probe. */
  withoutKeylog(reason: Reason): HiddenCertificates {
    return new HiddenCertificates(
      this.#cases.map((each) => {
        if (each.wanted === 'keylog') return { ...each, wanted: 'deny', reason };
        return each.wanted === 'keylog-else-probe' ? { ...each, wanted: 'probe' } : each;
      }),
    );
  }

  /** What a secret opens is no certificate: those that go by the key log are decided by that. */
  refuted(reason: Reason): HiddenCertificates {
    return new HiddenCertificates(
      this.#cases.map((each) => {
        const isDecided = each.wanted === 'keylog' || each.wanted === 'keylog-else-probe';
        return isDecided ? { ...each, wanted: 'deny', reason } : each;
      }),
    );
  }

  /** No evidence can be had; without a `reason` for that, each case's own stands. */
  failed(reason?: Reason): Finding[] {
    return this.#open.map(({ holder, wanted, reason: own }) => {
      // Of a resumption without evidence the setting for TLS 1.3 says nothing.
      const allowed = wanted === 'probe-else-accept' ? Allowed.byFailedProbe(holder.situations) : null;
      if (allowed !== null) return Finding.of(claimOf(holder, ACCEPT, reason ?? own), allowed);
      return Finding.mismatch(claimOf(holder, holder.onMismatch, reason ?? own));
    });
  }
}

const NOTHING_SETTLED: readonly Finding[] = [];

function claimOf({ pinset, mode }: Holder, verdict: CompiledVerdict, reason: Reason): Claim {
  return { pinset, mode, reason, verdict, matched: null };
}

/** TLS 1.3: every holder says where its evidence comes from. */
export function hiddenInTls13(holders: readonly Holder[]): HiddenCertificates {
  const cases = holders.map((holder): HiddenCase => {
    const grounds = NotPinned.byHolder(holder) ?? Allowed.bySituation(holder.situations, 'tls13');
    return { holder, wanted: holder.situations.tls13, reason: 'no-certificate', onAccept: ACCEPT, grounds };
  });
  return new HiddenCertificates(cases);
}

/** Sessions that were given out in flows whose pins matched stand for their certificates. */
export function hiddenInResumption(
  holders: readonly Holder[],
  boundTo: (pinset: CompiledPinset | null) => BoundSession | undefined,
): HiddenCertificates {
  const cases = holders.map((holder): HiddenCase => {
    const { pinset, situations } = holder;
    const session = boundTo(pinset);
    const isBound = session !== undefined;
    const grounds =
      Satisfied.bySession(session) ?? NotPinned.byHolder(holder) ?? Allowed.bySituation(situations, 'resumed');
    const reason = isBound ? 'resumed-bound' : 'resumed-unbound';
    const onAccept = pinset?.onMatch ?? ACCEPT;
    return { holder, wanted: wantedOf(situations.resumed, isBound), reason, onAccept, grounds };
  });
  return new HiddenCertificates(cases);
}

function wantedOf(resumed: Situations['resumed'], bound: boolean): HiddenCertificate {
  switch (resumed) {
    case 'accept':
    case 'deny':
      return resumed;
    case 'bound':
      return bound ? 'accept' : 'deny';
    case 'bound-else-probe':
      return bound ? 'accept' : 'probe';
    default:
      return resumed satisfies never;
  }
}
