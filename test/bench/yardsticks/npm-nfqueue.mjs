/**
 * The binding to netfilter queues that npm has by the name nfqueue, accepting everything: `node npm-nfqueue.mjs MODULE QUEUE`;
 * writes "ready" when it is bound.
 */
import { createRequire } from 'node:module';

const [directory, queue] = process.argv.slice(2);
const nfqueue = createRequire(import.meta.url)(directory);

nfqueue.createQueueHandler(Number(queue), 65_535, (packet) => packet.setVerdict(nfqueue.NF_ACCEPT));
process.stdout.write('ready\n');
