/** What of a bucket is kept in memory while all of it is read, whatever whoever has the servers puts there. */
import { expect, it } from 'vitest';

import { NatsBucket, type NatsBucketOptions } from '../../src/fleet/nats/bucket.ts';

it('values of all keys are read up to so many octets, however many there are', async () => {
  const one = new Uint8Array(8 * 1024 * 1024);
  let asked = 0;
  const keys = Array.from({ length: 1_000 }, (_, at) => `office.gw${at}`);
  const subjects = Object.fromEntries(keys.map((key) => [`$KV.all.${key}`, 1]));
  const options = {
    name: 'all',
    jsm: { streams: { info: () => Promise.resolve({ state: { subjects } }) } },
    store: {
      get: (key: string) => {
        asked++;
        return Promise.resolve({ key, operation: 'PUT', value: one, revision: asked, created: new Date(0) });
      },
    },
  } as unknown as NatsBucketOptions;
  const found = await new NatsBucket(options).entries();
  expect(found.map(({ key }) => key)).toEqual(keys.slice(0, 8));
  expect(asked).toBe(9);
});
