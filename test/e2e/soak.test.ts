/** Everything at once, for a minute; `npm run soak -- --minutes 120` has more of it. */
import { afterAll, beforeAll, expect, it } from 'vitest';

import { broken, table } from '../soak/promises.ts';
import { soak } from '../soak/soak.ts';
import { type Bank, makeBank } from '../support/lab/bank.ts';

let bank: Bank;
beforeAll(() => {
  bank = makeBank();
});
afterAll(() => bank.remove());

it('nothing forged is delivered, nothing genuine denied, every connection recorded', { timeout: 180_000 }, async () => {
  const lines: string[] = [];
  const result = await soak(bank, { minutes: 0.75, seed: 1, say: (line) => lines.push(line) });
  expect(broken(result, false), [...lines, table(result)].join('\n')).toEqual([]);
});
