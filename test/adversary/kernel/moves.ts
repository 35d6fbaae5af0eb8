/**
 * What a man in the middle does with raw segments to a client whose TCP is the kernel's: pieces of genuine and forged
 * flights in any order, with any trick of RFC 9293 and of IP beneath it. Plain data, so that fast-check shrinks and keeps it.
 */
import fc from 'fast-check';

import { NAMES } from './policy.ts';

export interface RawProgram {
  /** Which of the pinsets: each is another action, or pinned another way. */
  readonly name: (typeof NAMES)[number];
  readonly version: 4 | 6;
  readonly signed: boolean;
  /** Whether the client's hello has an encrypted one in it, or GREASE in its place. */
  readonly offersEch: boolean;
  readonly recordSize: number;
  readonly steps: readonly RawStep[];
}

export type RawStep = { readonly delay: number } & (
  | {
      readonly step: 'piece';
      /** Of several flights, the genuine one first. */
      readonly flight: number;
      /** Parts of the flight, 0 to 1. */
      readonly from: number;
      readonly to: number;
      readonly size: number;
      readonly order: 'forwards' | 'backwards' | 'twice';
      readonly trick: Trick;
    }
  | {
      readonly step: 'control';
      readonly flags: string;
      /** Octets from what the client expects next. */
      readonly at: number;
      readonly data: number;
    }
  | {
      readonly step: 'spoof';
      readonly flags: string;
      /** What the client seems to have: octets of the flight, 0 to 1. */
      readonly acknowledges: number;
      readonly data: number;
    }
);

export type Trick =
  | 'none'
  | 'lost-behind'
  | 'corrupt'
  | 'old-timestamp'
  | 'no-ack'
  | 'ack-ahead'
  | 'urgent'
  | 'fin'
  | 'reset'
  | 'syn'
  | 'reserved'
  | 'fragments'
  | 'fragments-backwards'
  | 'other-sequence'
  | 'md5'
  | 'options-end'
  | 'multipath';

const often = <T>(usual: T, ...others: readonly T[]) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(usual, ...others) });

const place = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(0, 1) },
  { weight: 3, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
);
const delay = fc.constantFrom(0, 0, 0, 10, 50, 220);

const piece = fc.record({
  step: fc.constant('piece' as const),
  delay,
  flight: fc.nat(3),
  from: place,
  to: place,
  size: fc.constantFrom(1400, 1400, 700, 300, 40, 7),
  order: fc.constantFrom('forwards', 'forwards', 'backwards', 'twice' as const),
  trick: often<Trick>(
    'none',
    ...(['lost-behind', 'corrupt', 'old-timestamp', 'no-ack', 'ack-ahead', 'urgent', 'fin', 'reset', 'syn'] as const),
    ...(['reserved', 'fragments', 'fragments-backwards', 'other-sequence', 'md5', 'options-end', 'multipath'] as const),
  ),
});

const control = fc.record({
  step: fc.constant('control' as const),
  delay,
  flags: fc.constantFrom('A', 'F', 'FA', 'R', 'RA', 'S', 'SA', 'SFA', 'UPA', 'SR', 'AEC'),
  at: fc.constantFrom(0, 1, -1, -30, 5000, 70_000),
  data: fc.constantFrom(0, 0, 1, 9),
});

const spoof = fc.record({
  step: fc.constant('spoof' as const),
  delay,
  flags: fc.constantFrom('A', 'PA', 'FA', 'R', 'RA', 'S', 'SA'),
  acknowledges: place,
  data: fc.constantFrom(0, 0, 1, 100),
});

export const rawProgram: fc.Arbitrary<RawProgram> = fc.record({
  name: fc.constantFrom(...NAMES),
  version: fc.constantFrom(4, 6 as const),
  signed: fc.boolean(),
  offersEch: fc.boolean(),
  recordSize: fc.constantFrom(16_000, 300, 40),
  steps: fc.array(
    fc.oneof({ weight: 6, arbitrary: piece }, { weight: 1, arbitrary: control }, { weight: 1, arbitrary: spoof }),
    { minLength: 1, maxLength: 24, size: 'max' },
  ),
});
