import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { COMPRESSION, inflateZstdByScript, readCompressedCertificate } from '../../src/tls/compressed-certificate.ts';
import { lacks, started } from '../support/programs.ts';
import { u16, vector24 } from '../support/tls-bytes.ts';

const MAX = 262_144;
const CONTENT = { fault: 'content' };

/** What comes out of a CompressedCertificate. */
function read(algorithm: number, compressed: Uint8Array, length: number): Uint8Array | { fault: string } {
  const announced = Uint8Array.of(length >> 16, (length >> 8) & 0xff, length & 0xff);
  const read = readCompressedCertificate(Buffer.concat([u16(algorithm), announced, vector24(compressed)]), MAX);
  return read instanceof Uint8Array ? new Uint8Array(read) : { fault: read.code.split('.').at(-1)! };
}

const readZstd = (frame: Uint8Array, length: number) => read(COMPRESSION.zstd, frame, length);
const zstd = (input: Uint8Array, ...args: string[]) => spawnSync(started('zstd'), ['-c', ...args], { input }).stdout;

/** Neither random nor all alike, as certificates are. */
function certificateLike(length: number): Buffer {
  const blocks = [];
  for (let i = 0; i * 48 < length; i++) {
    blocks.push(
      createHash('sha256')
        .update(`${i % 97} ${i >> 3}`)
        .digest(),
      Buffer.from('3082010a02820101', 'hex'),
    );
    blocks.push(Buffer.from('06035504', 'hex'), Buffer.from([i & 3, 0x0c, 0x13, 0x0e]));
  }
  return Buffer.concat(blocks).subarray(0, length);
}

/** A frame of one raw block. Its descriptor's other bits and what stands ahead of the block may be said. */
function frameOf(content: Uint8Array, { flags = 0x20, window = '', dictionary = '', tail = '' } = {}): Buffer {
  const block = Buffer.alloc(3);
  block.writeUIntLE((content.length << 3) | 1, 0, 3);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(content.length);
  const hex = (text: string) => Buffer.from(text, 'hex');
  return Buffer.concat(
    [hex('28b52ffd'), [0x80 | flags], hex(window), hex(dictionary), size, block, content, hex(tail)].map((part) =>
      Buffer.from(part),
    ),
  );
}

describe('a frame of zstd', () => {
  const content = certificateLike(900);

  it('is one that says how much it holds', () => {
    expect(readZstd(frameOf(content), 900)).toEqual(new Uint8Array(content));
    expect(readZstd(frameOf(content, { flags: 0, window: '68' }), 900)).toEqual(new Uint8Array(content));
    expect(readZstd(frameOf(content), 899)).toEqual(CONTENT);
    expect(readZstd(frameOf(content), 901)).toEqual(CONTENT);
  });

  it.each<[string, Buffer]>([
    ['with a dictionary', frameOf(content, { flags: 0x21, dictionary: '07' })],
    ['with a window of more than 8 MiB', frameOf(content, { flags: 0, window: '69' })],
    ['with octets behind it', frameOf(content, { tail: '00' })],
    ['with another behind it', Buffer.concat([frameOf(content), frameOf(content)])],
    ['with one behind it that is to be skipped', frameOf(content, { tail: '502a4d180100000000' })],
    ['without its end', frameOf(content).subarray(0, -1)],
    ['without its checksum', frameOf(content, { flags: 0x24 })],
    ['whose size is not told', Buffer.from('28b52ffd006809000078', 'hex')],
    ['whose blocks do not end', Buffer.from('28b52ffd20050800006162636465', 'hex')],
  ])('%s is refused, whatever runtime reads it', (_, frame) => {
    expect(readZstd(frame, 900)).toEqual(CONTENT);
  });

  it.skipIf(lacks('zstd'))('is read as zstd writes it, at every level, by every runtime alike', () => {
    for (const length of [1, 300, 5_000, 20_000]) {
      const input = certificateLike(length);
      for (const level of ['-1', '-3', '-12', '-19']) {
        const frame = zstd(input, level, '--no-check', `--stream-size=${length}`);
        expect(readZstd(frame, length)).toEqual(new Uint8Array(input));
        expect(Buffer.compare(inflateZstdByScript(frame, length), input)).toBe(0);
      }
    }
  });

  it.skipIf(lacks('zstd'))(
    'that is cut or changed is refused or is another certificate, and never an exception',
    () => {
      const frame = zstd(certificateLike(3_000), '-19', '--no-check', '--stream-size=3000');
      fc.assert(
        fc.property(fc.nat(frame.length - 1), fc.nat(255), fc.boolean(), (at, value, isCut) => {
          const changed = Buffer.from(frame);
          changed[at] = value;
          const seen = readZstd(isCut ? changed.subarray(0, at) : changed, 3_000);
          if (seen instanceof Uint8Array) expect(seen).toHaveLength(3_000);
          else expect(seen).toEqual(isCut && at === 0 ? { fault: 'syntax' } : CONTENT);
        }),
        { numRuns: 300 },
      );
    },
  );

  it('keeps nobody busy: what a script has no end of is ended', () => {
    // One block of 3,000 sequences, each a copy of 65,539 octets, that is to hold 1,000.
    const busy = Buffer.from('28b52ffd60e8024d000008418bb85400003480', 'hex');
    const before = process.cpuUsage();
    expect(readZstd(busy, 1_000)).toEqual(CONTENT);
    expect(() => inflateZstdByScript(busy, 1_000)).toThrow(/timed out/);
    const { user, system } = process.cpuUsage(before);
    // By the processor's time, which other work on the machine does not count into.
    expect(user + system).toBeLessThan(1_000_000);
  });
});

describe.each([
  ['zlib', COMPRESSION.zlib],
  ['brotli', COMPRESSION.brotli],
  ['zstd', COMPRESSION.zstd],
])('%s', (_, algorithm) => {
  it('of junk is a fault', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 80 }), fc.integer({ min: 1, max: 200 }), (junk, length) => {
        const seen = read(algorithm, junk, length);
        if (seen instanceof Uint8Array) expect(seen).toHaveLength(length);
        else expect(seen).toEqual(CONTENT);
      }),
    );
  });
});
