/**
 * One kernel queue as a PacketSource. Owns the slab that packets arrive in, the rows that verdicts leave by, and the
 * route that connmarks take; knows no flows and no policy.
 *
 *   verdict route      NFQA_CT carries the connmark both ways; the kernel must have NETFILTER_NETLINK_GLUE_CT
 *   packet-mark route  the rules copy the connmark's bits into the packet mark ahead of the queue; a verdict that changes
 *                      them is NF_REPEAT, and the first of the rules saves what it says; see `#told`
 */
import { constants } from 'node:os';

import { type HandedQueue, NetlinkError, Queue, QUEUE_LENGTH } from 'node-nfqueue';

import type { MarkChange, PacketSink, PacketSource, SourceStats, VerdictOptions } from '../packet/source.ts';
import { FIELD, FLAG, NF_ACCEPT, NF_DROP, NF_REPEAT, type PacketBatch } from '../packet/batch.ts';
import { loadBinding, type NativeBinding } from './binding.ts';
import { PacketMarks } from './packet-marks.ts';

export { type HandedQueue, QUEUE_LENGTH };

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

export class NfqueueSource implements PacketSource {
  readonly #options: Required<NfqueueOptions>;
  readonly #binding: NativeBinding;
  readonly #marks: PacketMarks;
  #queue: Queue | undefined;
  #route: ConnmarkRoute = 'packet-mark';
  #sink: PacketSink | undefined;
  /** A packet came back that should not have: said once. */
  #cameBack = false;

  /** `binding`: another one stands in for the kernel in tests. */
  constructor(options: NfqueueOptions, binding: NativeBinding = loadBinding()) {
    this.#options = { ...DEFAULTS, ...options };
    this.#binding = binding;
    this.#marks = new PacketMarks(this.#options.maxLength + this.#options.slots);
  }

  /** How connmarks travel: known once `start` is done. */
  get route(): ConnmarkRoute {
    return this.#route;
  }

  /** `handed`: its options have to be those that this source has. */
  async start(sink: PacketSink, handed?: HandedQueue): Promise<void> {
    const { queueNum, maxLength, receiveBuffer, slots, failOpen, gso, route } = this.#options;
    this.#sink = sink;
    const options = { queueNum, maxLength, receiveBuffer, slots, failOpen, gso, handed };
    const queue = await Queue.open({ ...options, conntrack: route !== 'packet-mark' }, this.#binding);
    this.#queue = queue;
    this.#route = queue.conntrack ? 'verdict' : 'packet-mark';
    this.#checkReceiveBuffer(sink, queue.receiveBuffer);
    if (route === 'verdict' && !queue.conntrack) {
      await queue.close();
      throw new NetlinkError('ask for conntrack', this.#subject(), {
        errno: constants.errno.EOPNOTSUPP,
        cure: 'this kernel has no NETFILTER_NETLINK_GLUE_CT: set connmark.route to "auto" or "packet-mark"',
      });
    }
    queue.on('trouble', (error) => sink.onSourceError?.(error));
    queue.on('error', (error) => sink.onSourceLost?.(error));
    queue.on('batch', (batch) => this.#deliver(sink, batch));
  }

  /** Reads no more: what comes waits, for `resume`, or for whoever is given the descriptor. */
  pause(): HandedQueue {
    return this.#queue!.pause();
  }

  resume(): void {
    this.#queue!.resume();
  }

  async stop(): Promise<void> {
    await this.#queue?.close();
  }

  verdict(packetId: number, verdict: number, options?: VerdictOptions): void {
    const before = this.#marks.take(packetId) ?? 0;
    let connmark = options?.connmark;
    // Either way nobody behind the queue sees the engine's bits. On the verdict route too: the rules may be those of the
    // other one, and what they put into the packet must not be saved back.
    let after = before & ~this.#options.connmarkMask;
    if (this.#route === 'packet-mark' && connmark !== undefined) {
      if (verdict === NF_ACCEPT) {
        verdict = NF_REPEAT;
        after = this.#told(before, connmark);
      }
      connmark = undefined;
    }
    const mark = after === (before | 0) ? undefined : after;
    const isAsGiven = mark === undefined && connmark === options?.connmark;
    this.#queue!.verdict(packetId, verdict, isAsGiven ? options : { mark, connmark, payload: options?.payload });
  }

  flush(): void {
    this.#queue?.flush();
  }

  stats(): SourceStats {
    return this.#queue?.stats() ?? NO_STATS;
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

  #deliver(sink: PacketSink, batch: PacketBatch): void {
    const { words } = batch;
    const now = this.#options.now();
    const [seconds, micros] = [Math.floor(now / 1e6), now % 1e6];
    const isOnPacket = this.#route === 'packet-mark';
    if (isOnPacket) batch.count = this.#withoutReturned(batch);
    for (let row = 0; row < batch.count * FIELD.ROW; row += FIELD.ROW) {
      words[row + FIELD.timeSeconds] = seconds;
      words[row + FIELD.timeMicros] = micros;
      const mark = words[row + FIELD.mark]!;
      this.#marks.set(words[row + FIELD.packetId]!, mark);
      if (!isOnPacket) continue;
      words[row + FIELD.connmark] = mark & this.#options.connmarkMask;
      words[row + FIELD.flags]! |= FLAG.hasConnmark;
    }
    sink.onBatch(batch);
  }

  /** The rules let no packet into the queue that bears the bit: others are in force, which would send it for ever. */
  #withoutReturned({ words, count }: PacketBatch): number {
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

  /**
   * A packet that changes the connmark goes through the chain again, with the bit that says so: the chain saves the
   * engine's bits, clears them and lets it go on. A packet that is dropped changes nothing.
   */
  #told(before: number, change: MarkChange): number {
    return (before & ~change.mask) | (change.value & change.mask) | this.#options.toldBit;
  }

  #subject(): string {
    return `queue ${this.#options.queueNum}`;
  }
}

const DEFAULTS = {
  route: 'auto',
  failOpen: false,
  gso: true,
  maxLength: QUEUE_LENGTH,
  receiveBuffer: 16 * 1024 * 1024,
  slots: 64,
  now: () => performance.now() * 1000,
} as const;

const CAME_BACK =
  'packets come back that have their verdict, and are dropped: the rules in force are not those of this version (apply them anew: sudo tlspin rules --apply -c FILE)';
const NO_STATS: SourceStats = {
  received: 0,
  accepted: 0,
  dropped: 0,
  queueDropped: 0,
  userDropped: 0,
  enobufs: 0,
  verdictErrors: 0,
};
