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

it('as long as they usually took, with what they left to the next turn', async () => {
  const lag = new Lag();
  for (const more of [0, 0, 0, 0, 20, 0, 0, 0]) {
    lag.measure(() => {
      busy(0.3 + more);
      process.nextTick(() => busy(0.3));
    });
    await turn();
  }
  expect(await waited(lag)).toBeGreaterThanOrEqual(0.55);
});

it('never longer than lies between two turns, whatever they took', async () => {
  const lag = new Lag();
  for (let times = 0; times < 20; times++) {
    lag.measure(() => busy(3));
    await turn();
  }
  const took = await waited(lag);
  expect(took).toBeGreaterThanOrEqual(1.4);
  expect(took).toBeLessThan(30);
});
