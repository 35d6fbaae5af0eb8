import { expect, it } from 'vitest';

import { parseQueues } from '../../src/cli/run.ts';

it.each([
  ['0', [0, 0]],
  ['3', [3, 3]],
  ['0:3', [0, 3]],
  ['65535', [65535, 65535]],
])('--queue %s', (text, expected) => {
  expect(parseQueues(text)).toEqual(expected);
});

it.each(['', '-1', '1:', ':1', '3:1', '65536', '0:65536', '1:2:3', 'one', '0x1', '1.5'])(
  '--queue %j is refused',
  (text) => {
    expect(() => parseQueues(text)).toThrow('expected a queue number from 0 to 65535, or first:last.');
  },
);
