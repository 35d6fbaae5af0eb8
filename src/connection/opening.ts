/**
 * The opening of a connection (RFC 9293 §3.5): the initial sequence numbers that either side has proposed, until the
 * client's acknowledgment selects one of each. Anybody can send a SYN or a SYN/ACK; only what the client acknowledges
 * counts, by the way that its SYN came. Knows numbers and ways, no payload but that of a SYN (RFC 7413).
 */
import type { PacketContext } from '../packet/context.ts';
import { TCP_FLAG } from '../packet/tcp.ts';
import { readSynTraits, type SynTraits } from '../packet/syn-traits.ts';
import { seqAdd } from '../tcp/sequence.ts';
import { comesBy, isSameWay, type Way } from './way.ts';

export interface SynCandidate extends Way {
  readonly seq: number;
  /** TCP Fast Open: belongs to the stream only if the SYN/ACK acknowledges it. */
  readonly data: Uint8Array;
  /** Of SynTraits. */
  readonly traits: number;
}

export interface SynAckCandidate {
  readonly seq: number;
  readonly ack: number;
}

/** What the client selected. */
export interface Opened {
  /** Of the client's packets: they come by no other one. */
  readonly way: Way;
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
  #outIfindex = 0;
  #inLink = 0;
  #synData = EMPTY;
  #synTraits = 0;
  #synCount = 0;
  #moreSyns: SynCandidate[] | undefined;
  #synAckSeq = 0;
  #synAckAck = 0;
  #synAckCount = 0;
  #moreSynAcks: SynAckCandidate[] | undefined;
  /** Which SYN and which SYN/ACK the client has selected. */
  #selected = NOTHING_SELECTED;

  /** Of the SYN that was selected; of the first one until then. */
  get way(): Way {
    return this.#syn(this.#selectedSyn());
  }

  /** The same SYN's. */
  get synSeq(): number {
    return this.#syn(this.#selectedSyn()).seq;
  }

