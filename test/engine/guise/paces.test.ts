/** What is drawn of how long a client takes to answer. */
import { expect, it } from 'vitest';

import { Paces } from '../../../src/engine/guise/paces.ts';

const drawing = (...numbers: readonly number[]) => {
  let at = 0;
  return () => numbers[at++ % numbers.length]!;
};
const paceOf = (hello: number) => ({ hello, acknowledged: hello / 2, answer: hello / 4 });

it('nothing is drawn of whom nothing was seen', () => {
  expect(new Paces().draw('one')).toBeUndefined();
});

it('of one connection it is about that one’s', () => {
  const paces = new Paces();
  paces.add('one', paceOf(10_000));
  for (const random of [0, 0.5, 0.999]) {
    const { hello, acknowledged, answer } = paces.draw('one', () => random)!;
    expect(Math.abs(hello - 10_000)).toBeLessThanOrEqual(1_000);
    expect(Math.abs(answer - 2_500)).toBeLessThanOrEqual(250);
    expect(acknowledged).toBeLessThanOrEqual(hello);
  }
});

it('of several it is between two that are close', () => {
  const paces = new Paces();
  for (const hello of [10_000, 90_000, 12_000]) paces.add('one', paceOf(hello));
  expect(paces.draw('one', drawing(0, 0.5))).toEqual(paceOf(11_000));
  expect(paces.draw('one', drawing(0.5, 0))).toEqual(paceOf(90_000));
});

it('whoever lost a packet, or was away, is no measure', () => {
  const paces = new Paces();
  for (const hello of [0, -5, 1_000_000]) paces.add('one', paceOf(hello));
  paces.add('one', { ...paceOf(10), answer: NaN });
  expect(paces.draw('one')).toBeUndefined();
});

it('the latest of each are kept, and of the latest clients', () => {
  const paces = new Paces();
  for (let at = 1; at <= 17; at++) paces.add('one', paceOf(at * 1_000));
  expect(paces.draw('one', () => 0)).toEqual(paceOf(2_000));
  for (let at = 0; at < 4_096; at++) paces.add(`${at}`, paceOf(1_000));
  expect(paces.draw('one')).toBeUndefined();
  expect(paces.draw('4095')).toBeDefined();
});
