import fc from 'fast-check';
import { expect, it } from 'vitest';

import { datagramMoves, playDatagrams } from '../support/dtls-attack.ts';

it('no datagrams at random give a client a forged Certificate, whichever way it reads them', () => {
  fc.assert(
    fc.property(datagramMoves, (moves) => playDatagrams(moves)),
    { numRuns: 400 },
  );
});

it('the same datagrams give it to clients whom nobody protects', () => {
  const given = fc.sample(datagramMoves, { numRuns: 200, seed: 1 }).filter((moves) => {
    try {
      playDatagrams(moves, { isPinned: false });
      return false;
    } catch {
      return true;
    }
  });
  expect(given.length).toBeGreaterThan(50);
});
