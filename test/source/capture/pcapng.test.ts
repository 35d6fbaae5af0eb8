import { describe, expect, test } from 'vitest';

import { CaptureError } from '../../../src/source/capture/record.ts';
import type { RecordSink } from '../../../src/source/capture/record.ts';
import type { KeyLogSink } from '../../../src/source/key-log.ts';
import { PcapngReader } from '../../../src/source/capture/pcapng.ts';
import {
  block,
  decryptionSecrets,
  enhancedPacket,
  interfaceBlock,
  pcapngOption,
  sectionHeader,
  u16,
  u32,
} from '../../support/capture-bytes.ts';

class Records implements RecordSink {
  readonly seen: [string, number, number, number, number][] = [];

  onRecord(bytes: Buffer, start: number, end: number, original: number, link: number, sec: number, us: number): void {
    this.seen.push([bytes.toString('latin1', start, end), original, link, sec, us]);
  }

  onChunkEnd(): void {}
}

function read(bytes: Buffer, chunk = bytes.length): Records {
  const records = new Records();
  const reader = new PcapngReader(records);
  for (let at = 0; at < bytes.length; at += chunk) reader.write(bytes.subarray(at, at + chunk));
  reader.end();
  return records;
}

/** What was passed on of each secrets block, in one piece. */
class KeyLogs implements KeyLogSink {
  readonly ended: string[] = [];
  pending = '';

  feed(bytes: Uint8Array): void {
    this.pending += Buffer.from(bytes).toString('latin1');
  }

  end(): void {
    this.ended.push(this.pending);
    this.pending = '';
  }
}

function readKeyLogs(bytes: Buffer, chunk = bytes.length): { readonly frames: string[]; readonly logs: string[] } {
  const records = new Records();
  const logs = new KeyLogs();
  const reader = new PcapngReader(records, logs);
  for (let at = 0; at < bytes.length; at += chunk) reader.write(bytes.subarray(at, at + chunk));
  reader.end();
  expect(logs.pending).toBe('');
  return { frames: records.seen.map(([octets]) => octets), logs: logs.ended };
}

function readDamaged(bytes: Buffer): { records: Records; error: CaptureError } {
  const records = new Records();
  const reader = new PcapngReader(records);
  try {
    reader.write(bytes);
    reader.end();
  } catch (error) {
    if (error instanceof CaptureError) return { records, error };
    throw error;
  }
  throw new Error('no error');
}

const MICROS = 1_700_000_000_123_456n;
const frame = (text: string) => ({ octets: Buffer.from(text) });
const tsresol = (value: number): Buffer => pcapngOption(9, Buffer.from([value]));

describe('blocks', () => {
  test.each([false, true])('enhanced packets, big endian %s', (big) => {
    const bytes = Buffer.concat([
      sectionHeader(big),
      interfaceBlock(1, big),
      enhancedPacket(0, MICROS, { octets: Buffer.from('abcde'), originalLength: 900 }, big),
    ]);
    expect(read(bytes).seen).toEqual([['abcde', 900, 1, 1_700_000_000, 123_456]]);
  });

  test('simple packets belong to the first interface and have the time of what came before', () => {
    const simple = block(3, Buffer.concat([u32(700, false), Buffer.from('abcd')]));
    const bytes = Buffer.concat([sectionHeader(), interfaceBlock(101), enhancedPacket(0, MICROS, frame('x')), simple]);
    expect(read(bytes).seen[1]).toEqual(['abcd', 700, 101, 1_700_000_000, 123_456]);
  });

  test('a simple packet is not longer than it was, whatever its padding', () => {
    const simple = block(3, Buffer.concat([u32(5, false), Buffer.from('abcde')]));
    expect(read(Buffer.concat([sectionHeader(), interfaceBlock(1), simple])).seen[0]![0]).toBe('abcde');
  });

  test('obsolete packet blocks', () => {
    const time = [u32(Number(MICROS >> 32n), false), u32(Number(MICROS & 0xffffffffn), false)];
    const body = [u16(0, false), u16(7, false), ...time, u32(3, false), u32(60, false), Buffer.from('abc')];
    const bytes = Buffer.concat([sectionHeader(), interfaceBlock(113), block(2, Buffer.concat(body))]);
    expect(read(bytes).seen).toEqual([['abc', 60, 113, 1_700_000_000, 123_456]]);
  });

  test('every other block is skipped by its length', () => {
    const others = [4, 5, 10, 0x0bad, 0x40000bad, 0x80000001].map((type) => block(type, Buffer.alloc(100, 0xee)));
    const bytes = Buffer.concat([sectionHeader(), ...others, interfaceBlock(1), enhancedPacket(0, MICROS, frame('x'))]);
    expect(read(bytes).seen.map(([octets]) => octets)).toEqual(['x']);
  });

  test('a skipped block larger than any kept one is not kept either', () => {
    const huge = block(10, Buffer.alloc(2_000_000));
    const bytes = Buffer.concat([sectionHeader(), interfaceBlock(1), huge, enhancedPacket(0, MICROS, frame('x'))]);
    expect(read(bytes, 1000).seen.map(([octets]) => octets)).toEqual(['x']);
  });

  test('a block whose writer forgot to count its padding is read', () => {
    const bytes = Buffer.concat([sectionHeader(), interfaceBlock(1), enhancedPacket(0, MICROS, frame('abc'))]);
    const at = bytes.length - 36;
    bytes.writeUInt32LE(35, at + 4);
    bytes.writeUInt32LE(35, at + 32);
    expect(read(bytes).seen[0]![0]).toBe('abc');
  });
});

