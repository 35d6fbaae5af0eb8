/** What docs/failures.md says of the faults that are quickly played; of all of them, `npm run faults -- --check`. */
import { describe, expect, it } from 'vitest';

import { ALL } from '../faults/kinds/all.ts';
import { agrees, knownLine, lineOf } from '../faults/page.ts';
import { itPlays } from '../faults/playing.ts';
import { SETTINGS } from '../faults/stage.ts';

describe('the page', () => {
  it('has a line for each fault and setting', () => {
    const missing = ALL.flatMap((fault) =>
      SETTINGS.filter((setting) => knownLine(fault, setting) === undefined).map(
        (setting) => `${fault.name}, ${setting}`,
      ),
    );
    expect(missing).toEqual([]);
  });

  it('lets nothing forged pass in the closed setting, but where there are no rules, or pins past their date', () => {
    const delivered = ALL.filter((fault) => knownLine(fault, 'closed')?.split(' | ')[4]?.includes('served'));
    expect(delivered.map(({ name }) => name)).toEqual(['rules-flushed', 'pinset-expires']);
  });
});

describe('a fault comes to what the page says', () => {
  itPlays(
    ALL.filter(({ isQuick }) => isQuick),
    (fault, setting, played) => {
      const line = lineOf(fault, setting, played);
      const known = knownLine(fault, setting)!;
      expect(agrees(line, known), `${line}\ninstead of\n${known}`).toBe(true);
    },
  );
});
