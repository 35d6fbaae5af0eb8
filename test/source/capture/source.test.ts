import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { FIELD, NF_ACCEPT, NF_DROP } from '../../../src/packet/batch.ts';
import type { PassingFlow } from '../../../src/packet/source.ts';
import { CaptureSource } from '../../../src/source/capture/source.ts';
import type { CaptureSourceOptions } from '../../../src/source/capture/source.ts';
import {
  Gatherer,
  enhancedPacket,
  ethernet,
  interfaceBlock,
  ipv4,
  pcap,
  sectionHeader,
  udp,
} from '../../support/capture-bytes.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tlspin-capture-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
function write(bytes: Buffer): string {
  const path = join(directory, `${files++}.pcap`);
  writeFileSync(path, bytes);
  return path;
}

async function read(bytes: Buffer, options: Partial<CaptureSourceOptions> = {}) {
  const source = new CaptureSource({ path: write(bytes), ...options });
  const gathered = new Gatherer();
  let error: Error | undefined;
  await source.start(gathered).catch((reason: Error) => (error = reason));
  return { source, packets: gathered.packets, error };
}

const PACKET = ipv4(253, Buffer.from('segment'));
const frame = (octets: Buffer, fraction = 0) => ({
  octets: ethernet(0x0800, octets),
  seconds: 1_700_000_000,
  fraction,
});

test('packets arrive in order with frame number, time, and numbers of their own', async () => {
  const arp = { octets: ethernet(0x0806, Buffer.alloc(46)), seconds: 1, fraction: 0 };
  const { source, packets, error } = await read(pcap([frame(PACKET, 5), arp, frame(PACKET, 250_000)]));
  expect(error).toBeUndefined();
  expect(packets.map(({ packetId, frame, time }) => [packetId, frame, time])).toEqual([
    [1, 1, 1_700_000_000_000_005],
    [2, 3, 1_700_000_000_250_000],
  ]);
  expect(packets.every(({ packet }) => packet.equals(PACKET))).toBe(true);
  expect(source.framesRead.frames).toBe(3);
  expect(source.clock.now()).toBe(1_700_000_000_250_000);
});

test('checksums count as unfinished unless they are asked for', async () => {
  const bytes = pcap([frame(PACKET)]);
  expect((await read(bytes)).packets[0]!.csumNotReady).toBe(true);
  expect((await read(bytes, { checksums: true })).packets[0]!.csumNotReady).toBe(false);
});

describe('segments that may pass by', () => {
  const segment = (flags: number, seq: number, options = '') => {
    const header = Buffer.alloc(20);
    header.writeUInt16BE(50_000, 0);
    header.writeUInt16BE(443, 2);
    header.writeUInt32BE(seq, 4);
    header.writeUInt8((5 + options.length / 8) * 16, 12);
    header.writeUInt8(flags, 13);
    return frame(ipv4(6, Buffer.concat([header, Buffer.from(options, 'hex')])));
  };
  const [SYN, FIN] = [0x02, 0x01];
  const [TIMESTAMPS, MAXIMUM] = ['0101080a0000000100000002', '020405b4'];
  const SEGMENTS = [segment(SYN, 1), segment(0, 2), segment(0, 2), segment(FIN, 2), segment(0, 3, TIMESTAMPS)];

  /** The frames that were handed over, where each segment but a SYN may be the last, and what the flow heard of the rest. */
  async function passing(
    frames: ReturnType<typeof frame>[],
    options: Partial<CaptureSourceOptions> = {},
    isKept = true,
  ) {
    const heard: (readonly [flags: number, micros: number, isForward: boolean])[] = [];
    const flow: PassingFlow = {
      passes(...segment) {
        heard.push(segment);
        return isKept;
      },
    };
    const source = new CaptureSource({ path: write(pcap(frames)), ...options });
    const gathered = new Gatherer();
    await source.start({
      onBatch(batch) {
        gathered.onBatch(batch);
        source.verdict(batch.words[FIELD.packetId]!, NF_ACCEPT, { passing: flow });
      },
    });
    return { heard, frames: gathered.packets.map((packet) => packet.frame), stats: source.stats() };
  }

  test('are told of, and not handed over, up to the next SYN', async () => {
    const { heard, frames, stats } = await passing([...SEGMENTS, segment(SYN, 9), segment(0, 10)]);
    expect(frames).toEqual([1, 6]);
    expect(heard.map(([flags]) => flags)).toEqual([0, 0, FIN, 0, 0]);
    expect(heard[0]).toEqual([0, 1_700_000_000_000_000, expect.any(Boolean)]);
    expect(stats).toMatchObject({ received: 7, accepted: 7 });
  });

  test('are handed over where the flow is no more', async () => {
    expect((await passing(SEGMENTS, {}, false)).frames).toEqual([1, 2, 3, 4, 5]);
  });

  test('are handed over where their checksums are to be verified, or their options looked at', async () => {
    expect((await passing(SEGMENTS, { checksums: true })).frames).toEqual([1, 2, 3, 4, 5]);
    expect((await passing([...SEGMENTS, segment(0, 3, MAXIMUM)])).frames).toEqual([1, 6]);
  });
});

