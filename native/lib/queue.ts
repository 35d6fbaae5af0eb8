/**
 * One netfilter queue of the kernel. Owns the slab that packets arrive in and the rows that verdicts leave by. Knows no
 * protocol and no policy.
 *
 *   open -> (first listener of `batch` or `packet`) -> batch, batch, … -> close, or error
 *   verdict, verdict, … -> flush
 */
import { EventEmitter, on } from 'node:events';
import { constants } from 'node:os';

import { FIELD, type PacketBatch } from './batch.ts';
import { CAP_NET_ADMIN, loadBinding, type NativeBinding, type NativeQueue } from './binding.ts';
import { readKernelQueue, readKernelQueues } from './kernel-queue.ts';
import { NetlinkError } from './netlink-error.ts';
import { Packet } from './packet.ts';
import { type VerdictOptions, VerdictRows } from './verdict-rows.ts';

export interface QueueOptions {
  /** 0 to 65,535. */
  readonly queueNum: number;
  /** Packets that may wait for their verdict; the kernel drops those beyond. */
  readonly maxLength?: number;
  /** Octets of the socket's receive buffer. */
  readonly receiveBuffer?: number;
  /** Packets a batch, at most; each takes 68 KiB of memory. */
  readonly slots?: number;
  /** NFQA_CFG_F_FAIL_OPEN: packets that find the queue full pass unseen instead of being dropped. */
  readonly failOpen?: boolean;
  /** NFQA_CFG_F_GSO: packets that segmentation offload merged come whole (up to 64 KiB), and cannot be shortened. */
  readonly gso?: boolean;
  /** NFQA_CFG_F_CONNTRACK: ask for the connection of each packet, its mark, and that verdicts can change it. */
  readonly conntrack?: boolean;
  /** The socket of another process, which has bound and configured it; `conntrack` above is then ignored. */
  readonly handed?: HandedQueue | undefined;
}

/** A queue that another process has bound and configured. */
export interface HandedQueue {
  readonly descriptor: number;
  /** What was granted. */
  readonly conntrack: boolean;
}

/** Packets, since the queue was opened. */
export interface QueueStats {
  received: number;
  /** By verdict. */
  accepted: number;
  dropped: number;
  /** The kernel's own losses: queue full, and receive buffer full. */
  queueDropped: number;
  userDropped: number;
  /** How often the kernel said ENOBUFS. */
  enobufs: number;
  /** Verdicts that the kernel refused (unknown id) or that could not be sent, and messages that were none of its own. */
  verdictErrors: number;
}

export interface QueueEvents {
  /** Valid until the listener returns. */
  batch: [batch: PacketBatch];
  /** One for each packet of a batch, which may be kept. */
  packet: [packet: Packet];
  /** Something was lost or is late, and the queue goes on. */
  trouble: [error: Error];
  /** Nothing comes any more. */
  error: [error: Error];
  close: [];
}

type BatchListener = (batch: PacketBatch) => void;

export class Queue extends EventEmitter<QueueEvents> implements AsyncIterable<Packet> {
  readonly queueNum: number;
  readonly #binding: NativeBinding;
  readonly #batch: PacketBatch;
  readonly #verdicts: VerdictRows;
  readonly #native: NativeQueue;
  /** What alone listens, and to batches; undefined where there are others, or it is not known yet. */
  #only: BatchListener | undefined;
  #isReading = false;
  #isClosed = false;
  #willFlush = false;
  /** As the kernel shows it; undefined where it does not. */
  #port: number | undefined;

  /** Rejects with a NetlinkError. `binding`: another one stands in for the kernel in tests. */
  static async open(options: QueueOptions, binding: NativeBinding = loadBinding()): Promise<Queue> {
    const whole = { ...DEFAULTS, ...options };
    checkRange('queueNum', whole.queueNum, 0, 0xffff);
    checkRange('maxLength', whole.maxLength, 1, MOST_WAITING);
    checkRange('slots', whole.slots, 1, MOST_SLOTS);
    checkRange('receiveBuffer', whole.receiveBuffer, 1, 0x3fff_ffff);
    return new Queue(whole, binding);
  }

