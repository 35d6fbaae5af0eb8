import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { DerReader, oidText, TAG } from '../../src/x509/der.ts';

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

describe('DerReader', () => {
  it('reads an element in short form', () => {
    const reader = new DerReader(bytes('02 01 05'));
    expect(reader.next()).toEqual({ tag: 0x02, start: 0, content: 2, end: 3 });
    expect(reader.atEnd()).toBe(true);
  });

  it('reads a length of one, two and three octets', () => {
    for (const length of [0x80, 0x100, 0x10000]) {
      const octets = length.toString(16).length > 4 ? 3 : length > 0xff ? 2 : 1;
      const header = Buffer.alloc(2 + octets);
      header[0] = 0x04;
      header[1] = 0x80 | octets;
      header.writeUIntBE(length, 2, octets);
      const reader = new DerReader(Buffer.concat([header, Buffer.alloc(length)]));
      expect(reader.next().end).toBe(2 + octets + length);
      expect(reader.atEnd()).toBe(true);
    }
  });

  it.each([
    ['a leading zero octet', `04 82 00 80 ${'00'.repeat(0x80)}`],
    ['the long form where the short one is enough', `04 81 7f ${'00'.repeat(0x7f)}`],
  ])('reads a length with %s, as clients do', (_what, hex) => {
    const reader = new DerReader(bytes(hex));
    reader.next();
    expect(reader.atEnd()).toBe(true);
  });

  it.each([
    ['the indefinite form', '30 80 00 00'],
    ['a reserved length', '04 ff'],
    ['a length of more octets than a message can have', '04 84 00 00 00 01 00'],
    ['a high tag number', '1f 01 00'],
    ['a content that is not there', '04 02 00'],
    ['a length that is not there', '04 82 01'],
    ['a tag alone', '04'],
    ['nothing', ''],
  ])('refuses %s', (_what, hex) => {
    const reader = new DerReader(bytes(hex));
    expect(reader.next().end).toBe(0);
    expect(reader.ok).toBe(false);
  });

  it('stays failed, in the reader it came of too', () => {
    const top = new DerReader(bytes('30 03 02 01 05'));
    const inside = top.enter(TAG.sequence);
    inside.expect(TAG.oid);
    expect(inside.expect(TAG.integer).end).toBe(0);
    expect(top.ok).toBe(false);
  });

  it('cannot leave the element that it is inside of', () => {
    const top = new DerReader(bytes('30 02 04 02 00 00'));
    const inside = top.enter(TAG.sequence);
    inside.next();
    expect(top.ok).toBe(false);
  });

  it('refuses octets that are left over', () => {
    const top = new DerReader(bytes('30 03 02 01 05 00'));
    top.enter(TAG.sequence).next();
    top.finish();
    expect(top.ok).toBe(false);
  });

  it('goes no deeper than its limit', () => {
    let nested = bytes('05 00');
    for (let i = 0; i < 60; i++) nested = new Uint8Array([0x30, nested.length, ...nested]);
    let reader = new DerReader(nested);
    for (let i = 0; i < 60; i++) reader = reader.enter(TAG.sequence);
    expect(reader.ok).toBe(false);
  });

  it('never throws and never reads outside', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (input) => {
        const reader = new DerReader(input);
        while (reader.more()) {
          const element = reader.next();
          expect(element.end).toBeLessThanOrEqual(input.length);
          reader.inside(element).next();
        }
      }),
    );
  });
});

describe('oidText', () => {
  it.each([
    ['2a864886f70d010101', '1.2.840.113549.1.1.1'],
    ['2b6570', '1.3.101.112'],
    ['550403', '2.5.4.3'],
    ['883703', '2.999.3'],
  ])('%s is %s', (hex, text) => {
    expect(oidText(bytes(hex))).toBe(text);
  });

  it.each([
    ['nothing', ''],
    ['an arc that does not end', '2a86'],
    ['an arc with a leading zero septet', '2a8001'],
    ['an arc beyond any use', '2affffffffffffffffff7f'],
    ['more octets than any use', '2a'.repeat(65)],
  ])('refuses %s', (_what, hex) => {
    expect(oidText(bytes(hex))).toBeUndefined();
  });
});
