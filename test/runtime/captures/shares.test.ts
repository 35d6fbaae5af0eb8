/** What threads that read their parts of a capture say together: the same as one that reads all of it, octet by octet. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

import { loadPolicy } from '../../../src/pins/load.ts';
import type { Policy } from '../../../src/pins/policy.ts';
import type { Unread } from '../../../src/report/unread.ts';
import { lineMaker } from '../../../src/runtime/captures/lines.ts';
import { LineMerge } from '../../../src/runtime/captures/merge.ts';
import type { LineBatch } from '../../../src/runtime/captures/messages.ts';
import { frameOf, inspectCapture } from '../../../src/runtime/offline.ts';
import type { Share } from '../../../src/source/capture/share.ts';
import { policy } from '../../support/policy.ts';

const FIXTURES = fileURLToPath(new URL('../../../fixtures/', import.meta.url));
const TLSPIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));

const loaded = loadPolicy(`${FIXTURES}flows/pinned.json`);
if (!('policy' in loaded)) throw new Error('the configuration is not valid');
const pinned = loaded.policy;

/** Lines as a thread tells them, a batch a chunk. */
async function batchesOf(path: string, by: Policy, share?: Share): Promise<{ batches: LineBatch[]; unread: Unread }> {
  const toLine = lineMaker(by);
  const batches: LineBatch[] = [];
  let told: { line: string; stage: number; frame: number }[] = [];
  let unread: Unread | undefined;
  const tell = (until: number): void => {
    let end = 0;
    batches.push({
      text: Buffer.from(told.map(({ line }) => line).join('')),
      ends: Uint32Array.from(told, ({ line }) => (end += Buffer.byteLength(line))),
      stages: Float64Array.from(told, ({ stage }) => stage),
      frames: Float64Array.from(told, ({ frame }) => frame),
      until,
    });
    told = [];
  };
  await inspectCapture({
    path,
    policy: by,
    checksums: false,
    share,
    onEvent: (event, stage) => told.push({ line: `${toLine(event, path)}\n`, stage, frame: frameOf(event) }),
    onChunkEnd: tell,
    onUnread: (counted) => (unread = counted),
  }).catch(() => {});
  tell(Infinity);
  return { batches, unread: unread! };
}

async function alone(path: string, by: Policy): Promise<string> {
  const { batches } = await batchesOf(path, by);
  return batches.map(({ text }) => Buffer.from(text).toString()).join('');
}

async function shared(path: string, by: Policy, threads: number): Promise<string> {
  const pieces: Buffer[] = [];
  const written: number[] = new Array<number>(threads).fill(0);
  const merge = new LineMerge({
    threads,
    write: (text, start, end) => pieces.push(Buffer.from(text.subarray(start, end))),
    onWritten: (thread) => written[thread]!++,
  });
  const parts = [];
  for (let index = 0; index < threads; index++)
    parts.push((await batchesOf(path, by, { index, count: threads })).batches);
  // However far ahead one is of the others.
  for (const [index, batches] of parts.entries()) for (const batch of batches) merge.add(index, batch);
  expect(written).toEqual(parts.map(({ length }) => length));
  return Buffer.concat(pieces).toString();
}

const captures = ['flows/', 'malformed/'].flatMap((folder) =>
  readdirSync(FIXTURES + folder)
    .filter((name) => /\.(pcap|pcapng|gz)$/.test(name))
    .map((name) => folder + name),
);

describe('parts of a capture', () => {
  it.each(captures)('of %s say together what the whole says', async (name) => {
    const path = FIXTURES + name;
    for (const by of [policy(), pinned]) {
      const whole = await alone(path, by);
      for (const threads of [2, 5]) expect(await shared(path, by, threads)).toBe(whole);
    }
  });

  it.each(['flows/tickets.pcap', 'flows/cut.pcap', 'flows/sections.pcapng.gz', 'flows/none.pcap'])(
    'of %s are read by threads, which end',
    (name) => {
      const run = (threads: number) => {
        const args = ['inspect', '--threads', String(threads), `${FIXTURES}flows/tls12.pcap`, FIXTURES + name];
        const { status, stdout, stderr } = spawnSync(process.execPath, [TLSPIN, ...args], { encoding: 'utf8' });
        return { status, stdout, stderr };
      };
      const one = run(1);
      expect(one.stdout).toContain('"pcap_filename"');
      expect(run(3)).toEqual(one);
    },
  );
});
