/** For files that import it: a lab of each test's own, with two leaves of one name from one authority, of which one is pinned. */
import { afterEach, beforeEach } from 'vitest';

import type { Identity } from '../../../src/runtime/demo/certificates.ts';
import { NAME } from './bank.ts';
import { Lab } from './lab.ts';

export let lab: Lab;
export let ca: Identity;
export let genuine: Identity;
export let forged: Identity;

beforeEach(() => {
  lab = new Lab();
  ca = lab.certificates.authority('ca');
  genuine = lab.certificates.leaf('genuine', { issuer: ca, names: [NAME], key: 'rsa' });
  forged = lab.certificates.leaf('forged', { issuer: ca, names: [NAME], key: 'rsa' });
});
afterEach(() => lab.close());
