/**
 * The opening of a connection (RFC 9293 §3.5): every initial sequence number that either side has proposed, until the
 * client's acknowledgment selects one of each. Anybody on the path can send a SYN or a SYN/ACK; only what the client
 * acknowledges counts. Knows numbers and interfaces, no payload but that of a SYN (RFC 7413).
 */
import { seqAdd } from '../tcp/sequence.ts';

export interface SynCandidate {
  readonly seq: number;
  /** Where the client is: the only interface that its packets may come from. */
  readonly inIfindex: number;
  /** TCP Fast Open: belongs to the stream only if the SYN/ACK acknowledges it. */
  readonly data: Uint8Array;
}

export interface SynAckCandidate {
  readonly seq: number;
  readonly ack: number;
}

/** What the client selected. */
export interface Opened {
  readonly inIfindex: number;
  /** Sequence numbers of each stream's first octet. */
  readonly clientFirst: number;
  readonly serverFirst: number;
  /** Octets of the SYN that the server took. */
  readonly earlyOctets: Uint8Array;
}

/** The first of each kind is kept in numbers of its own, small ones: there may be very many connections of one SYN. */
export class Opening {
  #synSeq = 0;
  #inIfindex = 0;
  #synData = EMPTY;
  #synCount = 0;
  #moreSyns: SynCandidate[] | undefined;
  #synAckSeq = 0;
  #synAckAck = 0;
  #synAckCount = 0;
  #moreSynAcks: SynAckCandidate[] | undefined;
  /** Which SYN and which SYN/ACK the client has selected. */
  #selected = NOTHING_SELECTED;

  /** Of the first SYN, which tells for all: a copy that an observer of it sends comes later. */
  get inIfindex(): number {
    return this.#inIfindex;
  }

  /** Of the first SYN. */
  get synSeq(): number {
    return this.#synSeq >>> 0;
  }

  get isSelected(): boolean {
    return this.#selected !== NOTHING_SELECTED;
  }

  /** What the client has selected. */
  get selected(): Opened | undefined {
    if (!this.isSelected) return undefined;
    const syn = this.#syn(Math.floor(this.#selected / MAX_CANDIDATES));
    return openedBy(syn, this.#synAck(this.#selected % MAX_CANDIDATES));
  }

  /** False when there are too many: the segment is not to be forwarded. */
  onSyn(candidate: SynCandidate): boolean {
    if (this.knowsSyn(candidate.seq)) return true;
    if (this.#synCount >= MAX_CANDIDATES) return false;
    if (this.#synCount++ > 0) {
      (this.#moreSyns ??= []).push(candidate);
      return true;
    }
    this.#synSeq = candidate.seq | 0;
    this.#inIfindex = candidate.inIfindex;
    this.#synData = candidate.data;
    return true;
  }

  /** False when it acknowledges no SYN that was seen. */
  onSynAck(seq: number, ack: number): boolean {
    if (this.#synFor(ack) < 0) return false;
    for (let i = 0; i < this.#synAckCount; i++) {
      const known = this.#synAck(i);
      if (known.seq === seq && known.ack === ack) return true;
    }
    if (this.#synAckCount >= MAX_CANDIDATES) return false;
    if (this.#synAckCount++ > 0) {
      (this.#moreSynAcks ??= []).push({ seq, ack });
      return true;
    }
    this.#synAckSeq = seq | 0;
    this.#synAckAck = ack | 0;
    return true;
  }

  knowsSyn(seq: number): boolean {
    for (let i = 0; i < this.#synCount; i++) if (this.#syn(i).seq === seq) return true;
    return false;
  }

  /** The client's segment with SEG.SEQ `seq` and SEG.ACK `ack` selects; undefined when it fits no pair. */
  select(seq: number, ack: number, inIfindex: number | undefined): Opened | undefined {
    for (let i = 0; i < this.#synAckCount; i++) {
      const synAck = this.#synAck(i);
      const which = this.#synFor(synAck.ack);
      const syn = this.#syn(which);
      if (inIfindex !== undefined && syn.inIfindex !== inIfindex) continue;
      if (seqAdd(synAck.seq, 1) !== ack || (seq !== synAck.ack && seq !== seqAdd(syn.seq, 1))) continue;
      this.#selected = which * MAX_CANDIDATES + i;
      return openedBy(syn, synAck);
    }
    return undefined;
  }

  /** For captures: the pair that the last SYN/ACK makes, where the client's acknowledgment was not captured. */
  get latest(): Opened | undefined {
    if (this.#synAckCount === 0) return undefined;
    const synAck = this.#synAck(this.#synAckCount - 1);
    return openedBy(this.#syn(this.#synFor(synAck.ack)), synAck);
  }

  #syn(index: number): SynCandidate {
    if (index > 0) return this.#moreSyns![index - 1]!;
    return { seq: this.synSeq, inIfindex: this.#inIfindex, data: this.#synData };
  }

  #synAck(index: number): SynAckCandidate {
    if (index > 0) return this.#moreSynAcks![index - 1]!;
    return { seq: this.#synAckSeq >>> 0, ack: this.#synAckAck >>> 0 };
  }

  /** Index of the SYN that it acknowledges, or -1. */
  #synFor(ack: number): number {
    for (let i = 0; i < this.#synCount; i++) {
      const { seq, data } = this.#syn(i);
      if (ack === seqAdd(seq, 1) || ack === seqAdd(seq, 1 + data.length)) return i;
    }
    return -1;
  }
}

function openedBy(syn: SynCandidate, synAck: SynAckCandidate): Opened {
  return {
    inIfindex: syn.inIfindex,
    clientFirst: seqAdd(syn.seq, 1),
    serverFirst: seqAdd(synAck.seq, 1),
    earlyOctets: synAck.ack === seqAdd(syn.seq, 1) ? EMPTY : syn.data,
  };
}

/** More proposals than retransmission with a new number ever makes. */
const MAX_CANDIDATES = 4;
const NOTHING_SELECTED = -1;
const EMPTY: Uint8Array = new Uint8Array(0);
