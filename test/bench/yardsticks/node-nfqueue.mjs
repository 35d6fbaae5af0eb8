/**
 * The addon by itself, as its README has it, accepting everything: `node node-nfqueue.mjs QUEUE`; writes "ready" when it is
 * bound.
 */
import { Queue } from 'node-nfqueue';

const queue = await Queue.open({ queueNum: Number(process.argv[2]) });
queue.on('packet', (packet) => packet.accept());
process.stdout.write('ready\n');
