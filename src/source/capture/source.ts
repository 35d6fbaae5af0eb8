/**
 * Captures as a PacketSource: one pass over the file, frames unwrapped down to IP and handed to the sink in the file's
 * order, one at a time, all within `start`. Verdicts are counted and change nothing. The clock is the capture's.
 * Memory is a chunk of the file and the fragments in the making. Knows formats and link layers through their readers,
 * and nothing above IP.
 */
import type { Clock, PacketSink, PacketSource, SourceStats, VerdictOptions } from '../../packet/source.ts';
import { FIELD, FLAG, HOOK, NF_ACCEPT } from '../../packet/batch.ts';
import type { PacketBatch } from '../../packet/batch.ts';
import { CausalOrder, type Waiting } from './causal-order.ts';
import { CaptureError } from './record.ts';
import type { CaptureReader, RecordSink } from './record.ts';
import { isFile, readCapture } from './stream.ts';
import type { ReadOptions } from './stream.ts';
import { Defragmenter } from './defragment.ts';
import { findIp, isKnownLinkType } from './link.ts';
import type { KeyLogSink } from '../key-log.ts';
import { isIn, type Share } from './share.ts';
import { PcapReader } from './pcap.ts';
import { PcapngReader } from './pcapng.ts';
import { isPlainSegment } from './plain-segment.ts';
import { IpOutline, innerIp } from './tunnel.ts';

export interface CaptureSourceOptions {
  /** A file, or '-' for standard input. */
  readonly path: string;
  /** Have TCP checksums verified: off for captures of sending hosts, whose devices fill them in later. */
  readonly checksums?: boolean | undefined;
  readonly onProgress?: ReadOptions['onProgress'];
  /** Told of each frame ahead of what it holds: its time, which is the clock's then. */
  readonly onFrame?: ((micros: number) => void) | undefined;
  /** Everything of a chunk of the file was handed over. */
  readonly onChunkEnd?: (() => void) | undefined;
  /** The packets that are to be handed over, where others are not. */
  readonly share?: Share | undefined;
  /** Takes the capture's own secrets, where it has any. */
  readonly keyLog?: KeyLogSink | undefined;
}

/** Frames, by what became of them. */
export interface FramesRead {
  frames: number;
  /** Of link types that are not read here, by their LINKTYPE number. */
  readonly linkTypesNotRead: Map<number, number>;
  /** Without IP, such as ARP, or with a header of it that is not whole. */
  withoutIp: number;
  /** Shorter than they were on the wire, by the snap length of whoever captured. */
  cut: number;
}

