/** How much a client's SYN waits so that it leaves as late behind its turn as those do that have to be made. */
import { expect, it } from 'vitest';

import { Lag } from '../../../src/probe/decoys/lag.ts';

/** Milliseconds. */
const busy = (millis: number) => {
  const until = performance.now() + millis;
  while (performance.now() < until);
};
const waited = (lag: Lag) =>
  new Promise<number>((resolve) => {
    const from = performance.now();
    lag.wait(() => resolve(performance.now() - from));
  });
const turn = () => new Promise((resolve) => setImmediate(resolve));

it('nothing, where nothing was made yet', async () => {
  expect(await waited(new Lag())).toBeLessThan(1);
});

it('as long as they took, with what they left to the next turn', async () => {
  const lag = new Lag();
  lag.measure(() => {
    busy(0.5);
    process.nextTick(() => busy(0.5));
  });
  await turn();
  expect(await waited(lag)).toBeGreaterThanOrEqual(1);
});

it('never longer than two milliseconds, whatever they took', async () => {
  const lag = new Lag();
  lag.measure(() => busy(40));
  await turn();
  const took = await waited(lag);
  expect(took).toBeGreaterThanOrEqual(2);
  expect(took).toBeLessThan(30);
});
