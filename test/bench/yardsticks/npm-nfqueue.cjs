/* eslint-disable @typescript-eslint/no-require-imports -- the package is CommonJS */
/**
 * The binding to netfilter queues that npm has (node-nfqueue), accepting everything: `node npm-nfqueue.cjs MODULE QUEUE`;
 * writes "ready" when it is bound.
 */
const [module_, queue] = process.argv.slice(2);
const nfqueue = require(module_);

nfqueue.createQueueHandler(Number(queue), 65_535, (packet) => packet.setVerdict(nfqueue.NF_ACCEPT));
process.stdout.write('ready\n');
