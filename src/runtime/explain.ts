/**
 * Why a flow was decided as it was, told from its record and the configuration that decided: which pinsets fit it and
 * which was the most specific, what each pin was compared with, which situation applied. Looks again at what was seen;
 * decides nothing, and knows no packets.
 */
import type { Endpoint, VerdictEvent } from '../engine/events.ts';
import { inRange, plainAddress, plainRange } from '../pins/address.ts';
import { matchRule } from '../pins/match.ts';
import { normalName, parentOf } from '../pins/match-index.ts';
import { isUsable, PinIndex } from '../pins/pin-index.ts';
import type { CompiledMatch, CompiledPin, CompiledPinset, Policy, Situations } from '../pins/policy.ts';
import { type FlowSubject, PinsetSnapshot } from '../pins/snapshot.ts';
import { addressText, tlsVersionName } from '../report/eve.ts';
import { describeCertificate } from '../x509/certificate.ts';
import { type PresentedCertificate, presentCertificate } from '../x509/presented.ts';
import { meaningOf, situationOf } from './reasons.ts';

export interface Explanation {
  readonly flow: {
    readonly src: string;
    readonly dest: string;
    readonly sni: string | null;
    readonly version: string | null;
    readonly starttls: string | null;
  };
  readonly verdict: {
    readonly action: string;
    readonly reason: string;
    readonly pinset: string | null;
    readonly mode: string;
    readonly evidence: string;
    readonly matched: string | null;
    readonly would: string | null;
    readonly fault: string | null;
    readonly config: string;
    /** One sentence. */
    readonly meaning: string;
  };
  /** What applied where no certificate could decide, or the check that failed; null where neither did. */
  readonly situation: { readonly key: string; readonly value: string; readonly of: string } | null;
  readonly pinsets: readonly PinsetExplanation[];
  /** Pinsets that do not fit and are not shown. */
  readonly pinsetsLeftOut: number;
  readonly rules: readonly { readonly rule: string; readonly result: string }[];
  /** As presented, the leaf first. */
  readonly certificates: readonly CertificateExplanation[];
}

export interface PinsetExplanation {
  readonly pinset: string;
  readonly selected: boolean;
  /** Why it was, or was not. */
  readonly why: string;
  readonly pins: readonly PinExplanation[];
  readonly deny: readonly PinExplanation[];
}

export interface PinExplanation {
  readonly pin: string;
  readonly at: string;
  readonly role: string;
  readonly counts: boolean;
  readonly result: string;
}

export interface CertificateExplanation {
  readonly subject: string | null;
  readonly issuer: string | null;
  readonly sha256: string;
  /** In base64. */
  readonly spki_sha256: string | null;
}

/** `policy`: the one that decided, by its hash; another one tells what it would compare. */
export function explainFlow(policy: Policy, event: VerdictEvent): Explanation {
  const chain = (event.tls?.certificates ?? []).map(presentCertificate);
  const snapshot = snapshotOf(policy);
  const pinsets = explainPinsets(snapshot, event, chain);
  const shown = [...pinsets.filter(isOfInterest), ...pinsets.filter((each) => !isOfInterest(each))].slice(0, PINSETS);
  return {
    flow: {
      src: endpointText(event.client),
      dest: endpointText(event.server),
      sni: event.tls?.sni ?? null,
      version: event.tls === null ? null : tlsVersionName(event.tls.version),
      starttls: event.starttls,
    },
    verdict: {
      action: event.action,
      reason: event.reason,
      pinset: event.pinset,
      mode: event.mode,
      evidence: event.evidence,
      matched: event.matched,
      would: event.would,
      fault: event.fault,
      config: event.config,
      meaning: meaningOf(event.reason),
    },
    situation: explainSituation(snapshot, event),
    pinsets: shown,
    pinsetsLeftOut: pinsets.length - shown.length,
    rules: explainRules(snapshot, event, chain),
    certificates: chain.map(explainCertificate),
  };
}

/** Lists may be long, and the questions many. */
function snapshotOf(policy: Policy): PinsetSnapshot {
  const snapshot = snapshots.get(policy) ?? new PinsetSnapshot(policy);
  snapshots.set(policy, snapshot);
  return snapshot;
}

