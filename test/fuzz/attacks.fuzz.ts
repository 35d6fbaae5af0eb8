import fc from 'fast-check';

import { patient, play, setting, step } from '../support/attack.ts';
import { fuzz } from '../support/fuzz.ts';

const hello = { kind: 'client', what: 'hello' } as const;

fuzz({
  'an attacker who does anything': fc.property(setting, fc.array(step, { maxLength: 80, size: 'max' }), play),
  'an attacker who waits for the hello': fc.property(
    setting,
    fc.array(step, { minLength: 5, maxLength: 60, size: 'max' }).map((steps) => [hello, ...steps]),
    play,
  ),
  'an attacker who takes his time': fc.property(
    setting,
    patient.map((steps) => [hello, ...steps]),
    play,
  ),
});