  private constructor(options: Required<QueueOptions>, binding: NativeBinding) {
    super();
    const { queueNum, slots, maxLength } = options;
    this.queueNum = queueNum;
    this.#binding = binding;
    this.#batch = {
      slab: Buffer.allocUnsafeSlow(slots * binding.SLOT),
      words: new Uint32Array(slots * FIELD.ROW),
      count: 0,
    };
    this.#verdicts = new VerdictRows(maxLength + slots, (errno) => this.#onStalled(errno));
    this.#native = this.#open(options);
    this.#native.pause();
    this.#verdicts.open(this.#native);
    this.#port = readKernelQueue(queueNum)?.holder;
    (this as EventEmitter).on('newListener', (event) => {
      this.#only = undefined;
      if (event === 'batch' || event === 'packet') this.#startReading();
    });
    (this as EventEmitter).on('removeListener', () => (this.#only = undefined));
  }

  /** Whether packets carry their connection, and verdicts change its mark: not every kernel grants it. */
  get conntrack(): boolean {
    return this.#native.conntrack;
  }

  /** Octets that the kernel granted; it doubles what it is asked for. */
  get receiveBuffer(): number {
    return this.#native.receiveBuffer;
  }

  /** One for each packet id, exactly once, and gathered: see `flush`. */
  verdict(packetId: number, verdict: number, options?: VerdictOptions): void {
    this.#verdicts.add(packetId, verdict, options);
  }

  /** Sends what has gathered. */
  flush(): void {
    this.#verdicts.flush();
  }

  /** The same once the present callback is done. */
  flushSoon(): void {
    if (this.#willFlush) return;
    this.#willFlush = true;
    queueMicrotask(() => {
      this.#willFlush = false;
      this.flush();
    });
  }

  /** Notices too when somebody else has unbound the queue, of which the kernel tells nobody. */
  stats(): QueueStats {
    const { received, enobufs, verdictErrors, malformed } = this.#native.counters();
    const queues = readKernelQueues();
    const shown = queues?.get(this.queueNum);
    if (queues !== undefined && this.#port !== undefined && shown?.holder !== this.#port) this.#onUnbound();
    const { queueDropped = 0, userDropped = 0 } = shown ?? {};
    const { accepted, dropped, unsent } = this.#verdicts;
    return {
      received,
      accepted,
      dropped,
      queueDropped,
      userDropped,
      enobufs,
      verdictErrors: verdictErrors + malformed + unsent,
    };
  }

  /** Reads no more: what comes waits, for `resume`, or for whoever is given the descriptor. */
  pause(): HandedQueue {
    this.flush();
    return { descriptor: this.#native.pause(), conntrack: this.conntrack };
  }

  resume(): void {
    this.#native.resume();
  }

  /** Sends what has gathered and unbinds at once; the kernel drops what waits, unless another process has the socket too. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#verdicts.close();
    this.#native.close();
    this.emit('close');
  }

  /** Until the queue is closed; throws what `error` says. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Packet> {
    for await (const [packet] of on(this, 'packet', { close: ['close'] })) yield packet as Packet;
  }

  #open(options: Required<QueueOptions>): NativeQueue {
    const { queueNum, maxLength, receiveBuffer, failOpen, gso, conntrack, handed } = options;
    try {
      return new this.#binding.Queue({
        queueNum,
        maxLength,
        receiveBuffer,
        failOpen,
        gso,
        conntrack: handed?.conntrack ?? conntrack,
        handed: handed?.descriptor ?? -1,
        slab: this.#batch.slab,
        rows: this.#batch.words,
        verdicts: this.#verdicts.words,
        payload: this.#verdicts.payload,
        onBatch: (count) => this.#deliver(count),
        onError: (errno) => this.#onError(errno),
      });
    } catch (cause) {
      const { errno, operation } = cause as { errno?: number; operation?: string };
      if (errno === undefined || operation === undefined) throw cause;
      throw new NetlinkError(operation, this.#subject(), { errno, ...this.#cure(errno), cause });
    }
  }

  #startReading(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    this.#native.resume();
  }

  #deliver(count: number): void {
    const batch = this.#batch;
    batch.count = count;
    if (this.#only !== undefined) return this.#only(batch);
    this.emit('batch', batch);
    if (this.listenerCount('packet') === 0) return this.#noteOnly();
    const packets = Array.from({ length: batch.count }, (_, index) => new Packet(this, batch, index));
    for (const packet of packets) this.emit('packet', packet);
  }

  /** `emit` looks its listeners up, which for each batch is as much as the rest of the way here. */
  #noteOnly(): void {
    const [listener, another] = this.rawListeners('batch');
    this.#only = another === undefined ? (listener as BatchListener | undefined) : undefined;
  }

  #onStalled(errno: number): void {
    this.emit('trouble', new NetlinkError('send verdicts', this.#subject(), { errno, cure: 'tried again' }));
  }

  #onError(errno: number): void {
    const error = new NetlinkError('receive', this.#subject(), { errno });
    // Packets were lost, and others follow; after anything else the addon has stopped listening.
    this.emit(errno === constants.errno.ENOBUFS ? 'trouble' : 'error', error);
  }

  #onUnbound(): void {
    if (this.#isClosed) return;
    this.#port = undefined;
    this.emit('error', new Error(`${this.#subject()} is bound to its socket no more`));
  }

  #subject(): string {
    return `queue ${this.queueNum}`;
  }

  /** The kernel answers EPERM both for a queue that another socket holds and for a missing capability. */
  #cure(errno: number): { cure?: string } {
    if (errno !== constants.errno.EPERM && errno !== constants.errno.EBUSY) return {};
    const holder = readKernelQueue(this.queueNum)?.holder;
    if (holder === undefined || !this.#binding.hasCapability(CAP_NET_ADMIN)) return {};
    return {
      cure: `another process holds the queue (netlink port ${holder}, usually its process id): stop it, or take another queue`,
    };
  }
}

/** Packets that may wait for their verdict, unless said otherwise. */
export const QUEUE_LENGTH = 8192;
const MOST_WAITING = 1 << 20;
const MOST_SLOTS = 1024;

const DEFAULTS = {
  maxLength: QUEUE_LENGTH,
  receiveBuffer: 16 * 1024 * 1024,
  slots: 64,
  failOpen: false,
  gso: true,
  conntrack: true,
  handed: undefined,
} as const;

function checkRange(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`${name} is a whole number from ${least} to ${most}, not ${value}`);
}
