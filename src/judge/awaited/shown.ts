/** What states have in common that are shown chains from elsewhere, and that wait for somebody outside. */
import type { PresentedCertificate } from '../../x509/presented.ts';
import { presentRawPublicKey } from '../../x509/presented.ts';
import type { Evidence } from '../events.ts';
import type { Hearing } from '../hearing.ts';
import type { ProbedAlternative } from '../ports.ts';

/**
 * Presents what was shown, the latest first; a raw public key may settle the matter as it is. Of the same object, as a
 * remembered answer is, the chains are the same object too.
 */
export function shownTo(
  hearing: Hearing,
  shown: readonly Omit<ProbedAlternative, 'proven'>[],
  evidence: Evidence,
): PresentedCertificate[][] {
  const { context } = hearing;
  const [only] = shown;
  let chains = shown.length === 1 ? presented.get(only!) : undefined;
  if (chains === undefined) {
    chains = shown.map(({ chain, isRawPublicKey }) =>
      isRawPublicKey ? [presentRawPublicKey(chain[0]!)] : chain.map((der) => context.present(der)),
    );
    if (shown.length === 1) presented.set(only!, chains);
  }
  if (!shown[0]!.isRawPublicKey) hearing.facts.onCertificate(chains[0]!, evidence);
  if (shown.some((each) => each.isRawPublicKey)) settleRawPublicKey(hearing);
  return chains;
}

export function settleRawPublicKey(hearing: Hearing): void {
  if (hearing.isRuled) return;
  hearing.settleIfDecided(
    'rawPublicKey',
    (situations) => (situations.rawPublicKey === 'pin' ? 'hold' : situations.rawPublicKey),
    'raw-public-key',
  );
}

/** What was awaited has not come in time. */
export function overdue(hearing: Hearing): void {
  hearing.context.count('holdTime');
  hearing.settle('overload', 'overload', 'hold-time');
}

/** What is shown alone. */
const presented = new WeakMap<Omit<ProbedAlternative, 'proven'>, PresentedCertificate[][]>();
