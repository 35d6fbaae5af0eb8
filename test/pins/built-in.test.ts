import { expect, test } from 'vitest';

import { builtInPolicy } from '../../src/pins/built-in.ts';
import { loadPolicy } from '../../src/pins/load.ts';

test.each(['{ "version": 1 }', '{ "version": 1, "unpinned": { "starttls": "inspect" }, "limits": { "flows": 2000 } }'])(
  'the policy of %s is that of a file with this text',
  (text) => {
    const file = { bytes: new TextEncoder().encode(text), modifiedMs: 0 };
    expect(loadPolicy('built in', () => file)).toMatchObject({ policy: builtInPolicy(text) });
  },
);

test('a configuration with an error is none to build in', () => {
  expect(() => builtInPolicy('{ "version": 1, "queues": "9:1" }')).toThrow('built in has an error');
});
