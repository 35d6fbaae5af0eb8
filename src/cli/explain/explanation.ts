/**
 * Why a flow was decided as it was, as plain data: worked out again from its record and the configuration, step by step
 * in the order of decision. The decision itself is the engine's, taken from the record; nothing here decides.
 */
import type { Reason, VerdictEvent } from '../../engine/events.ts';
import { matchDeny, matchPins, matchRule } from '../../pins/match.ts';
import { isUsable } from '../../pins/pin-index.ts';
import type { Checks, CompiledPin, CompiledPinset, Policy, Situations } from '../../pins/policy.ts';
import { type FlowSubject, PinsetSnapshot, type Selection } from '../../pins/snapshot.ts';
import { keyExchangeOf } from '../../tls/cipher-suites.ts';
import { isTls13 } from '../../tls/constants.ts';
import { describeCertificate } from '../../x509/certificate.ts';
import { type ChainFacts, examineChain } from '../../x509/examine.ts';
import { sha512Hex } from '../../x509/fingerprint.ts';
import { type PresentedCertificate, presentCertificate } from '../../x509/presented.ts';
import { type Candidate, candidatesOf } from './selection.ts';

export interface Explanation {
  /** Every pinset of the configuration. */
  readonly pinsets: readonly Candidate[];
  /** As presented; empty where none was seen. */
  readonly certificates: readonly ExplainedCertificate[];
  /** Those that had a say. */
  readonly judged: readonly JudgedPinset[];
  readonly rules: readonly JudgedRule[];
  /** Where no certificate could decide. */
  readonly situation: ExplainedSituation | null;
}

export interface ExplainedCertificate {
  readonly subject: string | null;
  readonly issuer: string | null;
  readonly notBefore: string | null;
  readonly notAfter: string | null;
  readonly names: readonly string[];
  readonly sha256: string;
  /** Base64. */
  readonly spkiSha256: string | null;
}

export interface JudgedPinset {
  readonly pinset: string;
  readonly mode: string;
  readonly pins: readonly ComparedPin[];
  /** The deny pin that a certificate satisfies. */
  readonly denied: string | null;
  readonly checks: readonly JudgedCheck[];
  /** Null where the record does not say it. */
  readonly reason: Reason | null;
}

export interface ComparedPin {
  readonly pin: string;
  readonly at: string;
  readonly role: string;
  /** Positions in `certificates` of those that it is a pin of. */
  readonly equals: readonly number[];
  /** Whether one of them counts. */
  readonly counts: boolean;
  /** Why not, where it is equal or could not be used at all; null otherwise. */
  readonly but: string | null;
}

export interface JudgedCheck {
  readonly check: string;
  /** As configured. */
  readonly value: string;
  /** Undecided: it did not come to it, or it is not known. */
  readonly outcome: 'holds' | 'fails' | 'not-asked' | 'undecided';
  readonly detail: string;
}

export interface JudgedRule {
  readonly rule: string;
  readonly matches: boolean;
  readonly verdict: string;
}

export interface ExplainedSituation {
  /** As in the configuration. */
  readonly key: string;
  /** Whose value holds: a pinset's name, `pinned` or `unpinned`. */
  readonly values: readonly { readonly of: string; readonly value: string }[];
}

/** `proof`: whether the key exchange was signed with the leaf's key; undefined where nobody asked. */
export function explain(event: VerdictEvent, policy: Policy, proof: boolean | undefined): Explanation {
  const snapshot = new PinsetSnapshot(policy);
  const subject: FlowSubject = { server: event.server, client: event.client };
  const name = effectiveName(event.tls?.sni ?? null);
  const selection = snapshot.select(subject, name);
  const chain = (event.tls?.certificates ?? []).map(presentCertificate);
  const nowMs = event.time / 1000;
  const judge = (pinset: CompiledPinset) => judgedPinset(pinset, chain, name, nowMs, event, proof);
  return {
    pinsets: candidatesOf(policy.pinsets, selection, subject, name),
    certificates: chain.map(explainedCertificate),
    judged: [...selection.require, ...selection.deny].map(judge),
    rules: chain.length === 0 ? [] : judgedRules(selection, snapshot, chain),
    situation: situationOf(event, policy, snapshot, subject, selection),
  };
}

function explainedCertificate(certificate: PresentedCertificate): ExplainedCertificate {
  const { subject, issuer, notBefore, notAfter, subjectAltNames } = describeCertificate(certificate.der);
  const { sha256, spkiSha256 } = certificate;
  return {
    subject,
    issuer,
    notBefore,
    notAfter,
    names: subjectAltNames,
    sha256,
    spkiSha256: spkiSha256 === null ? null : Buffer.from(spkiSha256, 'hex').toString('base64'),
  };
}

