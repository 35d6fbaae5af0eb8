/**
 * Why a flow was decided as it was, as plain data: worked out again from its record and a configuration, step by step in
 * the order of decision, for a flow of a capture and for one of a running engine alike. The decision itself is the
 * engine's, taken from the record; nothing here decides.
 */
import type { Endpoint, VerdictEvent } from '../../judge/events.ts';
import { matchDeny, matchRule } from '../../pins/match/match.ts';
import type { CompiledPinset, Policy } from '../../pins/policy.ts';
import { type FlowSubject, PinsetSnapshot, type Selection } from '../../pins/match/snapshot.ts';
import { hostPort } from '../../report/endpoint.ts';
import { addressText, tlsVersionName } from '../../report/eve.ts';
import { effectiveName } from '../../tls/server-name.ts';
import { describeCertificate, subjectAltNamesOf } from '../../x509/certificate.ts';
import { type PresentedCertificate, presentCertificate } from '../../x509/presented.ts';
import { type JudgedCheck, judgedChecks } from './checks.ts';
import { compareChain, type ComparedPin } from './comparison.ts';
import { type ExplainedStep, stepsOf } from './handshake.ts';
import { hintFor, meaningOf } from '../../report/reasons.ts';
import { type Candidate, candidatesOf } from './selection.ts';
import { type ExplainedSituation, situationOf } from './situation.ts';

export interface Explanation {
  readonly flow: ExplainedFlow;
  readonly verdict: ExplainedVerdict;
  readonly handshake: readonly ExplainedStep[];
  /** Of the configuration, in its order; those that were chosen come first where not all are shown. */
  readonly pinsets: readonly Candidate[];
  readonly pinsets_left_out: number;
  /** As presented, the leaf first; empty where none was seen. */
  readonly certificates: readonly ExplainedCertificate[];
  /** The pinsets that had a say. */
  readonly judged: readonly JudgedPinset[];
  readonly rules: readonly JudgedRule[];
  readonly rules_left_out: number;
  /** Where no certificate of the connection could decide. */
  readonly situation: ExplainedSituation | null;
}

export interface ExplainedFlow {
  /** ADDRESS:PORT. */
  readonly client: string;
  readonly server: string;
  readonly sni: string | null;
  readonly version: string | null;
  readonly starttls: string | null;
  /** The name that a proxy was asked for, where TLS asks for another or none. */
  readonly fronted: string | null;
  readonly session_resumed: boolean;
}

export interface ExplainedVerdict {
  readonly action: string;
  readonly reason: string;
  /** One sentence. */
  readonly meaning: string;
  readonly pinset: string | null;
  readonly mode: string;
  readonly evidence: string;
  readonly matched: string | null;
  readonly would: string | null;
  readonly fault: string | null;
  /** What may be behind the fault, or what to do about it. */
  readonly hint: string | null;
  /** Hash of the configuration that decided. */
  readonly config: string;
}

export interface ExplainedCertificate {
  readonly subject: string | null;
  readonly issuer: string | null;
  readonly not_before: string | null;
  readonly not_after: string | null;
  readonly names: readonly string[];
  readonly sha1: string;
  readonly sha256: string;
  /** Base64. */
  readonly spki_sha256: string | null;
}

export interface JudgedPinset {
  readonly pinset: string;
  readonly mode: string;
  /** Those that a certificate has come first where not all are shown. */
  readonly pins: readonly ComparedPin[];
  readonly pins_left_out: number;
  /** How many deny pins it has, and the one that a certificate satisfies. */
  readonly deny_pins: number;
  readonly denied: string | null;
  readonly checks: readonly JudgedCheck[];
  /** Null where the record does not say it. */
  readonly reason: string | null;
}

export interface JudgedRule {
  readonly rule: string;
  /** Null where there was no certificate to compare it with. */
  readonly matches: boolean | null;
  readonly verdict: string;
}

/** What is told of at the most: an answer of the control socket has to end. */
export interface Extent {
  readonly pinsets: number;
  /** Of a pinset. */
  readonly pins: number;
  readonly rules: number;
}

export const EVERYTHING: Extent = { pinsets: Infinity, pins: Infinity, rules: Infinity };

