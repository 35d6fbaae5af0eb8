/** For files that import it: one bank for all their tests, and a lab of each test's own. */
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';

import { type Bank, makeBank } from './bank.ts';
import { Lab, type LabOptions } from './lab.ts';

export let bank: Bank;
export let lab: Lab;

beforeAll(() => {
  bank = makeBank();
});
afterAll(() => bank.remove());
beforeEach(() => {
  lab = new Lab();
});
afterEach(() => lab.close());

/** A fresh one in the middle of a test, or one that is made otherwise. */
export async function anotherLab(options: LabOptions = {}): Promise<void> {
  await lab.close();
  lab = new Lab(options);
}
