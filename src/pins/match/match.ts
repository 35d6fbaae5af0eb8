/**
 * Whether the certificates that a server presented satisfy a pinset, a deny list or a rule. A pin above the leaf is
 * only a candidate: whether its certificate is on the verified path from the leaf is for whoever verifies paths.
 * Answers what matches; what is done about it is for the engine.
 */
import { presentCertificate, type PresentedCertificate } from '../../x509/presented.ts';
import { outlineOf } from '../../x509/outline.ts';
import { PinIndex } from './pin-index.ts';
import type { PinTable, PinTables } from './pin-table.ts';
import type { CompiledList, CompiledPin, CompiledPinset, CompiledRule } from '../policy.ts';

export type PinMatch =
  /** The leaf satisfies a pin that may stand on the leaf. */
  | { readonly kind: 'leaf'; readonly pin: CompiledPin }
  /** Only a verified path can tell. */
  | {
      readonly kind: 'path';
      /** Presented certificates above the leaf that satisfy a pin; `index` in wire order. */
      readonly candidates: readonly { readonly pin: CompiledPin; readonly index: number }[];
      /** Pinned certificates that were not presented and that issued one that was, by name: given whole, or trusted. */
      readonly anchors: readonly { readonly pin: CompiledPin; readonly der: Uint8Array }[];
    }
  | { readonly kind: 'mismatch' }
  /** No pin may be used at this time. */
  | { readonly kind: 'unusable' };

/** `chain` is in wire order, the leaf first. */
export function matchPins(pinset: CompiledPinset, chain: readonly PresentedCertificate[], nowMs: number): PinMatch {
  const { pins } = indexOf(pinset);
  if (!pins.usableAt(nowMs)) return UNUSABLE;
  const leaf = chain[0];
  if (leaf === undefined) return MISMATCH;
  const pin = pins.find(leaf, nowMs, mayBeLeaf);
  if (pin !== undefined) return { kind: 'leaf', pin };

  const candidates: { pin: CompiledPin; index: number }[] = [];
  for (let index = 1; index < chain.length; index++) {
    const above = pins.find(chain[index]!, nowMs, mayBeAbove);
    if (above !== undefined) candidates.push({ pin: above, index });
  }
  const anchors = anchorsFor(pinset, chain, nowMs);
  return candidates.length === 0 && anchors.length === 0 ? MISMATCH : { kind: 'path', candidates, anchors };
}

/** The deny pin that some presented certificate satisfies. */
export function matchDeny(
  pinset: CompiledPinset,
  chain: readonly PresentedCertificate[],
  nowMs: number,
): CompiledPin | undefined {
  const { deny } = indexOf(pinset);
  if (deny.isEmpty) return undefined;
  for (const [index, certificate] of chain.entries()) {
    const pin = deny.find(certificate, nowMs, index === 0 ? deniesLeaf : deniesAbove);
    if (pin !== undefined) return pin;
  }
  return undefined;
}

/** The first date after this time from which on the pinset may judge otherwise; Infinity when there is none. */
export function nextChange(pinset: CompiledPinset, nowMs: number): number {
  const { pins, deny } = indexOf(pinset);
  const ownEnd = pinset.expires !== null && pinset.expires > nowMs ? pinset.expires : Infinity;
  return Math.min(ownEnd, pins.nextChange(nowMs), deny.nextChange(nowMs));
}

/** A rule that a chain satisfies. */
export interface RuleMatch {
  /** Its place in the configuration, from 0. */
  readonly index: number;
  /** The list that it looks into, and the entry that was found there; null where there is none, or none was to be. */
  readonly list: string | null;
  readonly entry: string | null;
}

/**
 * `fpl`: if any presented certificate is listed; inverted, unless the leaf is (xt_sslpin 2.0 was satisfied by any
 * certificate, so that the genuine one appended behind a forged leaf passed). `pubkey`: compares the leaf's key.
 */
export function matchRule(
  { index, test }: CompiledRule,
  chain: readonly PresentedCertificate[],
  lists: ReadonlyMap<string, PinIndex>,
): RuleMatch | undefined {
  const leaf = chain[0];
  if (test.kind === 'pubkey') {
    const isSame = leaf !== undefined && leaf.key === test.key;
    return isSame === test.inverted ? undefined : { index, list: null, entry: null };
  }
  const { list } = test;
  const entries = lists.get(list);
  for (const certificate of test.inverted ? chain.slice(0, 1) : chain) {
    const entry = entries?.find(certificate, ANY_TIME, anywhere);
    if (entry !== undefined) return test.inverted ? undefined : { index, list, entry: entry.canonical };
  }
  return test.inverted ? { index, list, entry: null } : undefined;
}

/** Builds the indexes of a pinset ahead of its first flow. `tables`: where the entries of lists are that it names. */
export function prepare(pinset: CompiledPinset, tables: PinTables): void {
  homes.set(pinset, tables);
  for (const learned of pinset.learned?.values() ?? []) homes.set(learned, tables);
  indexOf(pinset);
}

