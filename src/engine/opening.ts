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

export class Opening {
  readonly #syns: SynCandidate[] = [];
  readonly #synAcks: SynAckCandidate[] = [];

  /** Whether SYNs came by this interface: the first one tells for all, a copy that an observer of it sends comes later. */
  comesFrom(inIfindex: number): boolean {
    return this.#syns[0]?.inIfindex === inIfindex;
  }

  /** False when there are too many: the segment is not to be forwarded. */
  onSyn(candidate: SynCandidate): boolean {
    if (this.#syns.some((known) => known.seq === candidate.seq)) return true;
    if (this.#syns.length >= MAX_CANDIDATES) return false;
    this.#syns.push(candidate);
    return true;
  }

  /** False when it acknowledges no SYN that was seen. */
  onSynAck(seq: number, ack: number): boolean {
    if (this.#synFor(ack) === undefined) return false;
    if (this.#synAcks.some((known) => known.seq === seq && known.ack === ack)) return true;
    if (this.#synAcks.length >= MAX_CANDIDATES) return false;
    this.#synAcks.push({ seq, ack });
    return true;
  }

  knowsSyn(seq: number): boolean {
    return this.#syns.some((known) => known.seq === seq);
  }

  /** The client's segment with SEG.SEQ `seq` and SEG.ACK `ack` selects; undefined when it fits no pair. */
  select(seq: number, ack: number, inIfindex: number | undefined): Opened | undefined {
    for (const synAck of this.#synAcks) {
      const syn = this.#synFor(synAck.ack)!;
      if (inIfindex !== undefined && syn.inIfindex !== inIfindex) continue;
      if (seqAdd(synAck.seq, 1) === ack && (seq === synAck.ack || seq === seqAdd(syn.seq, 1))) {
        return this.#opened(syn, synAck);
      }
    }
    return undefined;
  }

  /** For captures: the pair that the last SYN/ACK makes, where the client's acknowledgment was not captured. */
  get latest(): Opened | undefined {
    const synAck = this.#synAcks.at(-1);
    return synAck === undefined ? undefined : this.#opened(this.#synFor(synAck.ack)!, synAck);
  }

  #opened(syn: SynCandidate, synAck: SynAckCandidate): Opened {
    return {
      inIfindex: syn.inIfindex,
      clientFirst: seqAdd(syn.seq, 1),
      serverFirst: seqAdd(synAck.seq, 1),
      earlyOctets: synAck.ack === seqAdd(syn.seq, 1) ? EMPTY : syn.data,
    };
  }

  #synFor(ack: number): SynCandidate | undefined {
    return this.#syns.find(({ seq, data }) => ack === seqAdd(seq, 1) || ack === seqAdd(seq, 1 + data.length));
  }
}

/** More proposals than retransmission with a new number ever makes. */
const MAX_CANDIDATES = 4;
const EMPTY = new Uint8Array(0);