function judgedPinset(
  pinset: CompiledPinset,
  chain: readonly PresentedCertificate[],
  name: string | null,
  nowMs: number,
  event: VerdictEvent,
  proof: boolean | undefined,
): JudgedPinset {
  const match = matchPins(pinset, chain, nowMs);
  const names = [...new Set([...(name === null ? [] : [name]), ...pinset.names])];
  const facts = examineChain({
    chain: chain.map(({ der }) => der),
    anchors: match.kind === 'path' ? match.anchors.map(({ der }) => der) : [],
    names,
    atMs: nowMs,
    trust: pinset.situations.checks.trust,
  });
  const anchors = match.kind === 'path' ? facts.anchorsOnPath.map((index) => match.anchors[index]!.pin) : [];
  const others = event.others.find((other) => other.pinset === pinset.name);
  const hasChain = chain.length > 0;
  return {
    pinset: pinset.name,
    mode: pinset.mode,
    pins: pinset.pins.map((pin) => comparedPin(pin, chain, facts, nowMs, anchors.includes(pin))),
    denied: matchDeny(pinset, chain, nowMs)?.canonical ?? null,
    checks: hasChain && pinset.pins.length > 0 ? judgedChecks(pinset, match.kind, facts, names, event, proof) : [],
    reason: event.pinset === pinset.name ? event.reason : (others?.reason ?? null),
  };
}

function comparedPin(
  pin: CompiledPin,
  chain: readonly PresentedCertificate[],
  facts: ChainFacts,
  nowMs: number,
  closesPath: boolean,
): ComparedPin {
  const equals = chain.flatMap((certificate, index) => (isPinOf(pin, certificate) ? [index] : []));
  const usable = isUsable(pin, nowMs);
  const objections = equals.map((index) => objectionTo(pin, index, facts));
  const counts = usable && (closesPath || objections.includes(undefined));
  const { canonical, at, role } = pin;
  const but = !usable ? unusable(pin, nowMs) : counts ? null : (objections.find((one) => one !== undefined) ?? null);
  return { pin: canonical, at, role, equals, counts, but };
}

/** Why a certificate that the pin is of does not satisfy it; undefined when it does. */
function objectionTo(pin: CompiledPin, index: number, facts: ChainFacts): string | undefined {
  if (index === 0) return pin.at === 'ca' ? 'it holds above the leaf only' : undefined;
  if (pin.at === 'leaf') return 'it holds for the leaf only';
  return facts.onPath.includes(index) ? undefined : 'that certificate is not on the verified path from the leaf';
}

function unusable({ notBefore, expires }: CompiledPin, nowMs: number): string {
  const day = (at: number) => new Date(at).toISOString().slice(0, 10);
  return notBefore !== null && nowMs < notBefore
    ? `it is used from ${day(notBefore)} on`
    : `it expired on ${day(expires!)}`;
}

function isPinOf(pin: CompiledPin, certificate: PresentedCertificate): boolean {
  switch (pin.kind) {
    case 'cert-sha1':
      return pin.key === certificate.sha1;
    case 'cert-sha256':
    case 'cert':
      return pin.key === certificate.sha256;
    case 'spki-sha256':
    case 'spki':
      return pin.key === certificate.spkiSha256;
    case 'key':
      return pin.key === certificate.key;
    case 'cert-sha512':
      return pin.key === sha512Hex(certificate.der);
    case 'spki-sha512':
      return certificate.spki !== null && pin.key === sha512Hex(certificate.spki);
    default:
      return pin.kind satisfies never;
  }
}

function judgedChecks(
  { situations: { checks } }: CompiledPinset,
  matched: string,
  facts: ChainFacts,
  names: readonly string[],
  event: VerdictEvent,
  proof: boolean | undefined,
): JudgedCheck[] {
  const isAsked = (value: Checks['name']) => value === 'on' || (value === 'auto' && matched === 'path');
  const outcome = (asked: boolean, holds: boolean): JudgedCheck['outcome'] =>
    asked ? (holds ? 'holds' : 'fails') : 'not-asked';
  const { name, validity, trust, minVersion } = checks;
  return [
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
    proofCheck(checks, event, proof),
    ...(minVersion === 0 || event.tls === null
      ? []
      : [
          {
            check: 'minVersion',
            value: `0x${minVersion.toString(16).padStart(4, '0')}`,
            outcome: outcome(true, event.tls.version >= minVersion),
            detail: '',
          },
        ]),
    ...(trust.length === 0
      ? []
      : [
          {
            check: 'trust',
            value: 'bundle',
            outcome: outcome(true, facts.trusted),
            detail: `a verified path ${facts.trusted ? 'leads' : 'does not lead'} to a trusted certificate`,
          },
        ]),
  ];
}

