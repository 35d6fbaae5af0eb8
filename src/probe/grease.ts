/**
 * What of a probe's hello is not its client's: the octets that each connection makes for itself (RFC 8446 §4.1.2), GREASE
 * among them (RFC 8701). One hand draws them, for the wire; another writes what is drawn in one way only, so that what is
 * left is the client's choice, to the octet. Knows no hello.
 */
import { randomBytes, randomInt } from 'node:crypto';

import type { OwnKeyShare } from './key-share.ts';
import { KeySupply } from './key-supply.ts';
import { shuffled } from './decoys/turns.ts';

export interface OwnOctets {
  octets(length: number): Uint8Array;
  /** What names a session that is as long. */
  session(length: number): Uint8Array;
  readonly offersSessions: boolean;
  oneOf(lengths: readonly number[]): number;
  /** What stands for a reserved number: equal ones for equal ones, others for others. */
  grease(number: number): number;
  /** The same for a mode of psk_key_exchange_modes; any other mode is itself. */
  greaseMode(mode: number): number;
  /** Undefined for a group that this runtime cannot do. */
  share(group: number): OwnKeyShare | undefined;
  inOrder(extensions: readonly Uint8Array[]): readonly Uint8Array[];
}

/** As they go on the wire. */
export class RandomOctets implements OwnOctets {
  readonly #nibbles = shuffled(numbersBelow(16));
  readonly #modes = shuffled(numbersBelow(8));
  readonly offersSessions = true;

  octets(length: number): Uint8Array {
    return randomBytes(length);
  }

  session(length: number): Uint8Array {
    return randomBytes(length);
  }

  oneOf(lengths: readonly number[]): number {
    return lengths[randomInt(lengths.length)]!;
  }

  grease(number: number): number {
    return reserved(this.#nibbles[number >> 12]!);
  }

  greaseMode(mode: number): number {
    return isGreaseMode(mode) ? reservedMode(this.#modes[nibbleOf(mode)]!) : mode;
  }

  share(group: number): OwnKeyShare | undefined {
    return SUPPLY.take(group);
  }

  inOrder(extensions: readonly Uint8Array[]): readonly Uint8Array[] {
    return extensions;
  }
}

/** As they are told apart: whatever is drawn is the same, and only which are equal shows. */
export class CanonicalOctets implements OwnOctets {
  readonly offersSessions = false;
  readonly #isSorted: boolean;
  readonly #reserved = new Map<number, number>();

  /** `isSorted`: the order of extensions, and which reserved numbers are equal, are to make no difference. */
  constructor(isSorted: boolean) {
    this.#isSorted = isSorted;
  }

  octets(length: number): Uint8Array {
    return new Uint8Array(length);
  }

  session(): Uint8Array {
    return NOTHING;
  }

  oneOf(lengths: readonly number[]): number {
    return lengths[0]!;
  }

  grease(number: number): number {
    return reserved(this.#nth(number));
  }

  greaseMode(mode: number): number {
    return isGreaseMode(mode) ? reservedMode(this.#nth(mode) & 7) : mode;
  }

  share(group: number): OwnKeyShare {
    return { group, keyExchange: NOTHING, agree: () => undefined };
  }

  inOrder(extensions: readonly Uint8Array[]): readonly Uint8Array[] {
    return this.#isSorted ? [...extensions].sort((a, b) => Buffer.compare(a, b)) : extensions;
  }

  /** As which it first came. */
  #nth(number: number): number {
    if (this.#isSorted) return 0;
    const known = this.#reserved.get(number) ?? this.#reserved.size;
    this.#reserved.set(number, known);
    return known;
  }
}

function reserved(nibble: number): number {
  return ((nibble << 4) | 0x0a) * 0x0101;
}

/** RFC 8701 §2, for lists of octets: 0x0b, 0x2a, … 0xe4. */
function isGreaseMode(mode: number): boolean {
  return mode >= 0x0b && (mode - 0x0b) % 0x1f === 0;
}

function nibbleOf(mode: number): number {
  return (mode - 0x0b) / 0x1f;
}

function reservedMode(nibble: number): number {
  return 0x0b + 0x1f * nibble;
}

function numbersBelow(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}

/** Of all probes: whose key it becomes is not known when it is drawn. */
const SUPPLY = new KeySupply();
const NOTHING = new Uint8Array(0);