describe('interfaces and sections', () => {
  test('each interface has its own link type and clock', () => {
    const bytes = Buffer.concat([
      sectionHeader(),
      interfaceBlock(1, false, tsresol(9)),
      interfaceBlock(101, false, tsresol(0x80 | 20)),
      interfaceBlock(113, false, tsresol(0)),
      enhancedPacket(0, 1_700_000_000_123_456_789n, frame('nano')),
      enhancedPacket(1, (1_700_000_000n << 20n) | (1n << 19n), frame('binary')),
      enhancedPacket(2, 1_700_000_000n, frame('seconds')),
    ]);
    expect(read(bytes).seen).toEqual([
      ['nano', 4, 1, 1_700_000_000, 123_456],
      ['binary', 6, 101, 1_700_000_000, 500_000],
      ['seconds', 7, 113, 1_700_000_000, 0],
    ]);
  });

  test('if_tsoffset is added', () => {
    const offset = Buffer.alloc(8);
    offset.writeBigInt64LE(1_000_000_000n);
    const on = interfaceBlock(1, false, pcapngOption(14, offset));
    const bytes = Buffer.concat([sectionHeader(), on, enhancedPacket(0, 700_000_000_000_001n, frame('x'))]);
    expect(read(bytes).seen[0]!.slice(3)).toEqual([1_700_000_000, 1]);
  });

  test('a section in the other byte order starts with no interfaces', () => {
    const first = [sectionHeader(false), interfaceBlock(1, false), enhancedPacket(0, MICROS, frame('little'), false)];
    const second = [sectionHeader(true), interfaceBlock(101, true), enhancedPacket(0, MICROS, frame('big'), true)];
    const bytes = Buffer.concat([...first, ...second]);
    expect(read(bytes).seen.map(([octets, , link]) => [octets, link])).toEqual([
      ['little', 1],
      ['big', 101],
    ]);
    const { records, error } = readDamaged(Buffer.concat([...first, second[0]!, second[2]!]));
    expect(records.seen).toHaveLength(1);
    expect(error.message).toMatch(/names interface 0, which was not described/);
  });

  test('split at every byte gives the same records', () => {
    const bytes = Buffer.concat([
      sectionHeader(true),
      interfaceBlock(1, true),
      block(5, Buffer.alloc(40), true),
      enhancedPacket(0, MICROS, frame('abc'), true),
      sectionHeader(false),
      interfaceBlock(9, false),
      enhancedPacket(0, MICROS, frame('defgh'), false),
    ]);
    const whole = read(bytes).seen;
    expect(whole).toHaveLength(2);
    for (let chunk = 1; chunk < bytes.length; chunk++) expect(read(bytes, chunk).seen).toEqual(whole);
  });
});

