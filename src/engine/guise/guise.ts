/**
 * One probe's connection in its client's guise: its packets leave as the client's system would have sent them, and what
 * comes back is what its own socket expects. Sequence numbers and data stay as they are. Knows packets, and no queue.
 */
import { copyOf } from '../../bytes/copy.ts';
import { writeIpv4Checksum, writeTcpChecksum } from '../../packet/checksum.ts';
import type { IpView } from '../../packet/ip.ts';
import { OPTION, TCP_FLAG, type TcpView } from '../../packet/tcp.ts';
import type { ClientTcp } from './client-tcp.ts';
import { identificationOf, placeOf, readSynShape, type SynShape } from './syn-shape.ts';
import { Stamps } from './stamps.ts';

export interface Headers {
  readonly ip: IpView;
  readonly tcp: TcpView;
}

export class Guise {
  readonly client: ClientTcp;
  readonly #stillFor: number;
  /** What the socket means by a window, and what the server takes one for. */
  #ownScale: number;
  #scale: number;
  readonly #stamps = new Stamps();
  /** RFC 3168 §6.1.1: the server takes marks for what the client has asked of it. */
  #isEcnCapable = false;

  /**
   * Undefined where the socket's packets cannot be the client's: what it has not asked of the server itself it would not
   * understand. `stillFor`: see ClientTcp.
   */
  static of(client: ClientTcp, { ip, tcp }: Headers, stillFor: number): Guise | undefined {
    const own = readSynShape(ip, tcp);
    if (own === undefined || tcp.dataLength > 0 || !asksAsMuch(own, client.syn)) return undefined;
    return new Guise(client, own, stillFor);
  }

  private constructor(client: ClientTcp, own: SynShape, stillFor: number) {
    const { windowScale } = client.syn;
    this.client = client;
    this.#ownScale = windowScale === undefined ? 0 : (own.windowScale ?? 0);
    this.#scale = windowScale ?? 0;
    this.#stillFor = stillFor;
  }