function proofCheck({ proofOfPossession }: Checks, event: VerdictEvent, proof: boolean | undefined): JudgedCheck {
  const made = (outcome: JudgedCheck['outcome'], detail: string) => ({
    check: 'proofOfPossession',
    value: proofOfPossession,
    outcome,
    detail,
  });
  if (proofOfPossession === 'off') return made('not-asked', '');
  if (proof !== undefined) {
    return made(proof ? 'holds' : 'fails', `the key exchange is ${proof ? '' : 'not '}signed with the key of the leaf`);
  }
  if (event.evidence === 'decrypted') {
    if (event.reason === 'no-proof') return made('fails', 'CertificateVerify is not signed with the key of the leaf');
    if (MATCHES.has(event.reason)) return made('holds', 'CertificateVerify is signed with the key of the leaf');
  }
  if (event.reason === 'no-proof') return made('fails', 'no signature with the key of the leaf was seen');
  const suite = event.tls?.cipherSuite ?? 0;
  const isStatic = MATCHES.has(event.reason) && keyExchangeOf(suite) === 'static';
  return isStatic
    ? made('not-asked', 'without a signed key exchange only the holder of the key can go on')
    : made('undecided', 'it did not come to it');
}

function judgedRules(
  selection: Selection,
  snapshot: PinsetSnapshot,
  chain: readonly PresentedCertificate[],
): JudgedRule[] {
  return selection.rules.map((rule) => {
    const { test, verdict } = rule;
    const sign = test.inverted ? '!' : '';
    return {
      rule: test.kind === 'fpl' ? `fpl ${sign}${test.list}` : `pubkey ${sign}${test.key}`,
      matches: matchRule(rule, chain, snapshot.lists),
      verdict: verdict.action,
    };
  });
}

function situationOf(
  event: VerdictEvent,
  policy: Policy,
  snapshot: PinsetSnapshot,
  subject: FlowSubject,
  selection: Selection,
): ExplainedSituation | null {
  const key = situationKey(event);
  if (key === undefined) return null;
  const valueOf = (situations: Situations) => String(situations[key]);
  const denier = key === 'noSni' ? snapshot.deniesWithoutName(subject) : undefined;
  const chosen = denier === undefined ? selection.require : [denier];
  const values = chosen.map(({ name, situations }) => ({ of: name, value: valueOf(situations) }));
  // Before its name is known, a flow may still be that of a host pinset.
  const isNameless = event.tls?.clientHello === undefined || event.tls?.clientHello === null;
  if (isNameless && snapshot.couldHostPinsetApply(subject))
    values.push({ of: 'pinned', value: valueOf(policy.pinned) });
  if (values.length === 0) values.push({ of: 'unpinned', value: valueOf(policy.unpinned) });
  return { key, values };
}

type SituationKey = Exclude<keyof Situations, 'checks' | 'quic'>;

/** The situation behind a reason. */
function situationKey({ reason, tls, evidence }: VerdictEvent): SituationKey | undefined {
  const hidden = tls?.sessionResumed === true && !isTls13(tls.version) ? 'resumed' : 'tls13';
  switch (reason) {
    case 'resumed-bound':
    case 'resumed-unbound':
      return 'resumed';
    case 'probe-failed':
    case 'keylog-missing':
      return hidden;
    case 'no-certificate':
      return tls !== null && isTls13(tls.version) ? hidden : undefined;
    case 'unpinned':
      return tls !== null && isTls13(tls.version) && evidence === 'none' ? 'tls13' : undefined;
    case 'anonymous':
      return tls !== null && keyExchangeOf(tls.cipherSuite) === 'psk' ? 'psk' : 'anonymous';
    case 'overlap-conflict':
    case 'limit':
    case 'parse-error':
      return 'parseError';
    default:
      return BY_NAME[reason];
  }
}

/** RFC 6066 §3: an address literal is no name. */
function effectiveName(serverName: string | null): string | null {
  return serverName === null || /^[\d.]+$/.test(serverName) ? null : serverName;
}

const BY_NAME: { readonly [reason in Reason]?: SituationKey } = {
  'no-sni': 'noSni',
  ech: 'ech',
  'not-tls': 'notTls',
  starttls: 'starttls',
  'raw-public-key': 'rawPublicKey',
  midstream: 'midstream',
  incomplete: 'incomplete',
  overload: 'overload',
};
const MATCHES: ReadonlySet<Reason> = new Set(['pin-match', 'backup-pin-match']);