describe('lengths', () => {
  test('padding of the link layer is not part of the packet', async () => {
    const { packets } = await read(pcap([frame(Buffer.concat([PACKET, Buffer.alloc(19)]))]));
    expect(packets[0]).toMatchObject({ packet: PACKET, originalLength: PACKET.length, truncated: false });
  });

  test('a packet that the snap length cut is marked and knows its length', async () => {
    const whole = frame(PACKET);
    const cut = { ...whole, octets: whole.octets.subarray(0, -3), originalLength: whole.octets.length };
    const { packets } = await read(pcap([cut]));
    expect(packets[0]).toMatchObject({ truncated: true, originalLength: PACKET.length });
    expect(packets[0]!.packet).toHaveLength(PACKET.length - 3);
  });

  test('a frame that was cut behind its packet is whole', async () => {
    const whole = frame(PACKET);
    const { packets } = await read(pcap([{ ...whole, originalLength: whole.octets.length + 4 }]));
    expect(packets[0]).toMatchObject({ truncated: false, packet: PACKET });
  });
});

describe('tunnels and fragments', () => {
  test('what a tunnel holds takes its place', async () => {
    const gre = ipv4(47, Buffer.concat([Buffer.from('00000800', 'hex'), ipv4(4, PACKET)]));
    expect((await read(pcap([frame(gre)]))).packets.map(({ packet }) => packet)).toEqual([PACKET]);
  });

  test('a packet that only looks like a tunnel stays itself', async () => {
    const dns = ipv4(17, udp(4789, Buffer.alloc(20)));
    expect((await read(pcap([frame(dns)]))).packets.map(({ packet }) => packet)).toEqual([dns]);
  });

  test('fragments of a tunnel are put together before the tunnel is entered', async () => {
    const inner = ipv4(253, Buffer.alloc(100, 0x55));
    const gre = Buffer.concat([Buffer.from('00000800', 'hex'), inner]);
    const first = ipv4(47, gre.subarray(0, 48), { id: 9, fragment: 0x2000 });
    const second = ipv4(47, gre.subarray(48), { id: 9, fragment: 6 });
    const { packets } = await read(pcap([frame(PACKET), frame(second), frame(first), frame(PACKET)]));
    expect(packets.map(({ packet, frame }) => [packet, frame])).toEqual([
      [PACKET, 1],
      [inner, 3],
      [PACKET, 4],
    ]);
  });

  test('tunnels within tunnels are followed for a bounded way', async () => {
    let packet = PACKET;
    for (let depth = 0; depth < 12; depth++) packet = ipv4(4, packet);
    expect((await read(pcap([frame(packet)]))).packets[0]!.packet.subarray(0, 20)).not.toEqual(PACKET);
  });
});

