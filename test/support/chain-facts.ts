/** What an examination has found out about a chain, for tests: a leaf alone, of the right name and in time, but for what is given. */
import type { ChainFacts } from '../../src/x509/examine.ts';

export function chainFacts(more: Partial<ChainFacts> = {}): ChainFacts {
  return {
    onPath: [0],
    anchorsOnPath: [],
    nameMatches: true,
    leafValidAt: true,
    trusted: false,
    exhausted: false,
    ...more,
  };
}
