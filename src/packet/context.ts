/** One packet of a batch while it is being answered: its row and its parsed headers. One reused object an engine. */
import { FIELD, FLAG, type PacketBatch } from './batch.ts';
import { IpView, type IpOutcome } from './ip.ts';
import { TcpView } from './tcp.ts';
import { UdpView } from './udp.ts';

export class PacketContext {
  readonly ip = new IpView();
  readonly tcp = new TcpView();
  readonly udp = new UdpView();
  packetId = 0;
  /** The packet's own, and the hook that it is at. */
  mark = 0;
  hook = 0;
  flags = 0;
  inIfindex = 0;
  outIfindex = 0;
  /** The port by which a bridge sends it on; 0 where none does. */
  physOutIfindex = 0;
  /** Who sent it over the link that it came in by; 0 where that is not told. */
  inLink = 0;
  connmark = 0;
  ctid = 0;
  frame = 0;
  /** Microseconds, on the engine's clock for durations. */
  time = 0;
  #slab: Buffer | undefined;
  /** The slab's, not as a Buffer: of one of those each view takes several times as long. */
  #octets: Uint8Array = new Uint8Array(0);

  /** Points at row `index`; the IP header's outcome. */
  read(batch: PacketBatch, index: number): IpOutcome {
    const { words, slab } = batch;
    const row = index * FIELD.ROW;
    this.packetId = words[row + FIELD.packetId]!;
    this.mark = words[row + FIELD.mark]!;
    this.hook = words[row + FIELD.hook]!;
    this.flags = words[row + FIELD.flags]!;
    this.inIfindex = words[row + FIELD.inIfindex]!;
    this.outIfindex = words[row + FIELD.outIfindex]!;
    this.physOutIfindex = words[row + FIELD.physOutIfindex]!;
    this.inLink = words[row + FIELD.inLinkHigh]! * 2 ** 32 + words[row + FIELD.inLinkLow]!;
    this.connmark = words[row + FIELD.connmark]!;
    this.ctid = words[row + FIELD.ctid]!;
    this.frame = words[row + FIELD.frame]!;
    this.time = words[row + FIELD.timeSeconds]! * 1e6 + words[row + FIELD.timeMicros]!;
    const start = words[row + FIELD.offset]!;
    if (slab !== this.#slab) this.#take(slab);
    return this.ip.parse(this.#octets, start, start + words[row + FIELD.length]!);
  }

  #take(slab: Buffer): void {
    this.#slab = slab;
    this.#octets = new Uint8Array(slab.buffer, slab.byteOffset, slab.length);
  }

  get isGso(): boolean {
    return (this.flags & FLAG.gso) !== 0;
  }

  get isTruncated(): boolean {
    return (this.flags & FLAG.truncated) !== 0;
  }

  get isChecksumReady(): boolean {
    return (this.flags & FLAG.csumNotReady) === 0;
  }

  get hasConnmark(): boolean {
    return (this.flags & FLAG.hasConnmark) !== 0;
  }

  get isConntrackReply(): boolean {
    return (this.flags & FLAG.ctReply) !== 0;
  }
}
