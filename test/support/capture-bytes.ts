/** Writes captures octet by octet, so that a test can say what is in each field; and gathers what a source delivers. */
import type { PacketSink } from '../../src/packet/source.ts';
import { FIELD, FLAG } from '../../src/packet/batch.ts';
import type { PacketBatch } from '../../src/packet/batch.ts';

export interface Frame {
  readonly octets: Buffer;
  readonly seconds?: number;
  /** In the file's own unit. */
  readonly fraction?: number;
  readonly originalLength?: number;
}

export interface PcapOptions {
  readonly bigEndian?: boolean;
  readonly nano?: boolean;
  /** Records with the longer header of Kuznetsov's libpcap. */
  readonly isModified?: boolean;
  readonly linkType?: number;
}

export function u16(value: number, bigEndian = true): Buffer {
  const bytes = Buffer.alloc(2);
  if (bigEndian) bytes.writeUInt16BE(value);
  else bytes.writeUInt16LE(value);
  return bytes;
}

export function u32(value: number, bigEndian = true): Buffer {
  const bytes = Buffer.alloc(4);
  if (bigEndian) bytes.writeUInt32BE(value >>> 0);
  else bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

export function pcap(frames: readonly Frame[], options: PcapOptions = {}): Buffer {
  const big = options.bigEndian ?? false;
  const head = [
    u32(options.isModified === true ? 0xa1b2cd34 : options.nano === true ? 0xa1b23c4d : 0xa1b2c3d4, big),
    u16(2, big),
    u16(4, big),
    u32(0, big),
    u32(0, big),
    u32(262_144, big),
    u32(options.linkType ?? 1, big),
  ];
  const records = frames.flatMap((frame) => [
    u32(frame.seconds ?? 0, big),
    u32(frame.fraction ?? 0, big),
    u32(frame.octets.length, big),
    u32(frame.originalLength ?? frame.octets.length, big),
    options.isModified === true ? Buffer.from('0300000008000000', 'hex') : Buffer.alloc(0),
    frame.octets,
  ]);
  return Buffer.concat([...head, ...records]);
}

/** A block of a pcapng file: its body is padded and enclosed in its lengths. */
export function block(type: number, body: Buffer, bigEndian = false): Buffer {
  const padded = Buffer.concat([body, Buffer.alloc((4 - (body.length % 4)) % 4)]);
  const length = u32(padded.length + 12, bigEndian);
  return Buffer.concat([u32(type, bigEndian), length, padded, length]);
}

export function sectionHeader(bigEndian = false): Buffer {
  const unknownLength = Buffer.alloc(8, 0xff);
  return block(
    0x0a0d0d0a,
    Buffer.concat([u32(0x1a2b3c4d, bigEndian), u16(1, bigEndian), u16(0, bigEndian), unknownLength]),
    bigEndian,
  );
}

export function interfaceBlock(linkType: number, bigEndian = false, options: Buffer = Buffer.alloc(0)): Buffer {
  return block(1, Buffer.concat([u16(linkType, bigEndian), u16(0), u32(0), options]), bigEndian);
}

export function pcapngOption(code: number, value: Buffer, bigEndian = false): Buffer {
  const padding = Buffer.alloc((4 - (value.length % 4)) % 4);
  return Buffer.concat([u16(code, bigEndian), u16(value.length, bigEndian), value, padding]);
}

export function enhancedPacket(on: number, time: bigint, frame: Frame, bigEndian = false): Buffer {
  const body = [
    u32(on, bigEndian),
    u32(Number(time >> 32n), bigEndian),
    u32(Number(time & 0xffffffffn), bigEndian),
    u32(frame.octets.length, bigEndian),
    u32(frame.originalLength ?? frame.octets.length, bigEndian),
    frame.octets,
  ];
  return block(6, Buffer.concat(body), bigEndian);
}

/** A Decryption Secrets Block. */
export function decryptionSecrets(secretsType: number, secrets: Buffer, bigEndian = false): Buffer {
  return block(10, Buffer.concat([u32(secretsType, bigEndian), u32(secrets.length, bigEndian), secrets]), bigEndian);
}

/** An IPv4 packet with a right header checksum left out: captures are not asked for it. */
export function ipv4(protocol: number, payload: Buffer, fields: { id?: number; fragment?: number } = {}): Buffer {
  const header = Buffer.from('4500000000000000400000000a0000010a000002', 'hex');
  header.writeUInt16BE(20 + payload.length, 2);
  header.writeUInt16BE(fields.id ?? 0, 4);
  header.writeUInt16BE(fields.fragment ?? 0, 6);
  header[9] = protocol;
  return Buffer.concat([header, payload]);
}

export function ipv6(nextHeader: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(40);
  header[0] = 0x60;
  header.writeUInt16BE(payload.length, 4);
  header[6] = nextHeader;
  header[7] = 64;
  header[23] = 1;
  header[39] = 2;
  return Buffer.concat([header, payload]);
}

export function udp(port: number, payload: Buffer): Buffer {
  return Buffer.concat([u16(40_000), u16(port), u16(8 + payload.length), u16(0), payload]);
}

export function ethernet(etherType: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.alloc(12, 0x02), u16(etherType), payload]);
}

/** What a source delivered, copied out of its batches. */
export interface Delivered {
  readonly packet: Buffer;
  readonly frame: number;
  readonly time: number;
  readonly originalLength: number;
  readonly truncated: boolean;
  readonly csumNotReady: boolean;
  readonly packetId: number;
}

export class Gatherer implements PacketSink {
  readonly packets: Delivered[] = [];

  onBatch(batch: PacketBatch): void {
    for (let index = 0; index < batch.count; index++) {
      const row = index * FIELD.ROW;
      const word = (field: number): number => batch.words[row + field]!;
      const offset = word(FIELD.offset);
      this.packets.push({
        packet: Buffer.from(batch.slab.subarray(offset, offset + word(FIELD.length))),
        frame: word(FIELD.frame),
        time: word(FIELD.timeSeconds) * 1_000_000 + word(FIELD.timeMicros),
        originalLength: word(FIELD.originalLength),
        truncated: (word(FIELD.flags) & FLAG.truncated) !== 0,
        csumNotReady: (word(FIELD.flags) & FLAG.csumNotReady) !== 0,
        packetId: word(FIELD.packetId),
      });
    }
  }
}
