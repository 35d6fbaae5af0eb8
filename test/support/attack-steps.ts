/** What the attacker of attack.ts may do, and how the flow is pinned that he does it to: all of it at random. */
import fc from 'fast-check';

import { TCP_FLAG } from '../../src/packet/tcp.ts';

const { syn, ack, fin, rst } = TCP_FLAG;

export interface Setting {
  readonly isn: number;
  /** What the pin is on, and so whether the examiner is asked. */
  readonly pinned: 'leaf' | 'issuer';
  readonly signed: boolean;
  readonly recordSize: number;
  readonly prefers: 'first' | 'last';
  readonly action: 'tls-alert' | 'reset' | 'drop';
  /** False: the server's SYN/ACK is still to come. */
  readonly isOpen: boolean;
  /** Whether the client offers an encrypted ClientHello, which GREASE does as well. */
  readonly offersEch: boolean;
}

export type Step =
  | {
      readonly kind: 'segment';
      readonly flight: number;
      /** Both in thousandths of the flight, or exact cut points. */
      readonly from: number;
      readonly to: number;
      readonly shift: number;
      readonly trick: (typeof TRICKS)[number];
    }
  | { readonly kind: 'syn-ack'; readonly flight: number; readonly length: number }
  | { readonly kind: 'control'; readonly flags: number; readonly offset: number; readonly data: number }
  | { readonly kind: 'spoof'; readonly what: 'ack' | 'hello' | 'syn' | 'syn-ack' | 'rst' }
  | { readonly kind: 'client'; readonly what: 'ack' | 'hello' | 'head' | 'tail' | 'finish' | 'syn' }
  | { readonly kind: 'wait'; readonly milliseconds: number }
  | { readonly kind: 'answer' }
  | { readonly kind: 'reload' }
  | { readonly kind: 'restart' };

const TRICKS = [
  'none',
  'none',
  'none',
  'lost',
  'gso',
  'fin',
  'old',
  'new',
  'checksum',
  'urgent',
  'no-ack',
  'rst',
] as const;

export const setting: fc.Arbitrary<Setting> = fc.record({
  isn: fc.constantFrom(1000, 0xfffffff0, 0x7fffff00),
  pinned: fc.constantFrom('leaf', 'issuer'),
  signed: fc.boolean(),
  recordSize: fc.constantFrom(40, 300, 16_000),
  prefers: fc.constantFrom('first', 'last'),
  action: fc.constantFrom('tls-alert', 'tls-alert', 'reset', 'drop'),
  isOpen: fc.constantFrom(true, true, true, false),
  offersEch: fc.boolean(),
});

const place = fc.oneof(
  fc.constantFrom(0, 1, 5, 6, 9, 12),
  fc.constantFrom(-1, -2, -4, -5, -9, -10, -300),
  fc.integer({ min: 0, max: 1000 }).map((thousandths) => thousandths / 1000 + 1e-9),
);

export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('segment'),
      flight: fc.nat(3),
      from: place,
      to: place,
      shift: fc.oneof(
        { weight: 8, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: -8, max: 8 }) },
      ),
      trick: fc.constantFrom(...TRICKS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('control'),
      flags: fc.constantFrom(syn, syn | ack, rst, rst | ack, fin | ack, 0, syn | fin, ack),
      offset: fc.constantFrom(-1, 0, 1, 100),
      data: fc.constantFrom(0, 0, 1, 7),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('spoof'),
      what: fc.constantFrom('ack', 'hello', 'syn', 'syn-ack', 'rst'),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('client'),
      what: fc.constantFrom('ack', 'ack', 'ack', 'hello', 'hello', 'head', 'tail', 'finish', 'syn'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait'), milliseconds: fc.constantFrom(1, 31, 500, 3001, 10_001) }),
  },
  { weight: 3, arbitrary: fc.constant<Step>({ kind: 'answer' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'reload' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'restart' }) },
);

/** An attacker who contradicts himself in nothing: one flight, in whatever pieces, as often and as late as he likes. */
export const patient: fc.Arbitrary<Step[]> = fc.nat(3).chain((flight) =>
  fc.array(
    fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          kind: fc.constant('segment'),
          flight: fc.constant(flight),
          from: place,
          to: place,
          shift: fc.constant(0),
          trick: fc.constantFrom('none', 'none', 'none', 'none', 'lost', 'gso'),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('client'), what: fc.constantFrom('ack', 'hello', 'finish') }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait'), milliseconds: fc.constantFrom(1, 31, 500) }) },
      { weight: 1, arbitrary: fc.constant<Step>({ kind: 'answer' }) },
    ),
    { minLength: 5, maxLength: 40, size: 'max' },
  ),
);
