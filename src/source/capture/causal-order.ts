/**
 * Captures of several queues or interfaces have packets out of order: a SYN behind the hello, a server's flight ahead of
 * what it answers. Nobody can acknowledge what was not sent (RFC 9293 §3.4): a segment waits until what it acknowledges
 * has been seen, an end or a reset until what comes before it has, and the first segments of a connection wait for its
 * SYN; each for a few frames and a second at most, so that what was never captured holds up nothing. Knows of TCP only
 * where sequence numbers are, and nothing of what segments hold.
 */
import { seqAdd, seqDiff } from '../../tcp/sequence.ts';
import type { IpOutline } from './tunnel.ts';

/** One packet and all that there is to know of it; `bytes` is its own. */
export interface Waiting {
  readonly bytes: Buffer;
  readonly originalLength: number;
  readonly flags: number;
  readonly seconds: number;
  readonly micros: number;
  readonly frame: number;
}

export class CausalOrder {
  readonly #release: (packet: Waiting) => void;
  readonly #conversations = new Map<string, Conversation>();
  /** In the order in which they came. */
  #waiting: Held[] = [];

  constructor(release: (packet: Waiting) => void) {
    this.#release = release;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /**
   * Whether the packet that `ip` points at, which ends at `end`, may go at once. Where not it is to be kept, by `keep`.
   * What becomes free by it is released by `settle`, behind it.
   */
  mayGo(ip: IpOutline, bytes: Buffer, end: number): boolean {
    if (ip.protocol !== TCP || end - ip.payload < 20) return true;
    const segment = this.#segmentOf(ip, bytes, end);
    const isFree = segment.isFree();
    this.#segment = segment;
    if (isFree) segment.note();
    return isFree;
  }

  /** Keeps the packet that was just told not to go. */
  keep(packet: Waiting): void {
    this.#waiting.push({ packet, segment: this.#segment! });
  }

  /** Releases what has become free, and what has waited long enough at this frame and second. */
  settle(frame: number, seconds: number): void {
    while (this.#waiting.length > 0) {
      const free = this.#waiting.findIndex(({ segment }) => segment.isFree());
      const { packet } = this.#waiting[0]!;
      const isLate = frame - packet.frame > FRAMES || Math.abs(seconds - packet.seconds) > SECONDS;
      if (free < 0 && !isLate) return;
      this.#take(Math.max(free, 0));
    }
  }

  /** Nothing comes any more. */
  end(): void {
    this.settle(Infinity, Infinity);
  }

  #segment: Segment | undefined;

  #take(index: number): void {
    const [{ packet, segment }] = this.#waiting.splice(index, 1) as [Held];
    segment.note();
    this.#release(packet);
  }

  #segmentOf(ip: IpOutline, bytes: Buffer, end: number): Segment {
    const at = ip.payload;
    const [source, length] = ip.version === 4 ? [ip.start + 12, 4] : [ip.start + 8, 16];
    const one = bytes.toString('latin1', source, source + length) + bytes.toString('latin1', at, at + 2);
    const other =
      bytes.toString('latin1', source + length, source + 2 * length) + bytes.toString('latin1', at + 2, at + 4);
    const isForward = one < other;
    const key = isForward ? one + other : other + one;
    let conversation = this.#conversations.get(key);
    if (conversation === undefined) {
      conversation = { isOpen: false, forward: undefined, backward: undefined };
      this.#conversations.set(key, conversation);
      if (this.#conversations.size > CONVERSATIONS) {
        this.#conversations.delete(this.#conversations.keys().next().value!);
      }
    }
    const flags = bytes[at + 13]!;
    const dataLength = Math.max(0, end - at - (bytes[at + 12]! >> 4) * 4);
    const isOne = (flag: number) => ((flags & flag) === 0 ? 0 : 1);
    return new Segment(
      conversation,
      isForward,
      flags,
      bytes.readUInt32BE(at + 4),
      bytes.readUInt32BE(at + 8),
      dataLength + isOne(FLAG.syn) + isOne(FLAG.fin),
    );
  }
}

/** Two ends, and how far each has been seen: the sequence number behind its last octet, undefined where it was not. */
interface Conversation {
  /** Its SYN was seen, or is not waited for any more. */
  isOpen: boolean;
  forward: number | undefined;
  backward: number | undefined;
}

interface Held {
  readonly packet: Waiting;
  readonly segment: Segment;
}

class Segment {
  readonly #conversation: Conversation;
  readonly #isForward: boolean;
  readonly #flags: number;
  readonly #seq: number;
  readonly #ack: number;
  readonly #length: number;

  constructor(conversation: Conversation, isForward: boolean, flags: number, seq: number, ack: number, length: number) {
    this.#conversation = conversation;
    this.#isForward = isForward;
    this.#flags = flags;
    this.#seq = seq;
    this.#ack = ack;
    this.#length = length;
  }

  isFree(): boolean {
    const { isOpen, forward, backward } = this.#conversation;
    const [own, peer] = this.#isForward ? [forward, backward] : [backward, forward];
    if ((this.#flags & FLAG.syn) !== 0 && (this.#flags & FLAG.ack) === 0) return true;
    if (!isOpen) return false;
    const isEnd = (this.#flags & (FLAG.fin | FLAG.rst)) !== 0;
    if (isEnd && own !== undefined && seqDiff(this.#seq, own) > 0) return false;
    if ((this.#flags & FLAG.ack) === 0) return true;
    return peer !== undefined && seqDiff(this.#ack, peer) <= 0;
  }

  /** It goes: what it is behind has been seen, or will not be. */
  note(): void {
    const conversation = this.#conversation;
    conversation.isOpen = true;
    const end = seqAdd(this.#seq, this.#length);
    const isNew = (this.#flags & FLAG.syn) !== 0 && (this.#flags & FLAG.ack) === 0;
    if (isNew) conversation[this.#isForward ? 'backward' : 'forward'] = undefined;
    const own = this.#isForward ? 'forward' : 'backward';
    conversation[own] = isNew ? end : later(conversation[own], end);
    if ((this.#flags & FLAG.ack) === 0) return;
    const peer = this.#isForward ? 'backward' : 'forward';
    conversation[peer] = later(conversation[peer], this.#ack);
  }
}

function later(known: number | undefined, seen: number): number {
  return known === undefined || seqDiff(seen, known) > 0 ? seen : known;
}

const TCP = 6;
const FLAG = { fin: 0x01, syn: 0x02, rst: 0x04, ack: 0x10 } as const;
/** How far out of order a packet may be. */
const FRAMES = 32;
const SECONDS = 1;
/** The oldest are forgotten: of theirs, what goes on waits for a SYN that does not come, and is late by a few frames. */
const CONVERSATIONS = 65_536;
