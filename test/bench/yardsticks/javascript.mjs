/**
 * What no engine in Node can be faster than: a queue whose packets a loop of JavaScript accepts by their numbers, a batch at
 * a time, and looks at nothing: `node javascript.mjs QUEUE`; writes "ready" when it is bound.
 */
import { FIELD, NF_ACCEPT, Queue } from 'node-nfqueue';

const queue = await Queue.open({ queueNum: Number(process.argv[2]) });
queue.on('batch', ({ words, count }) => {
  for (let at = 0; at < count; at++) queue.verdict(words[at * FIELD.ROW + FIELD.packetId], NF_ACCEPT);
  queue.flush();
});
process.stdout.write('ready\n');
