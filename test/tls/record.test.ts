import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { misbehaved } from '../../src/bytes/fault.ts';
import { toHex } from '../../src/bytes/hex.ts';
import { type RecordConsumer, RecordReader } from '../../src/tls/record.ts';

/** What a reader hands on: `type/version/length@offset` for a header, then the payload. */
class Consumer implements RecordConsumer {
  readonly records: string[] = [];
  #payload = '';
  refuseType = -1;

  onRecordStart(contentType: number, version: number, length: number, at: number) {
    if (contentType === this.refuseType) return misbehaved('refused', at);
    this.records.push(`${contentType}/${version.toString(16)}/${length}@${at}`);
    return undefined;
  }

  onPayload(_contentType: number, bytes: Uint8Array, start: number, end: number, last: boolean) {
    this.#payload += toHex(bytes.subarray(start, end));
    if (last) {
      this.records.push(this.#payload);
      this.#payload = '';
    }
    return undefined;
  }
}

function read(hex: string, size = Infinity): { consumer: Consumer; reader: RecordReader } {
  const bytes = Buffer.from(hex, 'hex');
  const consumer = new Consumer();
  const reader = new RecordReader(consumer);
  for (let at = 0; at < bytes.length; at += size) reader.feed(bytes, at, Math.min(bytes.length, at + size));
  return { consumer, reader };
}

const faultOf = (hex: string) => read(hex).reader.fault;

describe('records', () => {
  it('one after the other, with the offsets of their headers', () => {
    const { consumer, reader } = read('1603030003aabbcc' + '1503030002022a');
    expect(consumer.records).toEqual(['22/303/3@0', 'aabbcc', '21/303/2@8', '022a']);
    expect([reader.fault, reader.atBoundary]).toEqual([undefined, true]);
  });

  it('are the same however the stream is cut', () => {
    const stream = '1603010003aabbcc' + '140303000101' + '1703030000' + '1603ff0001dd';
    const whole = read(stream).consumer.records;
    for (let size = 1; size < stream.length / 2; size++) expect(read(stream, size).consumer.records).toEqual(whole);
  });

  it('of any version 3.x: the field has to be ignored (RFC 8446 §5.1)', () => {
    for (const minor of ['00', '01', '02', '03', '04', '7f', 'ff']) {
      expect(read(`1603${minor}0001aa`).consumer.records).toEqual([`22/3${minor}/1@0`, 'aa']);
    }
  });

  it('of application data may be empty', () => {
    expect(read('1703030000' + '1703030001aa').consumer.records).toEqual(['23/303/0@0', '23/303/1@5', 'aa']);
  });

  it('of 2^14 + 2048 octets are the longest', () => {
    expect(faultOf('1703034800')).toBeUndefined();
    expect(faultOf('1703034801')).toEqual({ family: 'malformed', code: 'tls.record.overflow', at: 0 });
    expect(faultOf('170303ffff')).toMatchObject({ code: 'tls.record.overflow' });
  });
});

describe('a boundary', () => {
  it('is where the next octet begins a record', () => {
    const bytes = Buffer.from('1603030002aabb', 'hex');
    const reader = new RecordReader(new Consumer());
    const boundaries = [reader.atBoundary];
    for (let at = 0; at < bytes.length; at++) {
      reader.feed(bytes, at, at + 1);
      boundaries.push(reader.atBoundary);
    }
    expect(boundaries).toEqual([true, false, false, false, false, false, false, true]);
  });
});

describe('what is no record', () => {
  it('has another major version', () => {
    expect(faultOf('1602000001aa')).toEqual({ family: 'malformed', code: 'tls.record.version', at: 0 });
    expect(faultOf('1604030001aa')).toMatchObject({ code: 'tls.record.version' });
  });

  it('has a content type that nobody assigned', () => {
    for (const type of ['00', '13', '19', '80', 'ff']) {
      expect(faultOf(`${type}03030001aa`)).toMatchObject({ family: 'unsupported', code: 'tls.record.type' });
    }
  });

  it('is empty, where that is not allowed (RFC 8446 §5.1)', () => {
    for (const type of ['14', '15', '16', '18']) {
      expect(faultOf(`${type}03030000`)).toMatchObject({ family: 'malformed', code: 'tls.record.empty' });
    }
  });

  it('ends the stream: nothing after it is read', () => {
    const { consumer, reader } = read('1603030001aa' + '1603030000' + '1603030001bb');
    expect(consumer.records).toEqual(['22/303/1@0', 'aa']);
    expect(reader.fault).toMatchObject({ code: 'tls.record.empty', at: 6 });
  });

  it('is what its reader refuses', () => {
    const consumer = new Consumer();
    consumer.refuseType = 21;
    const reader = new RecordReader(consumer);
    const bytes = Buffer.from('1603030001aa' + '1503030002022a', 'hex');
    reader.feed(bytes, 0, bytes.length);
    expect(reader.fault).toEqual({ family: 'misbehaved', code: 'refused', at: 6 });
  });
});

it('any octets in any pieces: the same records and the same fault as in one piece', () => {
  const octets = fc.array(fc.oneof(fc.constantFrom(0x16, 0x15, 0x14, 0x17, 3, 0, 1, 2, 5), fc.nat(255)), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(octets, fc.integer({ min: 1, max: 7 }), (list, size) => {
      const hex = Buffer.from(list).toString('hex');
      const [whole, cut] = [read(hex), read(hex, size)];
      expect(cut.consumer.records).toEqual(whole.consumer.records);
      expect(cut.reader.fault).toEqual(whole.reader.fault);
      expect(cut.reader.atBoundary).toBe(whole.reader.atBoundary);
    }),
  );
});
