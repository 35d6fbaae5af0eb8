/** The checks of a pinset beside what a chain and its key exchange have shown. Looks again; decides nothing. */
import type { Reason, VerdictEvent } from '../../judge/events.ts';
import type { Checks } from '../../pins/policy.ts';
import { tlsVersionName } from '../../report/eve.ts';
import { keyExchangeOf } from '../../tls/cipher-suites.ts';
import type { ChainFacts } from '../../x509/examine.ts';

export interface JudgedCheck {
  readonly check: string;
  /** As configured. */
  readonly value: string;
  /** Undecided: it did not come to it, or it is not known. */
  readonly outcome: 'holds' | 'fails' | 'not-asked' | 'undecided';
  readonly detail: string;
}

/** `isAboveLeaf`: the pin that fits is above the leaf, which "auto" goes by. `names`: any of them would do. */
export function judgedChecks(
  checks: Checks,
  isAboveLeaf: boolean,
  facts: ChainFacts,
  names: readonly string[],
  event: VerdictEvent,
): JudgedCheck[] {
  const { name, validity, trust, minVersion } = checks;
  const isAsked = (value: Checks['name']) => value === 'on' || (value === 'auto' && isAboveLeaf);
  const outcome = (asked: boolean, holds: boolean) => (asked ? (holds ? 'holds' : 'fails') : 'not-asked');
  const all: JudgedCheck[] = [
    {
      check: 'name',
      value: name,
      outcome: outcome(isAsked(name), facts.nameMatches),
      detail: `the leaf ${facts.nameMatches ? 'carries' : 'does not carry'} ${names.join(' or ') || 'any name that was asked for'}`,
    },
    {
      check: 'validity',
      value: validity,
      outcome: outcome(isAsked(validity), facts.leafValidAt),
      detail: `the dates of the leaf ${facts.leafValidAt ? 'hold' : 'do not hold'}`,
    },
    proofCheck(checks, event),
  ];
  if (minVersion !== 0 && event.tls !== null) {
    all.push({
      check: 'minVersion',
      value: tlsVersionName(minVersion) ?? `0x${minVersion.toString(16).padStart(4, '0')}`,
      outcome: outcome(true, event.tls.version >= minVersion),
      detail: '',
    });
  }
  if (trust.length > 0) {
    all.push({
      check: 'trust',
      value: `${trust.length} certificates`,
      outcome: outcome(true, facts.trusted),
      detail: `a verified path ${facts.trusted ? 'leads' : 'does not lead'} to a trusted certificate`,
    });
  }
  return all;
}

function proofCheck({ proofOfPossession: value }: Checks, { tls, proven, reason }: VerdictEvent): JudgedCheck {
  const made = (outcome: JudgedCheck['outcome'], detail: string) => ({
    check: 'proofOfPossession',
    value,
    outcome,
    detail,
  });
  if (value === 'off') return made('not-asked', '');
  const isStatic = keyExchangeOf(tls?.cipherSuite ?? 0) === 'static';
  if (proven === true && isStatic)
    return made('not-asked', 'without a signed key exchange only the holder of the key can go on');
  if (proven === true) return made('holds', 'the key exchange is signed with the key of the leaf');
  // Whatever else was decided, it was before a proof had to be awaited.
  return reason === 'no-proof' || MATCHES.has(reason)
    ? made('fails', 'the key exchange is not signed with the key of the leaf')
    : made('undecided', 'it did not come to it');
}

const MATCHES: ReadonlySet<Reason> = new Set(['pin-match', 'backup-pin-match', 'probe-match']);
