/** What the kernel says of a queue in /proc/net/netfilter/nfnetlink_queue (net/netfilter/nfnetlink_queue.c, seq_show). */
import { closeSync, openSync, readSync } from 'node:fs';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

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
  const text = readTable();
  if (text === undefined) return undefined;
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  return new Map(
    lines.filter(isWhole).map(([queueNum, holder, waiting, , , queueDropped, userDropped, sequence]) => {
      return [queueNum, { holder, waiting, queueDropped, userDropped, sequence }];
    }),
  );
}

/** Opens it while that is allowed (its mode is 0440), for this thread and those that are started from then on. */
export function keepKernelQueues(): void {
  try {
    setEnvironmentData(KEPT, openSync(TABLE, 'r'));
  } catch {
    // each reading says so
  }
}

function readTable(): string | undefined {
  try {
    const kept = getEnvironmentData(KEPT) as number | undefined;
    const descriptor = kept ?? openSync(TABLE, 'r');
    const text = readFromStart(descriptor);
    if (kept === undefined) closeSync(descriptor);
    return text;
  } catch {
    return undefined;
  }
}

/** The kernel writes it anew for whoever reads from its start, a piece at a time. */
function readFromStart(descriptor: number): string {
  const piece = Buffer.alloc(PIECE);
  let text = '';
  for (;;) {
    const octets = readSync(descriptor, piece, 0, PIECE, text.length);
    if (octets === 0) return text;
    text += piece.toString('latin1', 0, octets);
  }
}

const TABLE = '/proc/thread-self/net/netfilter/nfnetlink_queue';
const KEPT = 'node-nfqueue kernel queues';
const PIECE = 16_384;

type Columns = [number, number, number, number, number, number, number, number];

function isWhole(line: readonly number[]): line is Columns {
  return line.length >= 8;
}
