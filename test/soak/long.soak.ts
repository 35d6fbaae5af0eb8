/** A soak for as long as somebody says: `npm run soak -- --minutes N`. */
import { expect, it } from 'vitest';

import { makeBank } from '../support/lab/bank.ts';
import { broken, table } from './promises.ts';
import { soak } from './soak.ts';

const minutes = Number(process.env['SOAK_MINUTES']);

it(
  `keeps its promises for ${minutes} minutes`,
  async () => {
    const bank = makeBank();
    try {
      const seed = Number(process.env['SOAK_SEED'] ?? 1);
      const result = await soak(bank, { minutes, seed, say: (line) => console.log(line) });
      console.log(table(result));
      expect(broken(result, minutes >= LONG)).toEqual([]);
    } finally {
      bank.remove();
    }
  },
  minutes * 60_000 + 120_000,
);

/** Minutes after which memory may be asked to be level. */
const LONG = 10;
