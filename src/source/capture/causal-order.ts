/**
 * Captures of several queues or interfaces have packets out of order: a SYN behind the hello, a server's flight ahead of
 * what it answers. Nobody can acknowledge what was not sent (RFC 9293 §3.4): a segment waits until what it acknowledges
 * has been seen, an end or a reset until what comes before it has, and the first segments of a connection wait for its
 * SYN; each for a few frames and a second at most, so that what was never captured holds up nothing. No conversation
 * waits for another one. Knows of TCP only where sequence numbers are, and nothing of what segments hold.
 */
import type { PassingFlow } from '../../packet/source.ts';
import { FlowKey } from '../../tcp/flow-key.ts';
import { FlowTable } from '../../tcp/flow-table.ts';
import { seqDiff } from '../../tcp/sequence.ts';
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
  readonly #key = new FlowKey(0);
  readonly #segment = new Segment();
  /** Of the packet that goes now. */
  #going: Conversation | undefined;
  /** Those that were seen lately, and those that were before them. */
  #conversations = new FlowTable<Conversation>(CONVERSATIONS / 2);
  #earlier: FlowTable<Conversation> | undefined;
  /** In the order in which they came. */
  readonly #waiting: Held[] = [];

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
    this.#going = undefined;
    if (ip.protocol !== TCP || end - ip.payload < 20) return true;
    const segment = this.#segment;
    this.#key.setEndpoints(ip, ip);
    segment.read(this.#conversation(), this.#key.forward, bytes, ip.payload, end);
    const isFree = segment.isFree();
    if (!isFree) return false;
    segment.note();
    this.#going = segment.conversation;
    return true;
  }

  /** That of the packet that was just told to go, if it may pass by. */
  get passing(): PassingFlow | undefined {
    return this.#going?.passing;
  }

  set passing(flow: PassingFlow | undefined) {
    if (this.#going !== undefined) this.#going.passing = flow;
  }

  /** Whether the same packet is from the first of both endpoints. */
  get isForward(): boolean {
    return this.#key.forward;
  }

  /** Keeps the packet that was just told not to go. */
  keep(packet: Waiting): void {
    this.#waiting.push({ packet, segment: this.#segment.copy() });
  }

  /** Releases what has become free, and what has waited long enough at this frame and second. */
  settle(frame: number, seconds: number): void {
    const isLate = ({ packet }: Held): boolean =>
      frame - packet.frame > FRAMES || Math.abs(seconds - packet.seconds) > SECONDS;
    while (this.#waiting.length > 0) {
      let next = this.#waiting.findIndex(({ segment }) => segment.isFree());
      if (next < 0) next = this.#waiting.findIndex(isLate);
      if (next < 0) return;
      const [{ packet, segment }] = this.#waiting.splice(next, 1) as [Held];
      segment.note();
      this.#going = segment.conversation;
      this.#release(packet);
    }
  }

  /** Nothing comes any more. */
  end(): void {
    this.settle(Infinity, Infinity);
  }

  /** That of the key. */
  #conversation(): Conversation {
    const known = this.#conversations.find(this.#key);
    if (known !== undefined) return known;
    const conversation = this.#earlier?.find(this.#key) ?? new Conversation();
    if (this.#conversations.full) {
      this.#earlier = this.#conversations;
      this.#conversations = new FlowTable(CONVERSATIONS / 2);
    }
    this.#conversations.set(this.#key, conversation);
    return conversation;
  }
}

/** Two ends, and how far each has been seen: the sequence number behind its last octet. Numbers are kept as int32. */
class Conversation {
  /** Its SYN was seen, or is not waited for any more. */
  isOpen = false;
  /** What its segments are of, where they may pass by; none do that begin another one. */
  passing: PassingFlow | undefined;
  knowsForward = false;
  knowsBackward = false;
  forward = 0;
  backward = 0;

  knows(isForward: boolean): boolean {
    return isForward ? this.knowsForward : this.knowsBackward;
  }

  end(isForward: boolean): number {
    return isForward ? this.forward : this.backward;
  }

  /** Undefined: what was known of that end is of an earlier connection. */
  set(isForward: boolean, end: number | undefined): void {
    if (isForward) this.knowsForward = end !== undefined;
    else this.knowsBackward = end !== undefined;
    if (isForward) this.forward = end ?? 0;
    else this.backward = end ?? 0;
  }

  reach(isForward: boolean, end: number): void {
    if (!this.knows(isForward) || seqDiff(end, this.end(isForward)) > 0) this.set(isForward, end);
  }
}

interface Held {
  readonly packet: Waiting;
  readonly segment: Segment;
}

class Segment {
  #conversation = NOBODY;
  #isForward = false;
  #flags = 0;
  #seq = 0;
  #ack = 0;
  #length = 0;

  get conversation(): Conversation {
    return this.#conversation;
  }

  /** The segment whose header is at `at`, and whose octets end at `end`. */
  read(conversation: Conversation, isForward: boolean, bytes: Buffer, at: number, end: number): void {
    const flags = bytes[at + 13]!;
    this.#conversation = conversation;
    this.#isForward = isForward;
    this.#flags = flags;
    this.#seq = bytes.readInt32BE(at + 4);
    this.#ack = bytes.readInt32BE(at + 8);
    this.#length = Math.max(0, end - at - (bytes[at + 12]! >> 4) * 4);
    if ((flags & FLAG.syn) !== 0) this.#length++;
    if ((flags & FLAG.fin) !== 0) this.#length++;
  }

  copy(): Segment {
    const copy = new Segment();
    copy.#conversation = this.#conversation;
    copy.#isForward = this.#isForward;
    copy.#flags = this.#flags;
    copy.#seq = this.#seq;
    copy.#ack = this.#ack;
    copy.#length = this.#length;
    return copy;
  }

  isFree(): boolean {
    const conversation = this.#conversation;
    const isForward = this.#isForward;
    const flags = this.#flags;
    if ((flags & (FLAG.syn | FLAG.ack)) === FLAG.syn) return true;
    if (!conversation.isOpen) return false;
    const isEnd = (flags & (FLAG.fin | FLAG.rst)) !== 0 && conversation.knows(isForward);
    if (isEnd && seqDiff(this.#seq, conversation.end(isForward)) > 0) return false;
    if ((flags & FLAG.ack) === 0) return true;
    return conversation.knows(!isForward) && seqDiff(this.#ack, conversation.end(!isForward)) <= 0;
  }

  /** It goes: what it is behind has been seen, or will not be. */
  note(): void {
    const conversation = this.#conversation;
    const isForward = this.#isForward;
    const end = (this.#seq + this.#length) | 0;
    conversation.isOpen = true;
    if ((this.#flags & FLAG.syn) !== 0) conversation.passing = undefined;
    if ((this.#flags & (FLAG.syn | FLAG.ack)) === FLAG.syn) {
      conversation.set(!isForward, undefined);
      conversation.set(isForward, end);
    } else {
      conversation.reach(isForward, end);
    }
    if ((this.#flags & FLAG.ack) !== 0) conversation.reach(!isForward, this.#ack);
  }
}

const NOBODY = new Conversation();
const TCP = 6;
const FLAG = { fin: 0x01, syn: 0x02, rst: 0x04, ack: 0x10 } as const;
/** How far out of order a packet may be. */
const FRAMES = 32;
const SECONDS = 1;
/** The oldest are forgotten: of theirs, what goes on waits for a SYN that does not come, and is late by a few frames. */
const CONVERSATIONS = 65_536;
