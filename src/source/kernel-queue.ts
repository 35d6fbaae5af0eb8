/** What the kernel says of its queues, held by whomever. */
export { keepKernelQueues, type KernelQueue, readKernelQueue, readKernelQueues } from 'node-nfqueue/kernel';
