/**
 * Where no certificate goes by in clear (TLS 1.3, a resumption that nothing is known of): what each holder of the flow
 * wants done, and what that comes to before there is evidence, and when none can be had. Where evidence comes from is
 * for prober and key log.
 */
import type { CompiledPinset, CompiledVerdict, HiddenCertificate, Situations } from '../pins/policy.ts';
import type { Selection } from '../pins/match/snapshot.ts';
import type { Reason } from './events.ts';
import { ACCEPT, type Finding } from './ruling.ts';
import type { Holder } from './situation.ts';

export interface HiddenCase {
  readonly holder: Holder;
  readonly wanted: HiddenCertificate;
  /** Of a decision that rests on no certificate. */
  readonly reason: Reason;
  /** What is done where `wanted` is to accept. */
  readonly onAccept: CompiledVerdict;
}

export class HiddenCertificates {
  readonly #cases: readonly HiddenCase[];

  constructor(cases: readonly HiddenCase[]) {
    this.#cases = cases.map((each) =>
      each.holder.deniesAll ? { ...each, wanted: 'deny', reason: 'expired-pinset' } : each,
    );
  }

  /** What is decided whatever any evidence shows. */
  get settled(): Finding[] {
    return this.#cases.flatMap(({ holder, wanted, reason, onAccept }) => {
      if (wanted === 'accept') return [findingOf(holder, onAccept, reason)];
      return wanted === 'deny' ? [findingOf(holder, holder.onMismatch, reason)] : [];
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
    return this.#open.map(({ holder, wanted, reason: own }) =>
      findingOf(holder, wanted === 'probe-else-accept' ? ACCEPT : holder.onMismatch, reason ?? own),
    );
  }

  get #open(): HiddenCase[] {
    return this.#cases.filter(({ wanted }) => wanted !== 'accept' && wanted !== 'deny');
  }
}

function findingOf({ pinset, mode }: Holder, verdict: CompiledVerdict, reason: Reason): Finding {
  return { pinset, mode, reason, verdict, matched: null };
}

/** TLS 1.3: every holder says where its evidence comes from. */
export function hiddenInTls13(holders: readonly Holder[]): HiddenCertificates {
  const cases = holders.map((holder): HiddenCase => {
    return { holder, wanted: holder.situations.tls13, reason: 'no-certificate', onAccept: ACCEPT };
  });
  return new HiddenCertificates(cases);
}

/** Sessions that were given out in flows whose pins matched stand for their certificates. */
export function hiddenInResumption(
  holders: readonly Holder[],
  isBound: (pinset: CompiledPinset | null) => boolean,
): HiddenCertificates {
  const cases = holders.map((holder): HiddenCase => {
    const { pinset, situations } = holder;
    const bound = isBound(pinset);
    const reason = bound ? 'resumed-bound' : 'resumed-unbound';
    return { holder, wanted: wantedOf(situations.resumed, bound), reason, onAccept: pinset?.onMatch ?? ACCEPT };
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
