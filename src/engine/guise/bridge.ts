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
import type { PacketContext } from '../../packet/context.ts';
import { type Headers, RECEIVED_SERVICE } from './guise.ts';

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
}

/** Where a client's packets go over a bridge. */
export interface Link {
  /** By which they leave it. */
  readonly port: number;
  /** Addresses on the link, as numbers. */
  readonly client: number;
  /** Undefined: nothing has come from there yet. */
  server: number | undefined;
}

/** Of a client's SYN; undefined where no bridge sends it on. */
export function linkOf({ physOutIfindex: port, inLink: client }: PacketContext): Link | undefined {
  return port === 0 || client === 0 ? undefined : { port, client, server: undefined };
}

/** What is to leave once all of a batch has its verdicts: conntrack knows the packets by then, and their answers. */
export class Frames {
  readonly #bridge: BridgePort;
  #waiting: { readonly port: number; readonly frame: Uint8Array }[] = [];

  constructor(bridge: BridgePort) {
    this.#bridge = bridge;
  }

  add(link: Link, server: number, packet: Uint8Array): void {
    this.#waiting.push({ port: link.port, frame: frameOf(link, server, packet) });
  }

  send(): void {
    if (this.#waiting.length === 0) return;
    for (const { port, frame } of this.#waiting) this.#bridge.send(port, frame);
    this.#waiting = [];
    this.#bridge.discard();
  }
}

/** Ethernet II. */
export function frameOf({ client }: Link, server: number, packet: Uint8Array): Uint8Array {
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
  const out = asItIs(headers);
  if (headers.ip.version === 4) {
    out[1] = RECEIVED_SERVICE | (out[1]! & ECN_FIELD);
    writeIpv4Checksum(out, 0, headers.tcp.start - headers.ip.start);
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
