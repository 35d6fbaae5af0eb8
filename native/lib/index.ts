/** What programs import: the queue, its packets, its errors, and netfilter's numbers. */
export { FIELD, FLAG, HOOK, NF_ACCEPT, NF_DROP, NF_REPEAT, type PacketBatch } from './batch.ts';
export { type KernelQueue, readKernelQueue, readKernelQueues } from './kernel-queue.ts';
export { NetlinkError } from './netlink-error.ts';
export { Packet } from './packet.ts';
export {
  type HandedQueue,
  Queue,
  QUEUE_LENGTH,
  type QueueEvents,
  type QueueOptions,
  type QueueStats,
} from './queue.ts';
export type { MarkChange, VerdictOptions } from './verdict-rows.ts';
