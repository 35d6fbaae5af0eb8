/** The main thread's handle of the examiner's thread. Knows worker threads. */
import { Worker } from 'node:worker_threads';

import type { ExaminerThread } from './examiner.ts';

export function spawnExaminer(): ExaminerThread {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new Worker(new URL(`./worker.${extension}`, import.meta.url), { name: 'examiner' });
}