  /** The packet that leaves in its place, from its IP header on. `said`: by the client's clock, where that is known better. */
  leaving({ ip, tcp }: Headers, now: number, said = this.client.timestampAt(now, this.#stillFor)): Uint8Array {
    const { syn } = this.client;
    const transport = tcp.start - ip.start;
    const isSyn = tcp.has(TCP_FLAG.syn);
    const out = isSyn ? withOptions(ip, tcp, syn.options) : copyOf(ip.bytes, ip.start, ip.end);
    if (isSyn) out[transport + 13] = TCP_FLAG.syn | (syn.flags & ECN);
    writeU16(out, transport + 14, isSyn ? syn.window : this.#windowOf(tcp));
    this.#stamp(out, transport, tcp.tsVal, said);
    this.#dress(out, ip, tcp);
    if (ip.version === 4) writeIpv4Checksum(out, 0, transport);
    writeTcpChecksum(out, ip.addresses - ip.start, ip.addressLength, transport);
    return out;
  }

  /** Undefined: the socket understands it as it is. */
  coming({ ip, tcp }: Headers): Uint8Array | undefined {
    const { syn } = this.client;
    if (tcp.has(TCP_FLAG.syn)) this.#onGranted(tcp);
    if (!tcp.hasTimestamps || !tcp.has(TCP_FLAG.ack) || syn.timestamp === undefined) return undefined;
    const at = placeOf(OPTION.timestamps, tcp.bytes, tcp.start + 20, tcp.dataStart) + 6;
    const own = this.#stamps.echoed(readU32(tcp.bytes, at));
    if (own === undefined) return undefined;
    const out = copyOf(ip.bytes, ip.start, ip.end);
    writeU32(out, at - ip.start, own);
    writeTcpChecksum(out, ip.addresses - ip.start, ip.addressLength, tcp.start - ip.start);
    return out;
  }

  /** By the server's SYN. */
  #onGranted(tcp: TcpView): void {
    this.#isEcnCapable = (this.client.syn.flags & ECN) === ECN && (tcp.flags & ECN) === ECN_ECHO;
    // RFC 7323 §2.2: where one end scales none, neither does.
    if (placeOf(OPTION.windowScale, tcp.bytes, tcp.start + 20, tcp.dataStart) < 0) this.#ownScale = this.#scale = 0;
  }

  /** The client's own; what the socket has where that is not known, or would keep the server from answering. */
  #windowOf({ window }: TcpView): number {
    const { window: clients = 0 } = this.client;
    const unit = 2 ** this.#scale;
    if (window > 0 && clients * unit >= LEAST_WINDOW) return clients;
    return Math.min(Math.floor((window * 2 ** this.#ownScale) / unit), 0xffff);
  }

  #stamp(out: Uint8Array, transport: number, own: number, said: number): void {
    const end = transport + (out[transport + 12]! >> 4) * 4;
    const at = placeOf(OPTION.timestamps, out, transport + 20, end) + 2;
    if (at < 2) return;
    writeU32(out, at, this.#stamps.leaving(own, said));
  }

  #dress(out: Uint8Array, ip: IpView, tcp: TcpView): void {
    const { client } = this;
    const { trafficClass, fragments, hasFlowLabel } = client.syn;
    const isMarkable = this.#isEcnCapable && tcp.dataLength > 0;
    // By that service the rules know what comes by the device of bridges, whichever way this one goes.
    const service = (trafficClass & ROUTED_BY) === RECEIVED_SERVICE ? 0 : trafficClass & ~ECN_FIELD;
    const traffic = service | (isMarkable ? ECN_CAPABLE : 0);
    if (ip.version === 6) {
      out[0] = 0x60 | (traffic >> 4);
      out[1] = ((traffic & 0xf) << 4) | (hasFlowLabel ? out[1]! & 0xf : 0);
      if (!hasFlowLabel) out.fill(0, 2, 4);
      return;
    }
    out[1] = traffic;
    out[6] = (out[6]! & ~DO_NOT_FRAGMENT) | (fragments & DO_NOT_FRAGMENT);
    writeU16(out, 4, client.nextIdentification(identificationOf(ip)));
  }
}

/** Whether all that the client's SYN asks for is asked for in the socket's own: the rest it is told that the server lacks. */
function asksAsMuch(own: SynShape, clients: SynShape): boolean {
  return (
    (own.timestamp !== undefined || clients.timestamp === undefined) &&
    (own.windowScale !== undefined || clients.windowScale === undefined) &&
    (own.allowsSack || !clients.allowsSack)
  );
}

/** The SYN with these in the place of its own. */
function withOptions(ip: IpView, tcp: TcpView, options: Uint8Array): Uint8Array {
  const length = tcp.start + 20 - ip.start;
  const out = new Uint8Array(length + options.length);
  out.set(ip.bytes.subarray(ip.start, ip.start + length));
  out.set(options, length);
  const header = 20 + options.length;
  out[length - 8] = (header / 4) << 4;
  if (ip.version === 4) writeU16(out, 2, out.length);
  else writeU16(out, 4, out.length - 40);
  return out;
}

function readU32(b: Uint8Array, at: number): number {
  return ((b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!) >>> 0;
}

function writeU32(b: Uint8Array, at: number, value: number): void {
  writeU16(b, at, value >>> 16);
  writeU16(b, at + 2, value);
}

function writeU16(b: Uint8Array, at: number, value: number): void {
  b[at] = value >> 8;
  b[at + 1] = value;
}

/** RFC 3168 §6.1: ECE and CWR of a SYN that asks, ECE alone of the answer that grants it. */
const [ECN, ECN_ECHO] = [0xc0, 0x40];
/** §5: the field in the IP header, and ECT(0). */
const [ECN_FIELD, ECN_CAPABLE] = [0x03, 0x02];
/** What the kernel goes by of a type of service where it looks for a route (linux/in_route.h: IPTOS_RT_MASK). */
const ROUTED_BY = 0x1c;
/** Of what comes in by the device of bridges: a code point that no standard has. A socket takes no notice of it. */
export const RECEIVED_SERVICE = 0x1c;
const DO_NOT_FRAGMENT = 0x40;
/** Octets. */
const LEAST_WINDOW = 2_048;
