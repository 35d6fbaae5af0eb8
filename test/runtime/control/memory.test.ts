/** What a reload leaves behind, counted after a collection: configurations of many pinsets, and decisions by each of them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';

import { LiveConfiguration } from '../../../src/runtime/control/configuration.ts';
import { readConfiguration } from '../../../src/runtime/control/configuration/reading.ts';
import { RecentVerdicts } from '../../../src/runtime/control/recent-verdicts.ts';
import { verdictEvent } from '../../support/verdict-event.ts';

const PINSETS = 2_000;
const RELOADS = 10;
const MIB = 2 ** 20;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heapUsed(): number {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

const pin = (seed: string): string => `sha256//${Buffer.from(seed.padEnd(32, '.')).toString('base64')}`;
/** One of the pinsets is another in each generation, of a text that is longer than what it says. */
const documentOf = (generation: number): string =>
  `// ${'-'.repeat(MIB)}\n` +
  JSON.stringify({
    version: 1,
    pinsets: Array.from({ length: PINSETS }, (_, i) => ({
      name: `pinset ${i}`,
      match: { hosts: [`host${i}.example`] },
      pins: [pin(`key ${i} ${i === generation ? 'new' : 'old'}`), { pin: pin(`backup ${i}`), role: 'backup' }],
    })),
  });

it('reloads do not add up, although the decisions of each configuration are remembered', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tlspin-memory-'));
  const file = join(folder, 'tlspin.json');
  writeFileSync(file, documentOf(0));
  const loaded = readConfiguration(file);
  if ('errors' in loaded) throw new Error('not valid');
  const verdicts = new RecentVerdicts(loaded.policy);
  const live = new LiveConfiguration({
    file,
    loaded,
    apply: (policy) => {
      verdicts.adopt(policy);
      return Promise.resolve({ isInForce: true, generation: 1, silent: [] });
    },
    onChange: () => {},
  });
  const after: number[] = [];
  for (let generation = 1; generation <= RELOADS; generation++) {
    writeFileSync(file, documentOf(generation));
    expect(await live.reload('test')).toMatchObject({ isInForce: true });
    verdicts.take([verdictEvent({ flowId: generation, config: live.policy.hash, tls: null })], 0);
    after.push(heapUsed());
  }
  rmSync(folder, { recursive: true });
  // A configuration of that size takes about 3 MiB by itself, and its text one: eight of them would be 24, or 8.
  expect((after.at(-1)! - after[1]!) / MIB).toBeLessThan(5);
  expect(live.policy.pinsets).toHaveLength(PINSETS);
});
