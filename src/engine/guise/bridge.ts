/**
 * Probes of clients that a bridge lies in front of. No route leads where their clients' packets go, so what leaves goes out
 * of the bridge's port as a frame like the client's own; and what is answered to it never gets to the client, but comes to
 * this host by a device of its own. Owns the frames and who is at their ends; knows neither sockets nor queue.
 *
 *   client ══ port ══ bridge ══ port ══ server        a probe's frames: from the client's address on the link, to the server's
 *                                ▲ │
 *                        frames ─┘ └─▶ answers, out of the queue ─▶ device ─▶ socket
 */
import { copyOf } from '../../bytes/copy.ts';
import { writeIpv4Checksum, writeTcpChecksum } from '../../packet/checksum.ts';
import { TCP_FLAG } from '../../packet/tcp.ts';
import { seqAdd } from '../../tcp/sequence.ts';
import { type Headers, RECEIVED_SERVICE } from './guise.ts';
import type { Link } from './links.ts';

/** The sockets of it. None of this waits, or tells whether it went well: what is lost is sent again, as anywhere. */
export interface BridgePort {
  /** Of the device that sockets of such probes are bound to; 0: there is none. */
  readonly ifindex: number;
  /** Out of that port. */
  send(ifindex: number, frame: Uint8Array): void;
  /** As if it had come in by the device, from its IP header on. */
  receive(packet: Uint8Array): void;
  /** What the device was given to send has left otherwise. */
  discard(): void;
  /** A probe's packet goes nowhere. */
  onMisled(why: Misled): void;
}

/** It is not known where its client's packets go, or that is more than one place; or its client has begun a connection by its port itself. */
export type Misled = 'astray' | 'taken';

/** What is to leave once all of a batch has its verdicts: conntrack knows the packets by then, and their answers. */
export class Frames {
  readonly #bridge: BridgePort;
  #waiting: { readonly port: number; readonly frame: Uint8Array }[] = [];
  #resets: Uint8Array[] = [];

  constructor(bridge: BridgePort) {
    this.#bridge = bridge;
  }

  /** Whose server has not answered yet waits for that. */
  add(link: Link, packet: Uint8Array): void {
    if (link.server !== undefined) this.#waiting.push({ port: link.port, frame: frameOf(link, link.server, packet) });
    else if (link.unaddressed.length < MOST_UNADDRESSED) link.unaddressed.push(packet);
  }

  onAnswered(link: Link): void {
    for (const packet of link.unaddressed.splice(0)) this.add(link, packet);
  }

  /** Its socket is to wait for nothing: the packet leaves for nowhere, and is answered by a reset. */
  refuse(headers: Headers): void {
    if (!headers.tcp.has(TCP_FLAG.rst)) this.#resets.push(resetTo(headers));
  }

  send(): void {
    const [frames, resets] = [this.#waiting, this.#resets];
    if (frames.length === 0 && resets.length === 0) return;
    this.#waiting = [];
    this.#resets = [];
    for (const { port, frame } of frames) this.#bridge.send(port, frame);
    this.#bridge.discard();
    for (const reset of resets) this.#bridge.receive(reset);
  }
}

/** Ethernet II. */
export function frameOf({ client }: Pick<Link, 'client'>, server: number, packet: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEADER + packet.length);
  writeAddress(frame, 0, server);
  writeAddress(frame, ADDRESS, client);
  const type = packet[0]! >> 4 === 4 ? ETHER_TYPE.ipv4 : ETHER_TYPE.ipv6;
  frame[12] = type >> 8;
  frame[13] = type & 0xff;
  frame.set(packet, HEADER);
  return frame;
}

/** A packet that leaves as it is, with the checksum that its device would have filled in. */
export function asItIs({ ip, tcp }: Headers): Uint8Array {
  const out = copyOf(ip.bytes, ip.start, ip.end);
  writeTcpChecksum(out, ip.addresses - ip.start, ip.addressLength, tcp.start - ip.start);
  return out;
}

/** As the device has it come in: whole, and with the type of service by which the rules know that its source is all right. */
export function asReceived(headers: Headers): Uint8Array {
  return markReceived(asItIs(headers), headers.tcp.start - headers.ip.start);
}

/** RFC 9293 §3.10.7.1: as where there is no such connection. */
function resetTo({ ip, tcp }: Headers): Uint8Array {
  const { addressLength: length } = ip;
  const [addresses, transport] = [ip.addresses - ip.start, tcp.start - ip.start];
  const out = copyOf(ip.bytes, ip.start, tcp.start + TCP_HEADER);
  out.copyWithin(addresses, addresses + length, addresses + 2 * length);
  out.set(ip.bytes.subarray(ip.addresses, ip.addresses + length), addresses + length);
  const view = new DataView(out.buffer, out.byteOffset);
  if (ip.version === 4) view.setUint16(2, out.length);
  else view.setUint16(4, out.length - addresses - 2 * length);
  view.setUint16(transport, tcp.dstPort);
  view.setUint16(transport + 2, tcp.srcPort);
  const isSyn = tcp.has(TCP_FLAG.syn);
  view.setUint32(transport + 4, isSyn ? 0 : tcp.ack);
  view.setUint32(transport + 8, isSyn ? seqAdd(tcp.seq, 1 + tcp.dataLength) : 0);
  out[transport + 12] = (TCP_HEADER / 4) << 4;
  out[transport + 13] = TCP_FLAG.rst | (isSyn ? TCP_FLAG.ack : 0);
  // Window, and an urgent pointer that nothing points with.
  out.fill(0, transport + 14);
  writeTcpChecksum(out, addresses, length, transport);
  return markReceived(out, transport);
}

function markReceived(out: Uint8Array, transport: number): Uint8Array {
  if (out[0]! >> 4 === 4) {
    out[1] = RECEIVED_SERVICE | (out[1]! & ECN_FIELD);
    writeIpv4Checksum(out, 0, transport);
  } else {
    out[0] = 0x60 | (RECEIVED_SERVICE >> 4);
    out[1] = ((RECEIVED_SERVICE & 0xf) << 4) | (out[1]! & ((ECN_FIELD << 4) | 0xf));
  }
  return out;
}

function writeAddress(b: Uint8Array, at: number, address: number): void {
  for (let octet = ADDRESS - 1, left = address; octet >= 0; octet--, left = Math.floor(left / 256)) {
    b[at + octet] = left % 256;
  }
}

const ECN_FIELD = 0x03;
const ETHER_TYPE = { ipv4: 0x0800, ipv6: 0x86dd } as const;
const ADDRESS = 6;
const HEADER = 14;
const TCP_HEADER = 20;
/** SYNs, and some sent again, of all the decoys of a connection. */
const MOST_UNADDRESSED = 64;
