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
  return readKernelQueues()?.get(queueNum);
}

/** By number, those that somebody holds; undefined when the kernel does not show them. */
export function readKernelQueues(): ReadonlyMap<number, KernelQueue> | undefined {
  let text: string;
  try {
    text = readFileSync('/proc/thread-self/net/netfilter/nfnetlink_queue', 'latin1');
  } catch {
    return undefined;
  }
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  return new Map(
    lines.filter(isWhole).map(([queueNum, holder, waiting, , , queueDropped, userDropped, sequence]) => {
      return [queueNum, { holder, waiting, queueDropped, userDropped, sequence }];
    }),
  );
}

type Columns = [number, number, number, number, number, number, number, number];

function isWhole(line: readonly number[]): line is Columns {
  return line.length >= 8;
}
