/** The pinsets in force and their pins, for whoever shows them: the answer of `pinsets`. Bounded, and reads only. */
import type { CompiledPin, CompiledPinset, Policy } from '../../pins/policy.ts';
import { addressText } from '../../report/eve.ts';

export interface PinsetView {
  readonly pinset: string;
  readonly mode: string;
  /** As the configuration writes them: the first of them. */
  readonly hosts: readonly string[];
  readonly addresses: readonly string[];
  readonly pins: readonly PinView[];
  readonly pins_left_out: number;
  readonly deny_pins: number;
  readonly expires: string | null;
}

export interface PinView {
  readonly pin: string;
  readonly at: string;
  readonly role: 'primary' | 'backup';
  readonly not_before: string | null;
  readonly expires: string | null;
  /** The list that it is an entry of. */
  readonly list: string | null;
}

export function pinsetsAnswer({ pinsets, hash }: Policy) {
  return {
    config: hash,
    pinsets: pinsets.slice(0, PINSETS).map(pinsetView),
    pinsets_left_out: Math.max(0, pinsets.length - PINSETS),
  };
}

function pinsetView({ name, mode, match, pins, deny, expires }: CompiledPinset): PinsetView {
  return {
    pinset: name,
    mode,
    hosts: match.hosts.slice(0, PATTERNS),
    addresses: match.addresses.slice(0, PATTERNS).map(networkText),
    pins: pins.slice(0, PINS).map(pinView),
    pins_left_out: Math.max(0, pins.length - PINS),
    deny_pins: deny.length,
    expires: dateOf(expires),
  };
}

/** Hosts and networks that it is for, as the configuration writes them. */
export function patternsOf({ match }: CompiledPinset): string[] {
  return [...match.hosts, ...match.addresses.map(networkText)];
}

function networkText({ address, prefix }: CompiledPinset['match']['addresses'][number]): string {
  return `${addressText(address)}/${prefix}`;
}

function pinView({ canonical, at, role, notBefore, expires, list }: CompiledPin): PinView {
  return {
    pin: canonical,
    at,
    role,
    not_before: dateOf(notBefore),
    expires: dateOf(expires),
    list: list ?? null,
  };
}

/** Infinity is when an empty list's pin begins to count. */
function dateOf(atMs: number | null): string | null {
  return atMs === null || !Number.isFinite(atMs) ? null : new Date(atMs).toISOString();
}

const PINSETS = 500;
const PINS = 100;
const PATTERNS = 20;
