/**
 * What reloads leave in memory: a real engine with 10,000 pinsets of two pins each, told again and again to read its
 * configuration, of which one pinset, or every pin, is another each time. Resident memory after fifty reloads, against
 * after the third, when whatever there is only once is there.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/** `kind`: `one` pinset is another each time, or `all`. */
export async function measureReloads(kind, { scratch }) {
  const file = join(scratch, `reloads-${kind}.json`);
  const pinsets = Array.from({ length: PINSETS }, (_, i) => ({
    name: `host-${i}`,
    match: { hosts: [`www.host-${i}.example`] },
    pins: pins(),
  }));
  const write = () => writeFileSync(file, JSON.stringify({ version: 1, pinsets }));
  write();
  const program = join(import.meta.dirname, '../../dist/cli/main.js');
  const engine = spawn('node', [program, 'run', '-c', file, '--log', join(scratch, `reloads-${kind}.log`)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const lines = createInterface({ input: engine.stderr })[Symbol.asyncIterator]();
  try {
    await said(lines, 'bound');
    const resident = [];
    for (let reload = 1; reload <= RELOADS; reload++) {
      for (const pinset of kind === 'all' ? pinsets : [pinsets[reload]]) pinset.pins = pins();
      write();
      engine.kill('SIGHUP');
      await said(lines, 'reloaded');
      await sleep(PAUSE_MS);
      resident.push(residentMiB(engine.pid));
    }
    const values = { 'after the third': resident[2], 'after the last': resident.at(-1), most: Math.max(...resident) };
    return { ratios: [], measured: values.most / values['after the third'], values };
  } finally {
    engine.kill('SIGTERM');
    await new Promise((resolve) => engine.once('exit', resolve));
  }
}

async function said(lines, word) {
  for (let line = await lines.next(); !line.value?.includes(word); line = await lines.next()) {
    if (line.done) throw new Error(`the engine has ended before it said "${word}"`);
  }
}

function residentMiB(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) / 1024;
}

function pins() {
  return [0, 1].map(() => `spki-sha256:${randomBytes(32).toString('base64')}`);
}

const PINSETS = 10_000;
const RELOADS = 50;
/** An engine collects what a reload has left behind a second after it. */
const PAUSE_MS = 2000;