  /** What the same one tells of the client's system. */
  get synTraits(): SynTraits | undefined {
    return readSynTraits(this.#syn(this.#selectedSyn()).traits);
  }

  /** Whether the packet may be the client's. */
  comesBy(p: PacketContext): boolean {
    return comesBy(this.way, p);
  }

  get isSelected(): boolean {
    return this.#selected >= 0;
  }

  /** What the client has selected. */
  get selected(): Opened | undefined {
    if (!this.isSelected) return undefined;
    return openedBy(this.#syn(this.#selectedSyn()), this.#synAck(this.#selected % MAX_CANDIDATES));
  }

  get isVoid(): boolean {
    return this.#selected === VOID;
  }

  /** Nothing will be selected any more. */
  makeVoid(): void {
    this.#selected = VOID;
  }

  /** Whoever sends more than anybody needs displaces the oldest of his own: those of others stay. */
  onSyn(candidate: SynCandidate): void {
    if (this.knowsSyn(candidate.seq)) return;
    if (this.#synCount === MAX_CANDIDATES) this.#displace(candidate);
    if (this.#synCount++ > 0) {
      (this.#moreSyns ??= []).push(candidate);
      return;
    }
    this.#setFirst(candidate);
  }

  /**
   * False when it acknowledges no SYN that counts. It leaves by `outIfindex`, which leads to the client: where a SYN came
   * from there, no other one is the client's. Undefined: not known. Where several did, from several places on the link,
   * the one that is answered first: its sender may believe by now that it is connected.
   */
  onSynAck(seq: number, ack: number, outIfindex?: number): boolean {
    if (this.isVoid) return false;
    const which = this.#synFor(ack);
    if (which < 0) return false;
    const syn = this.#syn(which);
    const isSelected = this.isSelected && which !== this.#selectedSyn();
    if (isSelected || (syn.inIfindex !== outIfindex && this.#hasSynFrom(outIfindex))) return false;
    const answered = this.#synAckCount === 0 ? -1 : this.#synFor(this.#synAck(0).ack);
    if (answered >= 0 && this.#syn(answered).inIfindex === syn.inIfindex && !isSameWay(this.#syn(answered), syn))
      return false;
    for (let i = 0; i < this.#synAckCount; i++) {
      const known = this.#synAck(i);
      if (known.seq === seq && known.ack === ack) return true;
    }
    if (this.#synAckCount >= MAX_CANDIDATES || this.isSelected) return false;
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

  /**
   * The client's segment with SEG.SEQ `seq` and SEG.ACK `ack` selects; undefined when it fits no pair. It came as `p` did;
   * undefined: that is not known.
   */
  select(seq: number, ack: number, p: PacketContext | undefined): Opened | undefined {
    if (this.isVoid) return undefined;
    for (let i = 0; i < this.#synAckCount; i++) {
      const synAck = this.#synAck(i);
      const which = this.#synFor(synAck.ack);
      if (which < 0) continue;
      const syn = this.#syn(which);
      if (p !== undefined && !comesBy(syn, p)) continue;
      if (seqAdd(synAck.seq, 1) !== ack || (seq !== synAck.ack && seq !== seqAdd(syn.seq, 1))) continue;
      this.#selected = which * MAX_CANDIDATES + i;
      return openedBy(syn, synAck);
    }
    return undefined;
  }

  /** The same of a packet that comes by; undefined where it opens nothing. */
  openedBy(p: PacketContext, live: boolean): Opened | undefined {
    const { seq, ack } = p.tcp;
    if (!p.tcp.has(TCP_FLAG.ack)) return undefined;
    const opened = this.select(seq, ack, live ? p : undefined);
    if (opened !== undefined || live) return opened;
    // Of a capture of one direction the client's own numbers are all that there is.
    return this.latest ?? openedAt(seq, ack);
  }

  /** For captures: the pair that the last SYN/ACK makes, where the client's acknowledgment was not captured. */
  get latest(): Opened | undefined {
    if (this.#synAckCount === 0) return undefined;
    const synAck = this.#synAck(this.#synAckCount - 1);
    return openedBy(this.#syn(Math.max(0, this.#synFor(synAck.ack))), synAck);
  }

  #selectedSyn(): number {
    return this.isSelected ? Math.floor(this.#selected / MAX_CANDIDATES) : 0;
  }

  #hasSynFrom(ifindex: number | undefined): boolean {
    for (let i = 0; i < this.#synCount; i++) if (this.#syn(i).inIfindex === ifindex) return true;
    return false;
  }

  /** Makes room for one more: of those who have the most of them, the oldest goes. */
  #displace(candidate: SynCandidate): void {
    const from = Array.from({ length: this.#synCount }, (_, i) => this.#syn(i));
    const share = (syn: SynCandidate): number => [...from, candidate].filter((each) => isSameWay(each, syn)).length;
    const most = Math.max(...from.map(share));
    const oldest = from.findIndex((syn) => share(syn) === most);
    const [first, ...rest] = from.filter((_, i) => i !== oldest);
    this.#setFirst(first!);
    this.#moreSyns = rest;
    this.#synCount--;
    this.#forgetSynAcks();
  }

  /** Those that answer no SYN any more. */
  #forgetSynAcks(): void {
    const all = Array.from({ length: this.#synAckCount }, (_, i) => this.#synAck(i));
    const [first, ...rest] = all.filter(({ ack }) => this.#synFor(ack) >= 0);
    this.#synAckCount = first === undefined ? 0 : 1 + rest.length;
    this.#synAckSeq = (first?.seq ?? 0) | 0;
    this.#synAckAck = (first?.ack ?? 0) | 0;
    this.#moreSynAcks = rest;
  }

  #setFirst({ seq, inIfindex, outIfindex, inLink, data, traits }: SynCandidate): void {
    this.#synSeq = seq | 0;
    this.#inIfindex = inIfindex;
    this.#outIfindex = outIfindex;
    this.#inLink = inLink;
    this.#synData = data;
    this.#synTraits = traits;
  }

  #syn(index: number): SynCandidate {
    if (index > 0) return this.#moreSyns![index - 1]!;
    return {
      seq: this.#synSeq >>> 0,
      inIfindex: this.#inIfindex,
      outIfindex: this.#outIfindex,
      inLink: this.#inLink,
      data: this.#synData,
      traits: this.#synTraits,
    };
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

/** Of a capture that begins in the middle. */
export function openedAt(clientFirst: number, serverFirst: number): Opened {
  return { way: { inIfindex: 0, outIfindex: 0, inLink: 0 }, clientFirst, serverFirst, earlyOctets: EMPTY };
}

function openedBy(syn: SynCandidate, synAck: SynAckCandidate): Opened {
  return {
    way: syn,
    clientFirst: seqAdd(syn.seq, 1),
    serverFirst: seqAdd(synAck.seq, 1),
    earlyOctets: synAck.ack === seqAdd(syn.seq, 1) ? EMPTY : syn.data,
  };
}

/** More proposals than retransmission with a new number ever makes. */
const MAX_CANDIDATES = 4;
const NOTHING_SELECTED = -1;
/** Both ends have sent a SYN of their own. */
const VOID = -2;
const EMPTY: Uint8Array = new Uint8Array(0);