const snapshots = new WeakMap<Policy, PinsetSnapshot>();

function explainPinsets(snapshot: PinsetSnapshot, event: VerdictEvent, chain: readonly PresentedCertificate[]) {
  const name = nameOf(event);
  const subject: FlowSubject = { client: event.client, server: event.server };
  const selection = snapshot.select(subject, name);
  return snapshot.policy.pinsets.map((pinset): PinsetExplanation => {
    const isRequired = selection.require.includes(pinset);
    const isSelected = isRequired || selection.deny.includes(pinset);
    const fit = fitOf(pinset.match, subject, name);
    const why = isSelected || !fit.fits ? fit.why : `${fit.why}, but ${moreSpecific(selection.require, pinset)}`;
    const compare = (pins: readonly CompiledPin[], isDeny: boolean): PinExplanation[] =>
      isSelected
        ? matchedFirst(pins, event)
            .slice(0, PINS)
            .map((pin) => comparePin(pin, chain, event, isDeny))
        : [];
    return {
      pinset: pinset.name,
      selected: isSelected,
      why,
      pins: compare(pinset.pins, false),
      deny: compare(pinset.deny, true),
    };
  });
}

/** A list may be long. */
function matchedFirst(pins: readonly CompiledPin[], { matched }: VerdictEvent): CompiledPin[] {
  const isMatched = ({ canonical }: CompiledPin) => canonical === matched;
  return [...pins.filter(isMatched), ...pins.filter((pin) => !isMatched(pin))];
}

/** Selected, or beaten. */
function isOfInterest({ selected, why }: PinsetExplanation): boolean {
  return selected || why.includes(', but ');
}

function moreSpecific(required: readonly CompiledPinset[], pinset: CompiledPinset): string {
  const isByAddress = pinset.match.addresses.length > 0;
  const rival = required.find(({ match }) => match.addresses.length > 0 === isByAddress) ?? required[0];
  return rival === undefined ? 'it does not take part' : `"${rival.name}" is more specific`;
}

function fitOf(match: CompiledMatch, { client, server }: FlowSubject, name: string | null) {
  const host = match.hosts.find((pattern) => name !== null && fitsHost(name, pattern));
  const network = match.addresses.find((range) => inRange(plainAddress(server.address), plainRange(range)));
  const misses = [
    ...(match.hosts.length > 0 && name === null ? ['the client gave no name'] : []),
    ...(match.hosts.length > 0 && name !== null && host === undefined ? [`${name} is none of its hosts`] : []),
    ...(match.addresses.length > 0 && network === undefined
      ? [`${addressText(server.address)} is in none of its networks`]
      : []),
    ...(fitsPort(match, server.port) ? [] : [`port ${server.port} is none of its ports`]),
    ...(fitsClient(match, client) ? [] : [`${addressText(client.address)} is none of its clients`]),
  ];
  if (misses.length > 0) return { fits: false, why: misses.join('; ') };
  const hits = [
    ...(host === undefined ? [] : [`${name} fits ${host}`]),
    ...(network === undefined ? [] : [`the server is in ${addressText(network.address)}/${network.prefix}`]),
    ...(host === undefined && network === undefined ? ['it is for whatever no other pinset is for'] : []),
  ];
  return { fits: true, why: hits.join('; ') };
}

function fitsHost(name: string, pattern: string): boolean {
  if (pattern.startsWith('**.')) return name === pattern.slice(3) || name.endsWith(pattern.slice(2));
  return pattern.startsWith('*.') ? parentOf(name) === pattern.slice(2) : name === pattern;
}

function fitsPort({ ports }: CompiledMatch, port: number): boolean {
  return ports.length === 0 || ports.some(([first, last]) => first <= port && port <= last);
}

function fitsClient({ clients }: CompiledMatch, { address }: Endpoint): boolean {
  return clients.length === 0 || clients.some((range) => inRange(plainAddress(address), plainRange(range)));
}

