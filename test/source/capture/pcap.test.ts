import { describe, expect, test } from 'vitest';

import { CaptureError } from '../../../src/source/capture/record.ts';
import type { RecordSink } from '../../../src/source/capture/record.ts';
import { PcapReader } from '../../../src/source/capture/pcap.ts';
import { pcap, u32 } from '../../support/capture-bytes.ts';
import type { PcapOptions } from '../../support/capture-bytes.ts';

const FRAMES = [
  { octets: Buffer.from('first'), seconds: 1_700_000_000, fraction: 123_456 },
  { octets: Buffer.alloc(0), seconds: 1_700_000_001, fraction: 0 },
  { octets: Buffer.from('the third frame'), seconds: 1_700_000_002, fraction: 999_999, originalLength: 1500 },
];

/** `[octets, original length, link type, seconds, microseconds]` of every record. */
class Records implements RecordSink {
  readonly seen: [string, number, number, number, number][] = [];
  chunks = 0;

  onRecord(bytes: Buffer, start: number, end: number, original: number, link: number, sec: number, us: number): void {
    this.seen.push([bytes.toString('latin1', start, end), original, link, sec, us]);
  }

  onChunkEnd(): void {
    this.chunks++;
  }
}

function read(bytes: Buffer, chunk = bytes.length, byPackage = false): Records {
  const records = new Records();
  const reader = new PcapReader(records, byPackage);
  for (let at = 0; at < bytes.length; at += chunk) reader.write(bytes.subarray(at, at + chunk));
  reader.end();
  return records;
}

/** The records before the error, and the error. */
function readDamaged(bytes: Buffer): { records: Records; error: CaptureError } {
  const records = new Records();
  const reader = new PcapReader(records);
  try {
    reader.write(bytes);
    reader.end();
  } catch (error) {
    if (error instanceof CaptureError) return { records, error };
    throw error;
  }
  throw new Error('no error');
}

const EXPECTED = [
  ['first', 5, 1, 1_700_000_000, 123_456],
  ['', 0, 1, 1_700_000_001, 0],
  ['the third frame', 1500, 1, 1_700_000_002, 999_999],
];

describe('variants', () => {
  const variants: PcapOptions[] = [
    {},
    { bigEndian: true },
    { isModified: true },
    { isModified: true, bigEndian: true },
  ];
  test.each(variants)('microseconds, %j', (options) => {
    expect(read(pcap(FRAMES, options)).seen).toEqual(EXPECTED);
  });

  test.each(variants)('by the pcap-parser package, %j', (options) => {
    const bytes = pcap(FRAMES, options);
    expect(read(bytes, bytes.length, true).seen).toEqual(EXPECTED);
    expect(read(bytes, 7, true).seen).toEqual(EXPECTED);
  });

  test.each(variants.filter(({ isModified }) => !isModified))('nanoseconds, %j, are cut to microseconds', (options) => {
    const frames = FRAMES.map((frame) => ({ ...frame, fraction: frame.fraction * 1000 + 789 }));
    expect(read(pcap(frames, { ...options, nano: true })).seen).toEqual(EXPECTED);
  });

  test('the upper bits of the link type, which tell of a frame check sequence, are not part of it', () => {
    expect(read(pcap(FRAMES.slice(0, 1), { linkType: 0xf0000071 })).seen[0]![2]).toBe(113);
  });

  test('split at every byte gives the same records', () => {
    for (const options of [{}, { bigEndian: true, nano: true }]) {
      const bytes = pcap(FRAMES, options);
      const whole = read(bytes).seen;
      for (let chunk = 1; chunk < bytes.length; chunk++) expect(read(bytes, chunk).seen).toEqual(whole);
    }
  });
});

describe('damage is an error that names the byte, after everything before it', () => {
  test.each([
    ['inside the octets of a record', 3],
    ['inside the header of a record', 20],
  ])('cut short %s', (_where, missing) => {
    const bytes = pcap(FRAMES);
    const { records, error } = readDamaged(bytes.subarray(0, bytes.length - missing));
    expect(records.seen).toEqual(EXPECTED.slice(0, 2));
    expect(error.message).toMatch(/^cut short: .* at byte 61$/);
    expect(error.offset).toBe(61);
  });

  test('cut short inside the file header', () => {
    expect(readDamaged(pcap([]).subarray(0, 23)).error.message).toMatch(/^cut short/);
  });

  test('a length beyond any snap length is not waited for', () => {
    const bytes = pcap(FRAMES);
    u32(262_145, false).copy(bytes, 61 + 8);
    const { records, error } = readDamaged(bytes);
    expect(records.seen).toEqual(EXPECTED.slice(0, 2));
    expect(error.message).toBe('damaged: a record claims 262145 octets (at most 262144) at byte 61');
  });

  test('another major version is refused', () => {
    const bytes = pcap([]);
    bytes[4] = 3;
    expect(readDamaged(bytes).error.message).toBe('unsupported: pcap version 3 at byte 4');
  });
});

test('a file without records is whole', () => {
  expect(read(pcap([])).seen).toEqual([]);
});

test('recognises its four magics and nothing else', () => {
  const variants: PcapOptions[] = [{}, { bigEndian: true }, { nano: true }, { bigEndian: true, nano: true }];
  for (const options of variants) expect(PcapReader.recognises(pcap([], options))).toBe(true);
  for (const head of ['0a0d0d0a', '1f8b0800', '00000000', 'a1b2']) {
    expect(PcapReader.recognises(Buffer.from(head, 'hex'))).toBe(false);
  }
});
