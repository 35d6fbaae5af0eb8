/** Two worker threads with a queue each that hold what they get; told by IPC when to be terminated and when to end. */
import { Worker } from 'node:worker_threads';

const code = `
  const { parentPort, workerData } = require('node:worker_threads');
  import('${new URL('../../dist/source/nfqueue.js', import.meta.url)}').then(async ({ NfqueueSource }) => {
    const source = new NfqueueSource({ queueNum: workerData, connmarkMask: 0 });
    await source.start({ onBatch: (batch) => parentPort.postMessage(batch.count) });
    parentPort.postMessage(-1);
  });`;

let bound = 0;
let seen = 0;
const workers = [11, 12].map((queueNum) => {
  const worker = new Worker(code, { eval: true, workerData: queueNum });
  worker.on('message', (count) => {
    if (count < 0) {
      if (++bound === 2) process.send({ bound });
    } else {
      seen += count;
      if (seen === 5) process.send({ seen });
    }
  });
  return worker;
});

process.on('message', async (command) => {
  if (command === 'end') return process.disconnect();
  await Promise.all(workers.map((worker) => worker.terminate()));
  process.send({ terminated: workers.length });
});
