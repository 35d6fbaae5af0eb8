/**
 * Chains that are before the judge, where they come from, and what of the flow is still to come. Put together once; the
 * questions about paths, names and dates are asked anew under each configuration. Knows no state.
 */
import type { Selection } from '../../pins/match/snapshot.ts';
import type { PresentedCertificate } from '../../x509/presented.ts';
import type { Evidence } from '../events.ts';
import { Examination } from '../examination.ts';
import type { Hearing } from '../hearing.ts';
import type { HiddenCertificates } from '../hidden-certificates.ts';
import { judgementsOf } from '../chains/judged-chains.ts';

export interface ExaminedFields {
  /** As presented, the leaf first; of probes what each was shown, the latest first. */
  readonly chains: readonly (readonly PresentedCertificate[])[];
  readonly evidence: Evidence;
  /** Undefined where the chain goes by in clear. */
  readonly by: 'earlyData' | 'tls13' | 'resumed' | undefined;
  readonly cases: HiddenCertificates | undefined;
  /** Nothing can come behind them that a careless client might take for another certificate. */
  readonly isFlightWhole: boolean;
  /** Of a probe: somebody who was asked elsewhere was shown another key. */
  readonly isDisputed?: boolean;
}

export class Examined {
  readonly chains: ExaminedFields['chains'];
  readonly evidence: Evidence;
  readonly cases: HiddenCertificates | undefined;
  by: ExaminedFields['by'];
  isFlightWhole: boolean;
  readonly #isDisputed: boolean;

  constructor({ chains, evidence, by, cases, isFlightWhole, isDisputed = false }: ExaminedFields) {
    this.chains = chains;
    this.evidence = evidence;
    this.by = by;
    this.cases = cases;
    this.isFlightWhole = isFlightWhole;
    this.#isDisputed = isDisputed;
  }

  /** The key of the leaf that is to prove itself; null where it has none that can be read. */
  get spki(): Uint8Array | null {
    return this.chains[0]?.[0]?.spki ?? null;
  }

  /** What is asked of them under the configuration in force. */
  examination(hearing: Hearing, serverName: string | null): Examination {
    const { snapshot } = hearing.context;
    const now = hearing.context.dateMs();
    const selected = hearing.selection ?? NOTHING_SELECTED;
    const selection = this.cases?.narrow(selected) ?? selected;
    const isProbed = this.evidence === 'probed';
    const judgements = judgementsOf(this.chains, { snapshot, selection, serverName }, now, isProbed);
    return new Examination(judgements, isProbed, this.#isDisputed);
  }
}

const NOTHING_SELECTED: Selection = { require: [], deny: [], rules: [] };