function comparePin(
  pin: CompiledPin,
  chain: readonly PresentedCertificate[],
  event: VerdictEvent,
  isDeny: boolean,
): PinExplanation {
  const { canonical, at, role } = pin;
  const told = (counts: boolean, result: string) => ({ pin: canonical, at, role, counts, result });
  const nowMs = event.time / 1000;
  if (!isUsable(pin, nowMs)) return told(false, unusable(pin, nowMs));
  if (chain.length === 0) return told(false, 'there is no certificate to compare it with');
  const index = new PinIndex([{ ...pin, notBefore: null, expires: null }]);
  const holders = chain.flatMap((certificate, i) => (index.find(certificate, nowMs, () => true) ? [i] : []));
  if (holders.length === 0) return told(false, 'no certificate that was presented has it');
  if (holders.includes(0) && at !== 'ca') return told(true, 'the leaf has it');
  if (holders[0] === 0 && holders.length === 1)
    return told(false, 'the leaf has it, but it counts above the leaf only');
  const above = `certificate ${holders.find((i) => i > 0)} has it`;
  if (at === 'leaf') return told(false, `${above}, but it counts on the leaf only`);
  if (isDeny || event.matched === canonical) return told(true, above);
  return told(false, `${above}, but a verified path from the leaf to it was not what decided`);
}

function unusable({ notBefore, expires }: CompiledPin, nowMs: number): string {
  if (notBefore === Infinity) return 'the lists are empty: nothing satisfies it';
  if (notBefore !== null && nowMs < notBefore) return `it is not used before ${new Date(notBefore).toISOString()}`;
  return `it is not used since ${new Date(expires!).toISOString()}`;
}

function explainSituation(snapshot: PinsetSnapshot, event: VerdictEvent): Explanation['situation'] {
  const key = situationOf(event);
  if (key === undefined) return null;
  const { policy } = snapshot;
  const pinset = policy.pinsets.find(({ name }) => name === event.pinset);
  const subject: FlowSubject = { client: event.client, server: event.server };
  const isPinned = nameOf(event) === null && snapshot.couldHostPinsetApply(subject);
  const [of, situations]: [string, Situations] =
    pinset === undefined
      ? isPinned
        ? ['pinned', policy.pinned]
        : ['unpinned', policy.unpinned]
      : [`pinset ${pinset.name}`, pinset.situations];
  const [section, check] = key.split('.') as [keyof Situations, string?];
  const value: unknown =
    check === undefined ? situations[section] : situations.checks[check as keyof Situations['checks']];
  return { key, value: Array.isArray(value) ? `${value.length} certificates` : String(value), of };
}

function explainRules(snapshot: PinsetSnapshot, event: VerdictEvent, chain: readonly PresentedCertificate[]) {
  const subject: FlowSubject = { client: event.client, server: event.server };
  return snapshot
    .select(subject, nameOf(event))
    .rules.slice(0, RULES)
    .map((rule) => {
      const { test, verdict } = rule;
      const operand = test.kind === 'fpl' ? test.list : test.key;
      const result =
        chain.length === 0
          ? 'there is no certificate to compare it with'
          : matchRule(rule, chain, snapshot.lists)
            ? `true: ${verdict.action}`
            : 'not true';
      return { rule: `${test.kind} ${test.inverted ? '!' : ''}${operand}`, result };
    });
}

function explainCertificate({ der, sha256, spkiSha256 }: PresentedCertificate): CertificateExplanation {
  const { subject, issuer } = describeCertificate(der);
  const spki = spkiSha256 === null ? null : Buffer.from(spkiSha256, 'hex').toString('base64');
  return { subject, issuer, sha256, spki_sha256: spki };
}

/** The name that selects; an address literal is none (RFC 6066 §3). */
function nameOf({ tls }: VerdictEvent): string | null {
  const sni = tls?.sni ?? null;
  return sni === null || /^[\d.]+$/.test(sni) ? null : normalName(sni);
}

function endpointText({ address, port }: Endpoint): string {
  const text = addressText(address);
  return address.length === 4 ? `${text}:${port}` : `[${text}]:${port}`;
}

/** What is shown at the most. */
const PINSETS = 50;
const PINS = 200;
const RULES = 50;
