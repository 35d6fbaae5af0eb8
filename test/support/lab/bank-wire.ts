/** For files that import it: one bank and one hostile wire for all their tests, what was heard on it beginning anew with each. */
import { afterAll, beforeAll, beforeEach } from 'vitest';

import { serverFlight } from '../tls-bytes.ts';
import { type Bank, makeBank } from './bank.ts';
import { Wire } from './wire.ts';

export let bank: Bank;
/** A server's flight of TLS 1.2, with the pinned certificate and with the other one. */
export let genuine: Buffer;
export let forged: Buffer;
export let wire: Wire;

beforeAll(async () => {
  bank = makeBank();
  genuine = serverFlight(bank.genuine.cert);
  forged = serverFlight(bank.forged.cert);
  wire = await Wire.create(bank.config);
});
beforeEach(() => wire.begin());
afterAll(async () => {
  await wire.close();
  bank.remove();
});
