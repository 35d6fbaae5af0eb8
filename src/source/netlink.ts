/** A socket of netlink: what the kernel tells a group of listeners, and what it answers. Nothing waits. Knows no message's meaning. */
import { closeSync } from 'node:fs';
import { constants, endianness } from 'node:os';

import type { NativeBinding } from './binding.ts';

export type Netlink = Pick<NativeBinding, 'subscribe' | 'sendDescriptors' | 'receiveDescriptors'>;

/** linux/netlink.h. */
export const PROTOCOL = { route: 0, netfilter: 12 } as const;

export interface NetlinkOptions {
  readonly protocol: number;
  /** By their numbers. */
  readonly groups?: readonly number[];
  /** Only what a program has asked the kernel to do, of all that the groups are told. */
  readonly isAskedFor?: boolean;
}

export interface Heard {
  /** Datagrams, each with a message or more. */
  readonly octets: readonly Buffer[];
  /** There was more than the socket has room for, or it cannot be heard. */
  readonly isLossy: boolean;
}

export class NetlinkSocket {
  readonly #binding: Netlink;
  readonly #fd: number;

  /** Throws where that may not be heard. */
  constructor(binding: Netlink, { protocol, groups = [], isAskedFor = false }: NetlinkOptions) {
    this.#binding = binding;
    const bits = groups.reduce((bits, group) => bits | (1 << (group - 1)), 0);
    this.#fd = binding.subscribe(protocol, bits, isAskedFor);
  }

  /** Since it was last asked. */
  heard(): Heard {
    const octets: Buffer[] = [];
    let isLossy = false;
    for (;;) {
      const { octets: got } = this.#binding.receiveDescriptors(this.#fd, room);
      if (got > 0) octets.push(Buffer.from(room.subarray(0, got)));
      else if (got === -constants.errno.ENOBUFS) isLossy = true;
      else return { octets, isLossy: isLossy || got !== -constants.errno.EAGAIN };
    }
  }

  /** What the kernel answers at once; lossy as well where what it tells of has changed meanwhile. */
  ask(request: Buffer): Heard {
    const sent = this.#binding.sendDescriptors(this.#fd, request, []);
    const { octets, isLossy } = this.heard();
    const isInterrupted = octets.flatMap(messagesOf).some(({ flags }) => (flags & NLM_F_DUMP_INTR) !== 0);
    return { octets, isLossy: isLossy || sent < 0 || isInterrupted };
  }

  /** It hears and asks nothing any more. */
  close(): void {
    closeSync(this.#fd);
  }
}

/** For all that there is of a kind (NLM_F_REQUEST, NLM_F_DUMP), behind a header of as many octets that asks for nothing in particular. */
export function dumpRequest(type: number, header: number): Buffer {
  const request = Buffer.alloc(HEADER + header);
  request.set(new Uint8Array(new Uint32Array([request.length]).buffer));
  request.set(new Uint8Array(new Uint16Array([type, 0x301]).buffer), 4);
  return request;
}

/** One that is acknowledged (NLM_F_REQUEST, NLM_F_ACK), and what else its flags say. */
export function changeRequest(type: number, flags: number, header: Buffer, attributes: readonly Buffer[]): Buffer {
  const request = Buffer.concat([Buffer.alloc(HEADER), header, ...attributes]);
  request.set(new Uint8Array(new Uint32Array([request.length]).buffer));
  request.set(new Uint8Array(new Uint16Array([type, 0x5 | flags]).buffer), 4);
  return request;
}

/** A number of four octets, or more attributes. */
export function attribute(type: number, value: number | readonly Buffer[]): Buffer {
  const octets = typeof value === 'number' ? wordOctets(value) : Buffer.concat(value);
  const out = Buffer.alloc(aligned(4 + octets.length));
  out.set(new Uint8Array(new Uint16Array([4 + octets.length, type]).buffer));
  octets.copy(out, 4);
  return out;
}

function wordOctets(value: number): Buffer {
  return Buffer.from(new Uint32Array([value]).buffer);
}

/** Of what answers it: 0, an errno, or undefined where nothing does. */
export function acknowledgedIn(octets: readonly Buffer[]): number | undefined {
  const found = octets.flatMap(messagesOf).find(({ type, body }) => type === NLMSG_ERROR && body.length >= 4);
  return found === undefined ? undefined : -(number(found.body, 0, 4) | 0);
}

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  /** Behind netlink's own header. */
  readonly body: Buffer;
}

/** All of a datagram; what is cut short is left out. */
export function messagesOf(datagram: Buffer): NetlinkMessage[] {
  const found: NetlinkMessage[] = [];
  for (let at = 0; at + HEADER <= datagram.length;) {
    const length = number(datagram, at, 4);
    if (length < HEADER || at + length > datagram.length) break;
    const [type, flags] = [number(datagram, at + 4, 2), number(datagram, at + 6, 2)];
    found.push({ type, flags, body: datagram.subarray(at + HEADER, at + length) });
    at += aligned(length);
  }
  return found;
}

/** By their types. */
export function attributesOf(octets: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= octets.length;) {
    const length = number(octets, at, 2);
    if (length < 4 || at + length > octets.length) break;
    found.set(number(octets, at + 2, 2) & TYPE, octets.subarray(at + 4, at + length));
    at += aligned(length);
  }
  return found;
}

/** In the machine's order of octets. */
function number(octets: Buffer, at: number, size: 2 | 4): number {
  return endianness() === 'LE' ? octets.readUIntLE(at, size) : octets.readUIntBE(at, size);
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}

const HEADER = 16;
const NLMSG_ERROR = 2;
/** linux/netlink.h: of a dump that is no picture of one moment. */
const NLM_F_DUMP_INTR = 0x10;
/** Without what is said of the order of octets and of nesting. */
const TYPE = 0x3fff;
const room = Buffer.allocUnsafe(1 << 16);