/** A list's entries, looked up as the pins of a pinset are. */
export function indexList({ entries, listed = [] }: CompiledList, tables: PinTables): PinIndex {
  return new PinIndex(entries, tablesOf(listed, tables));
}

interface PinsetIndex {
  readonly pins: PinIndex;
  readonly deny: PinIndex;
  /** Anchors by the octets of their subject. */
  readonly anchorsBySubject: ReadonlyMap<string, readonly CompiledPin[]>;
  /** The certificates of `checks.trust`, likewise. */
  readonly trustBySubject: ReadonlyMap<string, readonly PresentedCertificate[]>;
}

const indexes = new WeakMap<CompiledPinset, PinsetIndex>();
const homes = new WeakMap<CompiledPinset, PinTables>();

/** By the bundle, which may be large, and many pinsets' own. */
const trusted = new WeakMap<readonly Uint8Array[], PinsetIndex['trustBySubject']>();

function bySubject(trust: readonly Uint8Array[]): PinsetIndex['trustBySubject'] {
  const known = trusted.get(trust);
  if (known !== undefined) return known;
  const found = new Map<string, PresentedCertificate[]>();
  for (const der of trust) {
    const subject = nameOf(der, 'subject');
    if (subject !== undefined) found.set(subject, [...(found.get(subject) ?? []), presentCertificate(der)]);
  }
  trusted.set(trust, found);
  return found;
}

function indexOf(pinset: CompiledPinset): PinsetIndex {
  let index = indexes.get(pinset);
  if (index === undefined) {
    const tables = homes.get(pinset) ?? NO_TABLES;
    const { pins: ofPins, deny: ofDeny } = pinset.listed ?? NONE_LISTED;
    const pins = new PinIndex(pinset.pins, tablesOf(ofPins, tables));
    const anchorsBySubject = new Map<string, CompiledPin[]>();
    for (const anchor of pins.anchors) {
      const subject = nameOf(anchor.der!, 'subject');
      if (subject !== undefined) anchorsBySubject.set(subject, [...(anchorsBySubject.get(subject) ?? []), anchor]);
    }
    const deny = new PinIndex(pinset.deny, tablesOf(ofDeny, tables));
    index = { pins, deny, anchorsBySubject, trustBySubject: bySubject(pinset.situations.checks.trust) };
    indexes.set(pinset, index);
  }
  return index;
}

function tablesOf(names: readonly string[], tables: PinTables): PinTable[] {
  return names.flatMap((name) => tables.get(name) ?? []);
}

function anchorsFor(pinset: CompiledPinset, chain: readonly PresentedCertificate[], nowMs: number) {
  const { pins, anchorsBySubject, trustBySubject } = indexOf(pinset);
  if (anchorsBySubject.size + trustBySubject.size === 0) return [];
  const found = new Map<string, { pin: CompiledPin; der: Uint8Array }>();
  for (const certificate of chain) {
    const issuer = nameOf(certificate.der, 'issuer');
    if (issuer === undefined) continue;
    for (const pin of anchorsBySubject.get(issuer) ?? []) {
      const inTime = (pin.notBefore ?? -Infinity) <= nowMs && nowMs < (pin.expires ?? Infinity);
      const presented = chain.some((other) => other.sha256 === pin.key);
      if (inTime && !presented) found.set(pin.key, { pin, der: pin.der! });
    }
  }
  // Servers seldom send their root: pins of it are found where the path that they send goes on in what is trusted.
  const seen = new Set(chain.map(({ sha256 }) => sha256));
  const waiting = [...chain];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const trusted of trustBySubject.get(nameOf(next.der, 'issuer') ?? '') ?? []) {
      if (seen.has(trusted.sha256)) continue;
      seen.add(trusted.sha256);
      waiting.push(trusted);
      const pin = pins.find(trusted, nowMs, mayBeAbove);
      if (pin !== undefined) found.set(trusted.sha256, { pin, der: trusted.der });
    }
  }
  return [...found.values()];
}

/** The octets of a Name as a map key. */
function nameOf(der: Uint8Array, which: 'issuer' | 'subject'): string | undefined {
  const outline = outlineOf(der);
  if (outline === null) return undefined;
  const { start, end } = outline[which];
  return Buffer.from(der.buffer, der.byteOffset + start, end - start).toString('latin1');
}

const mayBeLeaf = (pin: CompiledPin) => pin.at !== 'ca';
const mayBeAbove = (pin: CompiledPin) => pin.at !== 'leaf';
/** A list that denies has no use for a verified path: what was presented is enough. */
const deniesLeaf = (pin: CompiledPin) => pin.at !== 'ca';
const deniesAbove = (pin: CompiledPin) => pin.at !== 'leaf';
const anywhere = () => true;

const UNUSABLE: PinMatch = { kind: 'unusable' };
const MISMATCH: PinMatch = { kind: 'mismatch' };
const NO_TABLES: PinTables = new Map();
const NONE_LISTED = { pins: [], deny: [] };
/** Lists have no dates. */
const ANY_TIME = 0;
