import fc from 'fast-check';
import { it } from 'vitest';

import { patient, play, setting, step } from '../support/attack.ts';

/**
 * Whatever comes in whatever order: the client of a pinned flow never has a whole forged certificate, the accept mark is
 * written only once it has the genuine one, and every packet has exactly one verdict.
 */
it('no interleaving of genuine and forged segments, losses, spoofed packets, waits and restarts gets a forgery through', () => {
  fc.assert(fc.property(setting, fc.array(step, { maxLength: 50 }), play), { numRuns: 400 });
}, 60_000);

it('nor any that begins with the hello', () => {
  const hello = fc.constant([{ kind: 'client', what: 'hello' } as const]);
  const rest = fc.array(step, { minLength: 10, maxLength: 40, size: 'max' });
  const steps = fc.tuple(hello, rest).map(([first, then]) => [...first, ...then]);
  fc.assert(fc.property(setting, steps, play), { numRuns: 400 });
}, 60_000);

it('nor one that only takes its time: one flight in any pieces, again and again', () => {
  const hello = { kind: 'client', what: 'hello' } as const;
  const steps = patient.map((then) => [hello, ...then]);
  fc.assert(fc.property(setting, steps, play), { numRuns: 600 });
}, 60_000);