describe('damage is an error that names the byte, after everything before it', () => {
  const good = Buffer.concat([sectionHeader(), interfaceBlock(1), enhancedPacket(0, MICROS, frame('good'))]);

  test('cut short anywhere inside the last block', () => {
    const last = enhancedPacket(0, MICROS, frame('lost'));
    for (let length = 1; length < last.length; length++) {
      const { records, error } = readDamaged(Buffer.concat([good, last.subarray(0, length)]));
      expect(records.seen.map(([octets]) => octets)).toEqual(['good']);
      expect(error.message).toMatch(/^cut short/);
      expect(error.offset).toBe(good.length);
    }
  });

  test('cut short inside a skipped block', () => {
    const skipped = block(5, Buffer.alloc(100));
    const { error } = readDamaged(Buffer.concat([good, skipped.subarray(0, 60)]));
    expect(error.message).toBe(`cut short: a block lacks 52 octets at byte ${good.length + 60}`);
  });

  test.each([
    ['a length below the smallest block', 4, u32(8, false), /claims 8 octets/],
    ['a length beyond any packet block', 4, u32(0x7ffffff0, false), /claims 2147483632 octets/],
    ['two lengths that differ', 32, u32(40, false), /ends with the length 40/],
    ['a frame longer than its block', 20, u32(5, false), /claims a frame of 5/],
    ['an interface that was not described', 8, u32(1, false), /names interface 1/],
  ])('%s', (_what, at, value, message) => {
    const bad = enhancedPacket(0, MICROS, frame('lost'));
    value.copy(bad, at);
    const { records, error } = readDamaged(Buffer.concat([good, bad]));
    expect(records.seen).toHaveLength(1);
    expect(error.message).toMatch(message);
    expect(error.offset).toBe(good.length);
  });

  test('a section header without its byte-order magic', () => {
    const bad = sectionHeader();
    bad[8] = 0;
    expect(readDamaged(bad).error.message).toMatch(/no byte-order magic at byte 0/);
  });
});

describe('secrets', () => {
  const TLS = 0x544c534b;
  const log = 'SERVER_HANDSHAKE_TRAFFIC_SECRET 00';
  const packet = enhancedPacket(0, MICROS, frame('x'));

  test.each([false, true])('of every section and wherever they are, big endian %s', (big) => {
    const section = (text: string) => [
      sectionHeader(big),
      interfaceBlock(1, big),
      enhancedPacket(0, MICROS, frame('x'), big),
      decryptionSecrets(TLS, Buffer.from(text), big),
      enhancedPacket(0, MICROS, frame('y'), big),
    ];
    const bytes = Buffer.concat([
      ...section(log),
      ...section(`${log}1`),
      decryptionSecrets(TLS, Buffer.from('z'), big),
    ]);
    const expected = { frames: ['x', 'y', 'x', 'y'], logs: [log, `${log}1`, 'z'] };
    for (const chunk of [1, 2, 3, 7, 64, bytes.length]) expect(readKeyLogs(bytes, chunk)).toEqual(expected);
  });

  test('are their own octets, without padding and options', () => {
    const comment = pcapngOption(1, Buffer.from('comment'));
    const body = Buffer.concat([u32(TLS, false), u32(5, false), Buffer.from('abcde\0\0\0'), comment]);
    expect(readKeyLogs(Buffer.concat([sectionHeader(), block(10, body)]))).toEqual({ frames: [], logs: ['abcde'] });
  });

  test('of other protocols are passed over', () => {
    const wireGuard = decryptionSecrets(0x57474b4c, Buffer.from('LOCAL_STATIC_PRIVATE_KEY = …'));
    const bytes = Buffer.concat([sectionHeader(), interfaceBlock(1), wireGuard, packet]);
    expect(readKeyLogs(bytes)).toEqual({ frames: ['x'], logs: [] });
  });

  test('may be more than what any other block may hold', () => {
    const secrets = decryptionSecrets(TLS, Buffer.alloc(2_000_000, 'a'));
    const { frames, logs } = readKeyLogs(Buffer.concat([sectionHeader(), interfaceBlock(1), secrets, packet]), 65_536);
    expect([frames, logs.map(({ length }) => length)]).toEqual([['x'], [2_000_000]]);
  });

  test('that claim more than their block are damage', () => {
    const body = Buffer.concat([u32(TLS, false), u32(9, false), Buffer.alloc(8)]);
    const bytes = Buffer.concat([sectionHeader(), block(10, body)]);
    expect(() => readKeyLogs(bytes)).toThrow('damaged: a secrets block of 28 octets claims 9 of secrets at byte 28');
    expect(() => readKeyLogs(Buffer.concat([sectionHeader(), block(10, Buffer.alloc(4))]))).toThrow(
      'damaged: a secrets block is too short at byte 28',
    );
  });
});
