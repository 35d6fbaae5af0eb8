/**
 * What an engine has resident: once it has started, and what reloads leave there, a real engine with 10,000 pinsets of two pins each, told again and again to read its
 * configuration, of which one pinset, or every pin, is another each time. Resident memory after fifty reloads, against
 * after the third, when whatever there is only once is there.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/** The least of some, of which node's own program, which every process of node shares, is a part. */
export async function measureStart({ scratch }) {
  const file = join(scratch, 'start.json');
  writeFileSync(file, JSON.stringify({ version: 1, pinsets: [pinset(0)] }));
  const seen = [];
  for (let start = 0; start < STARTS; start++) {
    const { engine, lines, end } = spawnEngine(file);
    try {
      await said(lines, 'bound');
      await sleep(PAUSE_MS);
      seen.push({ resident: statusMiB(engine.pid, 'VmRSS'), 'of files': statusMiB(engine.pid, 'RssFile') });
    } finally {
      await end();
    }
  }
  const values = seen.sort((a, b) => a.resident - b.resident)[0];
  return { ratios: [], measured: values.resident, values };
}

/** `kind`: `one` pinset is another each time, or `all`. */
export async function measureReloads(kind, { scratch }) {
  const file = join(scratch, `reloads-${kind}.json`);
  const pinsets = Array.from({ length: PINSETS }, (_, i) => pinset(i));
  const write = () => writeFileSync(file, JSON.stringify({ version: 1, pinsets }));
  write();
  const { engine, lines, end } = spawnEngine(file);
  try {
    await said(lines, 'bound');
    const resident = [];
    for (let reload = 1; reload <= RELOADS; reload++) {
      for (const pinset of kind === 'all' ? pinsets : [pinsets[reload]]) pinset.pins = pins();
      write();
      engine.kill('SIGHUP');
      await said(lines, 'reloaded');
      await sleep(PAUSE_MS);
      resident.push(statusMiB(engine.pid, 'VmRSS'));
    }
    const values = { 'after the third': resident[2], 'after the last': resident.at(-1), most: Math.max(...resident) };
    return { ratios: [], measured: values.most / values['after the third'], values };
  } finally {
    await end();
  }
}

function spawnEngine(file) {
  const program = join(import.meta.dirname, '../../dist/cli/main.js');
  const engine = spawn('node', [program, 'run', '-c', file, '--log', file.replace('.json', '.log')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const lines = createInterface({ input: engine.stderr })[Symbol.asyncIterator]();
  const end = async () => {
    engine.kill('SIGTERM');
    await new Promise((resolve) => engine.once('exit', resolve));
  };
  return { engine, lines, end };
}

async function said(lines, word) {
  for (let line = await lines.next(); !line.value?.includes(word); line = await lines.next()) {
    if (line.done) throw new Error(`the engine has ended before it said "${word}"`);
  }
}

function statusMiB(pid, key) {
  return Number(new RegExp(`${key}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) / 1024;
}

function pinset(i) {
  return { name: `host-${i}`, match: { hosts: [`www.host-${i}.example`] }, pins: pins() };
}

function pins() {
  return [0, 1].map(() => `spki-sha256:${randomBytes(32).toString('base64')}`);
}

const PINSETS = 10_000;
const RELOADS = 50;
const STARTS = 3;
/** An engine collects what a reload, or its start, has left behind within a second or so. */
const PAUSE_MS = 2000;
