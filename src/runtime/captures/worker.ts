/** The entry of a thread that reads its part of a capture: everything from the file to lines of the log. */
import { parentPort, workerData } from 'node:worker_threads';

import type { Unread } from '../../report/unread.ts';
import { frameOf, inspectCapture } from '../offline.ts';
import { lineMaker } from './lines.ts';
import type { FromReading, ReadingSetup } from './messages.ts';
import { Pace } from './pace.ts';

const port = parentPort!;
const { pace: shared, ...setup } = workerData as ReadingSetup;
const { path, policy, share } = setup;
const pace = new Pace(shared);
const toLine = lineMaker(policy);
let lines: string[] = [];
let stages: number[] = [];
let frames: number[] = [];
let octets = 0;
let told = 0;
let unread: Unread | undefined;
let error: string | null = null;

/** `until`: every line of an earlier stage is there. */
function tell(until: number): void {
  const joined = lines.join('');
  const text = new TextEncoder().encode(joined);
  const isAscii = text.length === joined.length;
  const ends = new Uint32Array(lines.length);
  let end = 0;
  for (const [i, line] of lines.entries()) ends[i] = end += isAscii ? line.length : Buffer.byteLength(line);
  const batch = { text, ends, stages: Float64Array.from(stages), frames: Float64Array.from(frames), until };
  const buffers = [text.buffer, ends.buffer, batch.stages.buffer, batch.frames.buffer] as ArrayBuffer[];
  port.postMessage({ kind: 'lines', batch, octets } satisfies FromReading, buffers);
  [lines, stages, frames] = [[], [], []];
  pace.wait(share.index, ++told);
}

try {
  await inspectCapture({
    ...setup,
    onEvent(event, stage) {
      lines.push(`${toLine(event, path)}\n`);
      stages.push(stage);
      frames.push(frameOf(event));
    },
    onChunkEnd: tell,
    onProgress: (read) => (octets = read),
    onUnread: (counted) => (unread = counted),
  });
} catch (cause) {
  error = cause instanceof Error ? cause.message : String(cause);
}
tell(Infinity);
port.postMessage({ kind: 'end', unread: unread!, error } satisfies FromReading);