/** `policy`: the one that decided, by its hash; another one tells what it would compare. */
export function explain(event: VerdictEvent, policy: Policy, extent: Extent = EVERYTHING): Explanation {
  const snapshot = snapshotOf(policy);
  const subject: FlowSubject = { server: event.server, client: event.client };
  const name = effectiveName(event.tls?.sni ?? null);
  const selection = snapshot.select(subject, name, event.fronted);
  const chain = (event.tls?.certificates ?? []).map(presentCertificate);
  const candidates = candidatesOf(policy.pinsets, selection, subject, [name, event.fronted]);
  const shown = first(candidates, extent.pinsets, ({ chosen_as: chosenAs }) => chosenAs !== null);
  const rules = judgedRules(selection, snapshot, chain);
  return {
    flow: explainedFlow(event),
    verdict: explainedVerdict(event),
    handshake: stepsOf(event),
    pinsets: shown,
    pinsets_left_out: candidates.length - shown.length,
    certificates: chain.map(explainedCertificate),
    judged: [...selection.require, ...selection.deny].map((pinset) => judgedPinset(pinset, chain, name, event, extent)),
    rules: rules.slice(0, extent.rules),
    rules_left_out: Math.max(0, rules.length - extent.rules),
    situation: situationOf(event, snapshot, selection),
  };
}

function explainedFlow({ client, server, tls, starttls, fronted }: VerdictEvent): ExplainedFlow {
  return {
    client: endpointText(client),
    server: endpointText(server),
    sni: tls?.sni ?? null,
    version: tls === null ? null : tlsVersionName(tls.version),
    starttls,
    fronted,
    session_resumed: tls?.sessionResumed ?? false,
  };
}

function explainedVerdict(event: VerdictEvent): ExplainedVerdict {
  const { action, reason, pinset, mode, evidence, matched, would, fault, config } = event;
  const [meaning, hint] = [meaningOf(reason), hintFor(event)];
  return { action, reason, meaning, pinset, mode, evidence, matched, would, fault, hint, config };
}

function explainedCertificate({ der, sha1, sha256, spkiSha256 }: PresentedCertificate): ExplainedCertificate {
  const { subject, issuer, notBefore, notAfter } = describeCertificate(der);
  return {
    subject,
    issuer,
    not_before: notBefore,
    not_after: notAfter,
    names: subjectAltNamesOf(der),
    sha1,
    sha256,
    spki_sha256: spkiSha256 === null ? null : Buffer.from(spkiSha256, 'hex').toString('base64'),
  };
}

function judgedPinset(
  pinset: CompiledPinset,
  chain: readonly PresentedCertificate[],
  name: string | null,
  event: VerdictEvent,
  extent: Extent,
): JudgedPinset {
  const nowMs = event.time / 1000;
  const { pins, facts, isAboveLeaf, names } = compareChain(pinset, chain, name, nowMs);
  const shown = first(pins, extent.pins, ({ equals, counts }) => counts || equals.length > 0);
  const isJudged = chain.length > 0 && pinset.pins.length > 0;
  const others = event.others.find((other) => other.pinset === pinset.name);
  return {
    pinset: pinset.name,
    mode: pinset.mode,
    pins: shown,
    pins_left_out: pins.length - shown.length,
    deny_pins: pinset.deny.length,
    denied: matchDeny(pinset, chain, nowMs)?.canonical ?? null,
    checks: isJudged ? judgedChecks(pinset.situations.checks, isAboveLeaf, facts, names, event) : [],
    reason: event.pinset === pinset.name ? event.reason : (others?.reason ?? null),
  };
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
      matches: chain.length === 0 ? null : matchRule(rule, chain, snapshot.lists) !== undefined,
      verdict: verdict.action,
    };
  });
}

/** All of them in their order, or as many, those of interest ahead of the others. */
function first<T>(all: readonly T[], most: number, isOfInterest: (one: T) => boolean): readonly T[] {
  if (all.length <= most) return all;
  return [...all.filter(isOfInterest), ...all.filter((one) => !isOfInterest(one))].slice(0, most);
}

/** An endpoint as it is typed. */
export function endpointText({ address, port }: Endpoint): string {
  return hostPort(addressText(address), port);
}

/** Lists may be long, and the questions many. */
function snapshotOf(policy: Policy): PinsetSnapshot {
  const snapshot = snapshots.get(policy) ?? new PinsetSnapshot(policy);
  snapshots.set(policy, snapshot);
  return snapshot;
}

const snapshots = new WeakMap<Policy, PinsetSnapshot>();
