/**
 * What is wrong with bytes from the network, as data. Faults are values that travel upwards; nothing here throws and
 * nothing here knows which protocol the bytes belong to.
 */

/** Policy differs for each family: broken bytes, bytes that break the protocol's rules, bytes this program cannot read. */
export type FaultFamily = 'malformed' | 'misbehaved' | 'unsupported';

export interface Fault {
  readonly family: FaultFamily;
  /** Stable dotted code, such as `tls.record.overflow`. */
  readonly code: string;
  /** Offset in the stream or structure, in octets. */
  readonly at: number;
}

export function malformed(code: string, at: number): Fault {
  return { family: 'malformed', code, at };
}

export function misbehaved(code: string, at: number): Fault {
  return { family: 'misbehaved', code, at };
}

export function unsupported(code: string, at: number): Fault {
  return { family: 'unsupported', code, at };
}

/** Tells a fault from a parsed structure; no structure here has a field of that name. */
export function isFault(value: object): value is Fault {
  return 'family' in value;
}
