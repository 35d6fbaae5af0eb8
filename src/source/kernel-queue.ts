/** What the kernel says of a queue in /proc/net/netfilter/nfnetlink_queue (net/netfilter/nfnetlink_queue.c, seq_show). */
import { readFileSync } from 'node:fs';

export interface KernelQueue {
  /** Netlink port of the socket that holds it, usually its process id. */
  readonly holder: number;
  /** Packets that wait for their verdict. */
  readonly waiting: number;
  /** Packets that found the queue full. */
  readonly queueDropped: number;
  /** Packets that found the socket's receive buffer full. */
  readonly userDropped: number;
  /** Packets that ever were in it. */
  readonly sequence: number;
}

/** Undefined when nobody holds the queue, or the kernel does not show it. */
export function readKernelQueue(queueNum: number): KernelQueue | undefined {
  let text: string;
  try {
    text = readFileSync('/proc/thread-self/net/netfilter/nfnetlink_queue', 'latin1');
  } catch {
    return undefined;
  }
  const columns = text
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .find((line) => line[0] === queueNum && line.length >= 8) as
    [number, number, number, number, number, number, number, number] | undefined;
  if (columns === undefined) return undefined;
  const [, holder, waiting, , , queueDropped, userDropped, sequence] = columns;
  return { holder, waiting, queueDropped, userDropped, sequence };
}
