/**
 * One kernel queue as a PacketSource. Owns the slab that packets arrive in, the rows that verdicts leave by, and the
 * route that connmarks take; knows no flows and no policy.
 *
 *   verdict route      NFQA_CT carries the connmark both ways; the kernel must have NETFILTER_NETLINK_GLUE_CT
 *   packet-mark route  the rules copy the connmark's bits into the packet mark ahead of the queue; a verdict that changes
 *                      them is NF_REPEAT, and the first of the rules saves what it says; see `#markOnPacket`
 */
import { constants } from 'node:os';

import type { MarkChange, PacketSink, PacketSource, SourceStats, VerdictOptions } from '../packet/source.ts';
import { FIELD, FLAG, NF_ACCEPT, NF_DROP, NF_REPEAT, type PacketBatch } from '../packet/batch.ts';
import { CAP_NET_ADMIN, loadBinding, type NativeBinding, type NativeQueue, SET, VERDICT } from './binding.ts';
import { readKernelQueue, readKernelQueues } from './kernel-queue.ts';
import { NetlinkError } from './netlink-error.ts';
import { PacketMarks } from './packet-marks.ts';

export type ConnmarkRoute = 'verdict' | 'packet-mark';

export interface NfqueueOptions {
  readonly queueNum: number;
  /** Bits of the connmark that this program owns: those that travel in the packet mark on the packet-mark route. */
  readonly connmarkMask: number;
  /** The bit of the packet mark, none of those, by which the rules know what to save on the packet-mark route. */
  readonly toldBit: number;
  readonly route?: 'auto' | ConnmarkRoute;
  /** NFQA_CFG_F_FAIL_OPEN: packets that find the queue full pass unseen instead of being dropped. */
  readonly failOpen?: boolean;
  /** NFQA_CFG_F_GSO: packets that segmentation offload merged come whole, and cannot be shortened. */
  readonly gso?: boolean;
  /** Packets that may wait for their verdict. */
  readonly maxLength?: number;
  /** Octets of the socket's receive buffer. */
  readonly receiveBuffer?: number;
  /** Packets a batch. */
  readonly slots?: number;
  /** What packets are stamped with: the engine's clock, since what the kernel stamps them with can be set. */
  readonly now?: () => number;
}

/** A queue that another process has bound and configured. */
export interface HandedQueue {
  readonly descriptor: number;
  /** What was granted. */
  readonly conntrack: boolean;
}

export class NfqueueSource implements PacketSource {
  readonly #options: Required<NfqueueOptions>;
  readonly #binding: NativeBinding;
  readonly #batch: PacketBatch;
  readonly #verdicts: Uint32Array;
  readonly #payload: Buffer;
  readonly #marks: PacketMarks;
  #queue: NativeQueue | undefined;
  #route: ConnmarkRoute = 'packet-mark';
  #rows = 0;
  #payloadUsed = 0;
  #retry: NodeJS.Timeout | undefined;
  #sink: PacketSink | undefined;
  #accepted = 0;
  #dropped = 0;
  #unsent = 0;
  /** A packet came back that should not have: said once. */
  #cameBack = false;
  /** The last send was not complete: said once until one is. */
  #stalled = false;
  #closed = false;
  /** As the kernel shows it; undefined where it does not. */
  #port: number | undefined;

