/** A list of 100,000 entries: loaded, handed to a packet thread, changed. CPU milliseconds. After `npm run build`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { PinsetSnapshot } from '../../dist/pins/snapshot.js';
import { LiveConfiguration, readConfiguration } from '../../dist/runtime/control/configuration.js';

const ENTRIES = 100_000;
const directory = mkdtempSync(join(tmpdir(), 'tlspin-bench-'));
const file = join(directory, 'tlspin.json');
const digests = Array.from({ length: ENTRIES }, (_, i) => `cert-sha1:${i.toString(16).padStart(40, '0')}\n`);
const pinset = { name: 'bad', match: { addresses: ['0.0.0.0/0'] }, deny: ['@0'] };
writeFileSync(join(directory, '0.list'), digests.join(''));
writeFileSync(
  file,
  JSON.stringify({ version: 1, lists: { 0: { file: '0.list', writable: true } }, pinsets: [pinset] }),
);

async function measured(what, work) {
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  process.stdout.write(`${what}: ${Math.round((user + system) / 1000)} ms\n`);
  return result;
}

for (let round = 0; round < 3; round++) await measured('load', () => readConfiguration(file));
const loaded = readConfiguration(file);
const clone = await measured('hand over', () => structuredClone(loaded.policy));
await measured('index', () => new PinsetSnapshot(clone));
const apply = async () => ({ isInForce: true, generation: 2, silent: [] });
const live = new LiveConfiguration({ file, loaded, apply, onChange: () => undefined });
await measured('change', () => live.changeList('bench', '0', { add: ['f'.repeat(40)], remove: [] }));
rmSync(directory, { recursive: true });
