/**
 * A capture that several threads read, each all of it and of that its own part: nothing is handed over but lines of the
 * log, which come out as one thread would have written them. Reading takes a small part of the work; what is looked into
 * takes the rest. Knows worker threads.
 */
import { Worker } from 'node:worker_threads';

import type { Unread } from '../../report/unread.ts';
import { LineMerge } from './merge.ts';
import type { FromReading, ReadingSetup } from './messages.ts';
import { Pace } from './pace.ts';

export interface ApartOptions extends Omit<ReadingSetup, 'share' | 'pace'> {
  readonly threads: number;
  /** Octets `start` to `end` of `text`, whole lines, are next. */
  readonly onLines: (text: Uint8Array, start: number, end: number) => void;
  readonly onUnread: (unread: Unread) => void;
  /** Octets of the file that were read so far. */
  readonly onProgress?: ((octets: number) => void) | undefined;
}

/** As `inspectCapture` inspects one. */
export async function inspectApart(options: ApartOptions): Promise<void> {
  const { threads, onLines, onUnread, onProgress, path, policy, checksums, secrets } = options;
  const pace = new Pace(threads);
  const merge = new LineMerge({ threads, write: onLines, onWritten: (thread) => pace.onWritten(thread) });
  const workers: Worker[] = [];
  const read = (index: number): Promise<Ended> => {
    const share = { index, count: threads };
    const setup: ReadingSetup = { path, policy, checksums, secrets, share, pace: pace.shared };
    return new Promise((resolve, reject) => {
      const worker = spawn(setup);
      workers.push(worker);
      worker.once('error', reject);
      worker.once('exit', () => reject(new Error('a thread that read it has ended')));
      worker.on('message', (message: FromReading) => {
        if (message.kind === 'end') return resolve(message);
        if (index === 0) onProgress?.(message.octets);
        merge.add(index, message.batch);
      });
    });
  };
  const reading = Array.from({ length: threads }, (_, index) => read(index));
  // One that waits for what another one will never tell does not end by itself.
  const stop = () => Promise.all(workers.map((worker) => worker.terminate()));
  const ended = await Promise.all(reading).finally(stop);
  onUnread(together(ended.map(({ unread }) => unread)));
  // All of them read the same octets, and come to the same end.
  const { error } = ended[0]!;
  if (error !== null) throw new Error(error);
}

type Ended = FromReading & { readonly kind: 'end' };

function spawn(setup: ReadingSetup): Worker {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new Worker(new URL(`./worker.${extension}`, import.meta.url), {
    workerData: setup,
    name: `capture ${setup.share.index}`,
  });
}

/** All have seen the same frames; packets were refused by whom they were for. */
function together(parts: readonly Unread[]): Unread {
  const refused = new Map<string, number>();
  for (const part of parts) {
    for (const [code, packets] of part.refused) refused.set(code, (refused.get(code) ?? 0) + packets);
  }
  return { ...parts[0]!, refused };
}
