/**
 * IP fragments: conntrack puts them together before the queue, so that the engine sees the segment that the client will
 * see. One that came to the engine all the same would be refused.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { makeBank } from '../support/lab/bank.ts';
import type { Bank } from '../support/lab/bank.ts';
import { Wire } from '../support/lab/wire.ts';
import { der, readFlight, serverFlight } from '../support/tls-bytes.ts';

let bank: Bank;
let wire: Wire;
beforeAll(async () => {
  bank = makeBank();
  wire = await Wire.create(bank.config);
});
afterAll(async () => {
  await wire.close();
  bank.remove();
});
beforeEach(() => wire.begin());

describe.each([4, 6] as const)('over IPv%d', (version) => {
  // RFC 8200 §4.5: the first fragment has the whole TCP header. IPv4 lets it be cut anywhere.
  const smallest = version === 4 ? 8 : 24;
  const SHAPES = [
    { fragment: smallest, reversed: false },
    { fragment: smallest, reversed: true },
    { fragment: 200, reversed: true },
  ];

  it.each(SHAPES)('a forged flight in fragments of $fragment octets (reversed: $reversed) is denied', async (shape) => {
    const client = await wire.greet({ version });
    wire.server.send({ data: serverFlight(bank.forged.cert), flags: 'PA', ...shape });
    const { received } = await client.outcome();
    const { handshake, alerts } = readFlight(received);
    expect(handshake.includes(der(bank.forged.cert))).toBe(false);
    expect(alerts).toEqual([{ level: 2, description: 42 }]);
    expect(await wire.verdict()).toMatchObject({ action: 'tls-alert', reason: 'pin-mismatch' });
  });

  it.each(SHAPES)('the genuine one in fragments of $fragment octets (reversed: $reversed) passes', async (shape) => {
    const flight = serverFlight(bank.genuine.cert);
    const client = await wire.greet({ version });
    wire.server.send({ data: flight, flags: 'PA', ...shape });
    expect((await client.outcome()).received).toEqual(flight);
    expect(await wire.verdict()).toMatchObject({ action: 'accept', reason: 'pin-match' });
  });
});