  /** `binding`: another one stands in for the kernel in tests. */
  constructor(options: NfqueueOptions, binding: NativeBinding = loadBinding()) {
    this.#options = { ...DEFAULTS, ...options };
    this.#binding = binding;
    const { slots, maxLength } = this.#options;
    this.#batch = {
      slab: Buffer.allocUnsafeSlow(slots * binding.SLOT),
      words: new Uint32Array(slots * FIELD.ROW),
      count: 0,
    };
    this.#verdicts = new Uint32Array((maxLength + slots) * VERDICT.ROW);
    this.#payload = Buffer.allocUnsafeSlow(PAYLOAD_SLAB);
    this.#marks = new PacketMarks(maxLength + slots);
  }

  /** How connmarks travel: known once `start` is done. */
  get route(): ConnmarkRoute {
    return this.#route;
  }

  /** `handed`: its options have to be those that this source has. */
  async start(sink: PacketSink, handed?: HandedQueue): Promise<void> {
    this.#sink = sink;
    this.#queue = this.#open(sink, handed);
    this.#route = this.#queue.conntrack ? 'verdict' : 'packet-mark';
    this.#port = readQueueHolder(this.#options.queueNum);
    this.#checkReceiveBuffer(sink, this.#queue.receiveBuffer);
    if (this.#options.route === 'verdict' && !this.#queue.conntrack) {
      this.#queue.close();
      throw new NetlinkError('ask for conntrack', this.#subject(), {
        errno: constants.errno.EOPNOTSUPP,
        cure: 'this kernel has no NETFILTER_NETLINK_GLUE_CT: set connmark.route to "auto" or "packet-mark"',
      });
    }
  }

  /** Reads no more: what comes waits, for `resume`, or for whoever is given the descriptor. */
  pause(): HandedQueue {
    this.flush();
    return { descriptor: this.#queue!.pause(), conntrack: this.#queue!.conntrack };
  }

  resume(): void {
    this.#queue!.resume();
  }

  async stop(): Promise<void> {
    if (this.#queue === undefined || this.#closed) return;
    this.flush();
    clearTimeout(this.#retry);
    this.#closed = true;
    this.#queue.close();
  }

  verdict(packetId: number, verdict: number, options?: VerdictOptions): void {
    if (this.#rows === this.#capacity()) this.flush();
    if (this.#closed || this.#rows === this.#capacity()) {
      this.#unsent++;
      return;
    }
    const row = this.#rows++ * VERDICT.ROW;
    const words = this.#verdicts;
    words[row + VERDICT.packetId] = packetId;
    words[row + VERDICT.verdict] = verdict;
    words[row + VERDICT.fields] = 0;
    if (this.#route === 'packet-mark') {
      this.#markOnPacket(row, packetId, options?.connmark);
    } else {
      if (options?.connmark !== undefined) this.#markOnConnection(row, options.connmark);
      // The rules may be those of the packet-mark route: what they put into the packet must not be saved back.
      this.#markOnPacket(row, packetId, undefined);
    }
    if (options?.payload !== undefined) this.#replacePayload(row, options.payload);
    if (words[row + VERDICT.verdict] === NF_DROP) this.#dropped++;
    else this.#accepted++;
  }

  flush(): void {
    const queue = this.#queue;
    if (queue === undefined || this.#closed || this.#rows === 0) return;
    const taken = queue.send(this.#rows);
    if (taken === this.#rows) {
      this.#rows = 0;
      this.#payloadUsed = 0;
      this.#stalled = false;
      return;
    }
    this.#keepForLater(taken, queue.sendErrno());
  }

  stats(): SourceStats {
    const { received, enobufs, verdictErrors, malformed } = this.#queue?.counters() ?? NO_COUNTERS;
    const queues = readKernelQueues();
    const shown = queues?.get(this.#options.queueNum);
    if (queues !== undefined && this.#port !== undefined && shown?.holder !== this.#port) this.#onUnbound();
    const { queueDropped = 0, userDropped = 0 } = shown ?? {};
    return {
      received,
      accepted: this.#accepted,
      dropped: this.#dropped,
      queueDropped,
      userDropped,
      enobufs,
      verdictErrors: verdictErrors + malformed + this.#unsent,
    };
  }

  #open(sink: PacketSink, handed: HandedQueue | undefined): NativeQueue {
    const { queueNum, maxLength, receiveBuffer, failOpen, gso, route } = this.#options;
    try {
      return new this.#binding.Queue({
        queueNum,
        maxLength,
        receiveBuffer,
        failOpen,
        gso,
        conntrack: handed?.conntrack ?? route !== 'packet-mark',
        handed: handed?.descriptor ?? -1,
        slab: this.#batch.slab,
        rows: this.#batch.words,
        verdicts: this.#verdicts,
        payload: this.#payload,
        onBatch: (count) => this.#deliver(sink, count),
        onError: (errno) => this.#onError(sink, errno),
      });
    } catch (cause) {
      const { errno, operation } = cause as { errno?: number; operation?: string };
      if (errno === undefined || operation === undefined) throw cause;
      throw new NetlinkError(operation, this.#subject(), { errno, ...this.#cure(errno), cause });
    }
  }

  #onUnbound(): void {
    if (this.#closed) return;
    this.#port = undefined;
    this.#sink?.onSourceLost?.(new Error(`${this.#subject()} is bound to its socket no more`));
  }

  #onError(sink: PacketSink, errno: number): void {
    const error = new NetlinkError('receive', this.#subject(), { errno });
    // Packets were lost, and others follow; after anything else the addon has stopped listening.
    if (errno === constants.errno.ENOBUFS) sink.onSourceError?.(error);
    else sink.onSourceLost?.(error);
  }

  /** Without CAP_NET_ADMIN over the whole machine, as in a user namespace, the kernel grants what its limit allows. */
  #checkReceiveBuffer(sink: PacketSink, granted: number): void {
    const asked = this.#options.receiveBuffer;
    if (granted >= asked) return;
    const cure = 'raise net.core.rmem_max, or bursts will be lost';
    sink.onSourceError?.(
      new Error(`${this.#subject()}: receive buffer of ${granted} octets instead of ${asked} (${cure})`),
    );
  }

  #deliver(sink: PacketSink, count: number): void {
    const { words } = this.#batch;
    const now = this.#options.now();
    const [seconds, micros] = [Math.floor(now / 1e6), now % 1e6];
    const isOnPacket = this.#route === 'packet-mark';
    this.#batch.count = isOnPacket ? this.#withoutReturned(count) : count;
    for (let row = 0; row < this.#batch.count * FIELD.ROW; row += FIELD.ROW) {
      words[row + FIELD.timeSeconds] = seconds;
      words[row + FIELD.timeMicros] = micros;
      const mark = words[row + FIELD.mark]!;
      this.#marks.set(words[row + FIELD.packetId]!, mark);
      if (!isOnPacket) continue;
      words[row + FIELD.connmark] = mark & this.#options.connmarkMask;
      words[row + FIELD.flags]! |= FLAG.hasConnmark;
    }
    sink.onBatch(this.#batch);
  }

  /** The rules let no packet into the queue that bears the bit: others are in force, which would send it for ever. */
  #withoutReturned(count: number): number {
    const { words } = this.#batch;
    let kept = 0;
    for (let at = 0; at < count; at++) {
      const row = at * FIELD.ROW;
      if ((words[row + FIELD.mark]! & this.#options.toldBit) === 0) {
        if (kept !== at) words.copyWithin(kept * FIELD.ROW, row, row + FIELD.ROW);
        kept++;
        continue;
      }
      this.verdict(words[row + FIELD.packetId]!, NF_DROP);
      if (this.#cameBack) continue;
      this.#cameBack = true;
      this.#sink?.onSourceError?.(new Error(`${this.#subject()}: ${CAME_BACK}`));
    }
    if (kept < count) this.flush();
    return kept;
  }

  #markOnConnection(row: number, change: MarkChange): void {
    const words = this.#verdicts;
    words[row + VERDICT.fields]! |= SET.connmark;
    words[row + VERDICT.connmark] = change.value;
    words[row + VERDICT.connmarkMask] = change.mask;
  }

  /**
   * A packet that changes the connmark goes through the chain again, with the bit that says so: the chain saves the
   * engine's bits, clears them and lets it go on. All others leave with the engine's bits cleared, so that nobody behind
   * the queue sees any. A packet that is dropped changes nothing.
   */
  #markOnPacket(row: number, packetId: number, change: MarkChange | undefined): void {
    const words = this.#verdicts;
    const before = this.#marks.take(packetId) ?? 0;
    let after = before & ~this.#options.connmarkMask;
    if (change !== undefined && words[row + VERDICT.verdict] === NF_ACCEPT) {
      words[row + VERDICT.verdict] = NF_REPEAT;
      after = (before & ~change.mask) | (change.value & change.mask) | this.#options.toldBit;
    }
    if (after === (before | 0)) return;
    words[row + VERDICT.fields]! |= SET.mark;
    words[row + VERDICT.mark] = after;
  }

  /** A replacement that no longer fits becomes a drop: nothing that was to be replaced may pass as it was. */
  #replacePayload(row: number, payload: Uint8Array): void {
    if (payload.length > PAYLOAD_SLAB - this.#payloadUsed) this.#flushAllBut(row);
    row = (this.#rows - 1) * VERDICT.ROW;
    const words = this.#verdicts;
    if (payload.length > PAYLOAD_SLAB - this.#payloadUsed) {
      words[row + VERDICT.verdict] = NF_DROP;
      return;
    }
    this.#payload.set(payload, this.#payloadUsed);
    words[row + VERDICT.fields]! |= SET.payload;
    words[row + VERDICT.payloadOffset] = this.#payloadUsed;
    words[row + VERDICT.payloadLength] = payload.length;
    this.#payloadUsed += payload.length;
  }

  /** Sends the rows ahead of the last one, which then is the first. */
  #flushAllBut(row: number): void {
    if (row === 0) return;
    const last = this.#verdicts.slice(row, row + VERDICT.ROW);
    this.#rows--;
    this.flush();
    this.#verdicts.set(last, this.#rows++ * VERDICT.ROW);
  }

  /** The kernel had no memory for the rest: they stay first in line, and their payloads where they are. */
  #keepForLater(taken: number, errno: number): void {
    this.#verdicts.copyWithin(0, taken * VERDICT.ROW, this.#rows * VERDICT.ROW);
    this.#rows -= taken;
    if (!this.#stalled) {
      this.#stalled = true;
      this.#sink?.onSourceError?.(new NetlinkError('send verdicts', this.#subject(), { errno, cure: 'tried again' }));
    }
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.flush();
    }, RETRY_MS);
  }

  #capacity(): number {
    return this.#verdicts.length / VERDICT.ROW;
  }

  #subject(): string {
    return `queue ${this.#options.queueNum}`;
  }

  /** The kernel answers EPERM both for a queue that another socket holds and for a missing capability. */
  #cure(errno: number): { cure?: string } {
    if (errno !== constants.errno.EPERM && errno !== constants.errno.EBUSY) return {};
    const holder = readQueueHolder(this.#options.queueNum);
    if (holder === undefined || !this.#binding.hasCapability(CAP_NET_ADMIN)) return {};
    return {
      cure: `another process holds the queue (netlink port ${holder}, usually its process id): stop it, or take another queue`,
    };
  }
}

/** Packets that may wait for their verdict. */
export const QUEUE_LENGTH = 8192;

const DEFAULTS = {
  route: 'auto',
  failOpen: false,
  gso: true,
  maxLength: QUEUE_LENGTH,
  receiveBuffer: 16 * 1024 * 1024,
  slots: 64,
  now: () => performance.now() * 1000,
} as const;

/** Octets of replaced packets that one flush can carry: alerts and resets are small, a filled GSO packet is 64 KiB. */
const PAYLOAD_SLAB = 1024 * 1024;
const RETRY_MS = 1;
const CAME_BACK =
  'packets come back that have their verdict, and are dropped: the rules in force are not those of this version (print and apply them anew: tlspin rules -c FILE | sudo sh)';
const NO_COUNTERS = { received: 0, enobufs: 0, verdictErrors: 0, malformed: 0 };

function readQueueHolder(queueNum: number): number | undefined {
  return readKernelQueue(queueNum)?.holder;
}
