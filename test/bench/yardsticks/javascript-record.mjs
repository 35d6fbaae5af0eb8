/**
 * What no engine in Node can be faster than that writes a record of each connection: `javascript.mjs` in a thread of its own,
 * which looks at nothing but the flags of TCP and for each SYN hands a row of values to the main thread, when an engine would,
 * and that writes as many octets as a record has: `node javascript-record.mjs QUEUE`; writes "ready" when it is bound.
 */
import { openSync, writeSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

import { FIELD, NF_ACCEPT, Queue } from 'node-nfqueue';

/** Octets: a verdict about two certificates. */
const RECORD = 3_000;
/** Values of the row that an engine sends. */
const VALUES = 40;
const ROWS_A_MESSAGE = 64;
const TOGETHER_MS = 25;
const TCP_FLAGS = 33;
const [SYN, SYN_ACK] = [0x02, 0x12];

if (isMainThread) {
  const file = openSync('/dev/null', 'w');
  const line = Buffer.alloc(RECORD, 'x');
  const lines = Buffer.alloc(ROWS_A_MESSAGE * RECORD);
  const worker = new Worker(new URL(import.meta.url), { workerData: Number(process.argv[2]) });
  worker.on('message', (rows) => {
    if (rows === 'ready') return void process.stdout.write('ready\n');
    rows.forEach((row, at) => {
      line.write(JSON.stringify(row), 0, 'latin1');
      line.copy(lines, at * RECORD);
    });
    writeSync(file, lines, 0, rows.length * RECORD);
  });
} else {
  await accept(workerData);
}

async function accept(queueNum) {
  const queue = await Queue.open({ queueNum });
  let rows = [];
  let due;
  const post = () => {
    clearTimeout(due);
    due = undefined;
    parentPort.postMessage(rows);
    rows = [];
  };
  const note = (id) => {
    rows.push(Array.from({ length: VALUES }, (_, at) => id + at));
    if (rows.length === ROWS_A_MESSAGE) post();
    else due ??= setTimeout(post, TOGETHER_MS);
  };
  queue.on('batch', ({ words, slab, count }) => {
    for (let at = 0; at < count; at++) {
      const row = at * FIELD.ROW;
      const id = words[row + FIELD.packetId];
      if ((slab[words[row + FIELD.offset] + TCP_FLAGS] & SYN_ACK) === SYN) note(id);
      queue.verdict(id, NF_ACCEPT);
    }
    queue.flush();
  });
  parentPort.postMessage('ready');
}
