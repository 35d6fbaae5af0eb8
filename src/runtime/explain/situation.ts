/** Which situation of the configuration applied to a flow, and whose value holds. */
import type { Reason, VerdictEvent } from '../../judge/events.ts';
import type { Situations } from '../../pins/policy.ts';
import type { PinsetSnapshot, Selection } from '../../pins/match/snapshot.ts';
import { keyExchangeOf } from '../../tls/cipher-suites.ts';
import { isTls13 } from '../../tls/constants.ts';

export interface ExplainedSituation {
  /** As in the configuration. */
  readonly key: string;
  /** Whose value holds: a pinset's name, `pinned` or `unpinned`. */
  readonly values: readonly { readonly of: string; readonly value: string }[];
}

/** Null where the pins decided, or nothing had to. */
export function situationOf(
  event: VerdictEvent,
  snapshot: PinsetSnapshot,
  selection: Selection,
): ExplainedSituation | null {
  const key = keyOf(event);
  if (key === undefined) return null;
  const { policy } = snapshot;
  const valueOf = (situations: Situations) => String(situations[key]);
  const denier = key === 'noSni' ? snapshot.deniesWithoutName(event) : undefined;
  const chosen = denier === undefined ? selection.require : [denier];
  const values = chosen.map(({ name, situations }) => ({ of: name, value: valueOf(situations) }));
  // Before its name is known, a flow may still be that of a host pinset.
  const isNameless = event.tls?.sawClientHello !== true;
  if (isNameless && snapshot.couldHostPinsetApply(event)) values.push({ of: 'pinned', value: valueOf(policy.pinned) });
  if (values.length === 0) values.push({ of: 'unpinned', value: valueOf(policy.unpinned) });
  return { key, values };
}

type SituationKey = Exclude<keyof Situations, 'checks'>;

function keyOf({ reason, tls, evidence }: VerdictEvent): SituationKey | undefined {
  const isHidden = tls !== null && isTls13(tls.version);
  const hidden = tls?.sessionResumed === true && !isHidden ? 'resumed' : 'tls13';
  if (ELSEWHERE.has(reason)) return hidden;
  if (reason === 'no-certificate') return isHidden ? hidden : undefined;
  if (reason === 'unpinned') return isHidden && evidence === 'none' ? 'tls13' : undefined;
  if (reason === 'anonymous') return tls !== null && keyExchangeOf(tls.cipherSuite) === 'psk' ? 'psk' : 'anonymous';
  return KEYS[reason];
}

/** Where the certificate came from elsewhere, or should have. */
const ELSEWHERE: ReadonlySet<Reason> = new Set([
  'probe-match',
  'probe-mismatch',
  'probe-failed',
  'probe-inconsistent',
  'keylog-missing',
]);

const KEYS: Readonly<Partial<Record<Reason, SituationKey>>> = {
  'resumed-bound': 'resumed',
  'resumed-unbound': 'resumed',
  'no-sni': 'noSni',
  ech: 'ech',
  'not-tls': 'notTls',
  starttls: 'starttls',
  'raw-public-key': 'rawPublicKey',
  'parse-error': 'parseError',
  'overlap-conflict': 'parseError',
  limit: 'parseError',
  midstream: 'midstream',
  incomplete: 'incomplete',
  overload: 'overload',
  quic: 'quic',
};