export class CaptureSource implements PacketSource, RecordSink {
  readonly #options: CaptureSourceOptions;
  readonly #abort = new AbortController();
  /** A packet goes before the next one is looked at, so that everything happens at its own frame. */
  readonly #packet: { slab: Buffer } & PacketBatch = { slab: NOTHING, words: new Uint32Array(FIELD.ROW), count: 1 };
  readonly #ip = new IpOutline();
  readonly #defragmenter = new Defragmenter();
  readonly #order = new CausalOrder((packet) => this.#late(packet));
  readonly #flags: number;
  readonly #stats: SourceStats = {
    received: 0,
    accepted: 0,
    dropped: 0,
    queueDropped: 0,
    userDropped: 0,
    enobufs: 0,
    verdictErrors: 0,
  };
  #sink: PacketSink | undefined;
  #reader: CaptureReader | undefined;
  readonly #framesRead: FramesRead = { frames: 0, linkTypesNotRead: new Map(), withoutIp: 0, cut: 0 };
  #now = 0;

  constructor(options: CaptureSourceOptions) {
    this.#options = options;
    this.#flags = options.checksums === true ? 0 : FLAG.csumNotReady;
  }

  /** Time of the frame last read, in microseconds since the epoch. */
  readonly clock: Clock = { now: () => this.#now, wallTime: () => this.#now };

  get framesRead(): Readonly<FramesRead> {
    return this.#framesRead;
  }

  /** Reads the whole capture; rejects where it cannot be read further, after everything before was handed over. */
  async start(sink: PacketSink): Promise<void> {
    this.#sink = sink;
    const consumer = { write: (chunk: Buffer) => this.#write(chunk) };
    try {
      await readCapture(this.#options.path, consumer, {
        onProgress: this.#options.onProgress,
        signal: this.#abort.signal,
      });
      if (this.#abort.signal.aborted) return;
      if (this.#reader === undefined) throw new CaptureError('empty', 0);
      this.#reader.end();
    } finally {
      this.#order.end();
    }
  }

  stop(): Promise<void> {
    this.#abort.abort();
    return Promise.resolve();
  }

  stats(): SourceStats {
    return this.#stats;
  }

  verdict(_packetId: number, verdict: number, options?: VerdictOptions): void {
    if (options?.passing !== undefined) this.#order.passing = options.passing;
    if (verdict === NF_ACCEPT) this.#stats.accepted++;
    else this.#stats.dropped++;
  }

  flush(): void {}

  onRecord(
    bytes: Buffer,
    start: number,
    end: number,
    originalLength: number,
    linkType: number,
    seconds: number,
    micros: number,
  ): void {
    const read = this.#framesRead;
    read.frames++;
    this.#now = seconds * 1_000_000 + micros;
    this.#options.onFrame?.(this.#now);
    if (end - start < originalLength) read.cut++;
    const at = findIp(linkType, bytes, start, end);
    if (at < 0) {
      if (isKnownLinkType(linkType)) read.withoutIp++;
      else read.linkTypesNotRead.set(linkType, (read.linkTypesNotRead.get(linkType) ?? 0) + 1);
      return;
    }
    this.#unwrap(bytes, at, end, start + Math.max(originalLength, end - start), seconds, micros, 0);
  }

  onChunkEnd(): void {
    this.#options.onChunkEnd?.();
  }

  /** One IP packet, or what its tunnels hold. `originalEnd` is where its octets ended before any snap length. */
  #unwrap(
    bytes: Buffer,
    at: number,
    end: number,
    originalEnd: number,
    seconds: number,
    micros: number,
    depth: number,
  ): void {
    const ip = this.#ip;
    if (!ip.read(bytes, at, end)) return;
    if (ip.fragmented) {
      const whole = this.#defragmenter.add(ip, bytes, end, seconds);
      if (whole !== undefined) this.#unwrap(whole, 0, whole.length, whole.length, seconds, micros, depth);
      return;
    }
    const claimed = ip.lengthMissing ? originalEnd : ip.end;
    const present = Math.min(claimed, end);
    if (depth < MAX_TUNNELS) {
      const inner = innerIp(ip, bytes, present);
      if (inner >= 0) return this.#unwrap(bytes, inner, present, claimed, seconds, micros, depth + 1);
    }
    const { share } = this.#options;
    if (share !== undefined && !isIn(share, ip)) return this.#settle(seconds);
    const isCut = present < claimed;
    // Of a segment that was cut the octets that are there are read; what is missing is a gap behind them.
    const isShortened = isCut && ip.shorten(bytes, present);
    const flags = this.#flags | (isShortened ? FLAG.csumNotReady : isCut ? FLAG.truncated : 0);
    const length = isShortened ? present : claimed;
    const frame = this.#framesRead.frames;
    if (this.#order.mayGo(ip, bytes, present)) {
      if (!this.#passes(bytes, flags, present))
        this.#deliver(bytes, at, present - at, length - at, flags, seconds, micros, frame);
    } else {
      const own = Buffer.from(bytes.subarray(at, present));
      this.#order.keep({ bytes: own, originalLength: length - at, flags, seconds, micros, frame });
    }
    this.#settle(seconds);
  }

  /** Whether the packet that `mayGo` has just let go need not be handed over, whose flow is told of it. */
  #passes(bytes: Buffer, flags: number, end: number): boolean {
    const { passing, isForward } = this.#order;
    if (passing === undefined || flags !== FLAG.csumNotReady || !isPlainSegment(this.#ip, bytes, end)) return false;
    if (passing.passes(bytes[this.#ip.payload + 13]!, this.#now, isForward)) {
      this.#stats.received++;
      this.#stats.accepted++;
      return true;
    }
    this.#order.passing = undefined;
    return false;
  }

  /** What waits goes by whatever comes, others' packets too. */
  #settle(seconds: number): void {
    if (!this.#order.isEmpty) this.#order.settle(this.#framesRead.frames, seconds);
  }

  #late({ bytes, originalLength, flags, seconds, micros, frame }: Waiting): void {
    this.#deliver(bytes, 0, bytes.length, originalLength, flags, seconds, micros, frame);
  }

  #deliver(
    slab: Buffer,
    offset: number,
    length: number,
    originalLength: number,
    flags: number,
    seconds: number,
    micros: number,
    frame: number,
  ): void {
    const { words } = this.#packet;
    this.#packet.slab = slab;
    words[FIELD.packetId] = ++this.#stats.received;
    words[FIELD.offset] = offset;
    words[FIELD.length] = length;
    words[FIELD.hook] = HOOK.forward;
    words[FIELD.flags] = flags;
    words[FIELD.timeSeconds] = seconds;
    words[FIELD.timeMicros] = micros;
    words[FIELD.originalLength] = originalLength;
    words[FIELD.frame] = frame;
    this.#sink!.onBatch(this.#packet);
  }

  #write(chunk: Buffer): void {
    if (this.#reader === undefined) {
      if (PcapngReader.recognises(chunk)) this.#reader = new PcapngReader(this, this.#options.keyLog);
      else if (PcapReader.recognises(chunk)) this.#reader = new PcapReader(this, !isFile(this.#options.path));
      else throw new CaptureError(`not a pcap or pcapng capture: it begins with ${describeHead(chunk)}`, 0);
    }
    this.#reader.write(chunk);
  }
}

function describeHead(chunk: Buffer): string {
  return `0x${chunk.subarray(0, 4).toString('hex')}`;
}

const NOTHING = Buffer.alloc(0);
/** Tunnels within tunnels. */
const MAX_TUNNELS = 8;
