/** The long form against the whole engine in one process: each property in turn until the time is over. */
import { it } from 'vitest';

import { keep, SECONDS, untilItIsOver } from './long.ts';
import { PROPERTIES } from './properties.ts';

const all = Object.entries(PROPERTIES);

for (const [name, property] of all) {
  it(name, { timeout: 0 }, () =>
    untilItIsOver(name, property, (program) => keep({ expects: 'to be named', program }), SECONDS / all.length),
  );
}
