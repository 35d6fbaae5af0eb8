/** The finite fields of RFC 7919, whose primes are made of the digits of e: large, and easily written. */
import { createDiffieHellman, type DiffieHellman } from 'node:crypto';

/** Octets of the primes. */
export type FieldOctets = keyof typeof SUMMANDS;

/** One's own side of an exchange in it. */
export function finiteField(octets: FieldOctets): DiffieHellman {
  return createDiffieHellman(primeOf(octets), 'hex', GENERATOR);
}

/** RFC 7919 appendix A: p = 2^b - 2^(b-64) + (floor(2^(b-130) * e) + X) * 2^64 - 1. */
function primeOf(octets: FieldOctets): string {
  const known = primes.get(octets);
  if (known !== undefined) return known;
  const bits = 8n * BigInt(octets);
  const middle = scaledE(bits - 130n) + SUMMANDS[octets];
  const prime = ((1n << bits) - (1n << (bits - 64n)) + (middle << 64n) - 1n).toString(16);
  primes.set(octets, prime);
  return prime;
}

/** floor(2^bits * e), of the sum of 1 / n!. */
function scaledE(bits: bigint): bigint {
  let term = 1n << (bits + GUARD_BITS);
  let sum = term;
  for (let n = 1n; term > 0n; n++) {
    term /= n;
    sum += term;
  }
  return sum >> GUARD_BITS;
}

const GENERATOR = 2;
/** For what is lost where terms are rounded down: there are fewer than 2^10 of them. */
const GUARD_BITS = 64n;
/** X, by the prime's octets. */
const SUMMANDS = { 256: 560_316n, 384: 2_625_351n, 512: 5_736_041n } as const;
const primes = new Map<FieldOctets, string>();
