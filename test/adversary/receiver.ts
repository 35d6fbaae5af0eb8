/**
 * The receiving half of a TCP (RFC 9293 §3.10.7.4) as far as an attacker can play with it: octets in order, of two copies
 * the first or the last one, a reset exactly at RCV.NXT (RFC 5961 §3.2), an end in order. Hands out what became
 * contiguous, once.
 */
import { IP, IpView } from '../../src/packet/ip.ts';
import { TCP_FLAG, TcpView } from '../../src/packet/tcp.ts';
import { seqAdd, seqDiff } from '../../src/tcp/sequence.ts';

export class Receiver {
  isReset = false;
  isEnded = false;
  /** The highest acknowledgment that came with anything that was taken. */
  acknowledged: number;
  readonly #first: number;
  readonly #prefers: 'first' | 'last';
  readonly #ahead = new Map<number, number>();
  readonly #ready: Buffer[] = [];
  #length = 0;
  #fin = Infinity;

  /** `first`: sequence number of the first octet; `own`: of this end's own first octet. */
  constructor(first: number, own: number, prefers: 'first' | 'last') {
    this.#first = first;
    this.#prefers = prefers;
    this.acknowledged = own;
  }

  /** Octets in order so far. */
  get length(): number {
    return this.#length;
  }

  get next(): number {
    return seqAdd(this.#first, this.#length + (this.isEnded ? 1 : 0));
  }

  take(): Buffer {
    return Buffer.concat(this.#ready.splice(0));
  }

  /** Data of a SYN, of which there is one: nothing is ahead of it. */
  takeEarly(octets: Uint8Array): void {
    if (this.#length === 0) this.#append(octets);
  }

  receive(packet: Uint8Array): void {
    const ip = new IpView();
    const tcp = new TcpView();
    if (ip.parse(packet, 0, packet.length) !== IP.ok || !tcp.parse(ip))
      throw new Error('what was let go is no segment');
    if (this.isReset || tcp.has(TCP_FLAG.syn)) return;
    if (tcp.has(TCP_FLAG.rst)) {
      this.isReset = tcp.seq === this.next;
      return;
    }
    if (seqDiff(tcp.ack, this.acknowledged) > 0) this.acknowledged = tcp.ack;
    const offset = seqDiff(tcp.seq, this.#first);
    if (offset > this.#length + WINDOW || this.isEnded) return;
    this.#put(offset, packet.subarray(tcp.dataStart, tcp.dataStart + tcp.dataLength));
    if (tcp.has(TCP_FLAG.fin)) this.#fin = offset + tcp.dataLength;
    if (this.#fin === this.#length) this.isEnded = true;
  }

  #put(offset: number, data: Uint8Array): void {
    if (this.#ahead.size === 0 && offset <= this.#length) return this.#append(data.subarray(this.#length - offset));
    data.forEach((octet, i) => {
      const at = offset + i;
      if (at < this.#length || (this.#prefers === 'first' && this.#ahead.has(at))) return;
      this.#ahead.set(at, octet);
    });
    const contiguous: number[] = [];
    for (let at = this.#length; this.#ahead.has(at); at++) {
      contiguous.push(this.#ahead.get(at)!);
      this.#ahead.delete(at);
    }
    this.#append(Uint8Array.from(contiguous));
  }

  #append(data: Uint8Array): void {
    if (data.length === 0) return;
    this.#ready.push(Buffer.from(data));
    this.#length += data.length;
  }
}

const WINDOW = 65_535;