describe('files', () => {
  const MANY = Array.from({ length: 3000 }, (_, index) => frame(ipv4(253, Buffer.alloc(500, index)), index));

  test.each([
    ['pcap', pcap(MANY)],
    ['pcap, gzip', gzipSync(pcap(MANY))],
    [
      'pcap, gzip of two members',
      Buffer.concat([gzipSync(pcap(MANY.slice(0, 9))), gzipSync(pcap(MANY.slice(9)).subarray(24))]),
    ],
    [
      'pcapng, gzip',
      gzipSync(Buffer.concat([sectionHeader(), interfaceBlock(1), ...MANY.map((one) => enhancedPacket(0, 0n, one))])),
    ],
  ])('%s of more than a chunk and a batch', async (_name, bytes) => {
    const { packets, error } = await read(bytes);
    expect(error).toBeUndefined();
    const sent = Buffer.concat(MANY.map(({ octets }) => octets.subarray(14)));
    expect(Buffer.concat(packets.map(({ packet }) => packet)).equals(sent)).toBe(true);
    expect(packets.map(({ frame }) => frame)).toEqual(MANY.map((_, index) => index + 1));
  });

  test('gzip that is cut short yields what comes before the cut, and an error', async () => {
    const noise = MANY.map((one, index) => frame(ipv4(253, pseudoRandom(700, index)), one.fraction));
    const whole = gzipSync(pcap(noise));
    const { packets, error } = await read(whole.subarray(0, whole.length - 20_000));
    expect(packets.length).toBeGreaterThan(2800);
    expect(packets.length).toBeLessThan(3000);
    expect(error?.message).toBe(
      `gzip: cut short: a member's data ends at byte ${whole.length - 20_000} of the compressed file`,
    );
  });

  test('gzip that is damaged yields what comes before the damage, and an error', async () => {
    const noise = MANY.map((one, index) => frame(ipv4(253, pseudoRandom(700, index)), one.fraction));
    const whole = gzipSync(pcap(noise));
    whole.fill(0xff, whole.length - 20_000, whole.length - 19_000);
    const { packets, error } = await read(whole);
    expect(packets.length).toBeGreaterThan(2000);
    expect(error?.message).toMatch(/^(gzip: |damaged: )/);
  });

  test.each([
    ['a zero', Buffer.alloc(1), undefined],
    ['a block of zeros', Buffer.alloc(40_000), undefined],
    ['zeros and another member of nothing', Buffer.concat([Buffer.alloc(9), gzipSync('')]), undefined],
    ['garbage', Buffer.from('garbage and more'), 'no gzip member begins'],
    ['an octet of garbage', Buffer.from('g'), "cut short: a member's header ends"],
    ['garbage behind zeros', Buffer.concat([Buffer.alloc(700), Buffer.from('garbage and more')]), 'no gzip member'],
  ])('gzip with %s behind it yields everything', async (_name, behind, message) => {
    const whole = gzipSync(pcap([frame(PACKET), frame(PACKET)]));
    const { packets, error } = await read(Buffer.concat([whole, behind]));
    expect(packets).toHaveLength(2);
    if (message === undefined) expect(error).toBeUndefined();
    else expect(error?.message).toMatch(`gzip: ${message}`);
    if (message !== undefined) expect(error?.message).toMatch(/ at byte \d+ of the compressed file$/);
  });

  test.each([
    ['checksum', 8],
    ['length', 4],
  ])('gzip with another %s in its trailer yields everything, and says so', async (what, fromEnd) => {
    const whole = gzipSync(pcap([frame(PACKET)]));
    whole[whole.length - fromEnd]! ^= 1;
    const { packets, error } = await read(whole);
    expect(packets).toHaveLength(1);
    expect(error?.message).toMatch(
      `gzip: damaged: the ${what} of what was read is another at byte ${whole.length - 8}`,
    );
  });

  test('gzip with a name, a comment, extra fields and a checksum of its header', async () => {
    const whole = gzipSync(pcap([frame(PACKET)]));
    const head = Buffer.concat([
      whole.subarray(0, 10),
      Buffer.from('0300010203', 'hex'),
      Buffer.from('name\0text\0\x12\x34'),
    ]);
    head[3] = 0x1e;
    const { packets, error } = await read(Buffer.concat([head, whole.subarray(10)]));
    expect(error).toBeUndefined();
    expect(packets).toHaveLength(1);
  });

  test.each([
    ['zstd', '28b52ffd00'],
    ['xz', 'fd377a585a00'],
    ['bzip2', '425a6839'],
    ['lz4', '04224d18'],
  ])('%s is named, with what reads it', async (program, head) => {
    const { error } = await read(Buffer.from(head, 'hex'));
    expect(error?.message).toMatch(`compressed with ${program}, which is not read here: ${program} -dc /`);
  });

  test('damage ends the reading after everything before it', async () => {
    const bytes = pcap([frame(PACKET), frame(PACKET)]);
    const { packets, error } = await read(bytes.subarray(0, -1));
    expect(packets).toHaveLength(1);
    expect(error?.message).toMatch(/^cut short: .* at byte 81$/);
  });

  test.each([
    ['', 'empty at byte 0'],
    ['a', 'not a pcap or pcapng capture: it begins with 0x61 at byte 0'],
    ['{"not": "a capture"}', 'not a pcap or pcapng capture: it begins with 0x7b226e6f at byte 0'],
  ])('%j is refused', async (text, message) => {
    expect((await read(Buffer.from(text))).error?.message).toBe(message);
  });

  test('a file that cannot be opened is named by what the system says', async () => {
    const source = new CaptureSource({ path: join(directory, 'absent') });
    await expect(source.start(new Gatherer())).rejects.toThrow('cannot be read: ENOENT');
    const folder = new CaptureSource({ path: directory });
    await expect(folder.start(new Gatherer())).rejects.toThrow('cannot be read: EISDIR');
  });
});

test('verdicts are counted and change nothing', async () => {
  const { source } = await read(pcap([frame(PACKET), frame(PACKET)]));
  source.verdict(1, NF_ACCEPT);
  source.verdict(2, NF_DROP);
  source.flush();
  expect(source.stats()).toMatchObject({ received: 2, accepted: 1, dropped: 1 });
});

test('stop ends the reading between two chunks', async () => {
  const bytes = pcap(Array.from({ length: 8000 }, () => frame(ipv4(253, Buffer.alloc(1000)))));
  const source = new CaptureSource({ path: write(bytes) });
  let batches = 0;
  await source.start({
    onBatch: () => {
      batches++;
      void source.stop();
    },
  });
  expect(batches).toBeGreaterThan(0);
  expect(source.framesRead.frames).toBeLessThan(8000);
});

/** Octets that do not compress, the same at every run. */
function pseudoRandom(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed + 1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 16;
  }
  return bytes;
}
