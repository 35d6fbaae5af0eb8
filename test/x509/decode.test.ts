import { OctetString } from 'asn1js';
import { describe, expect, it } from 'vitest';
import { BasicConstraints, ExtKeyUsage } from 'pkijs';
import { decode, decodeAs } from '../../src/x509/decode.ts';

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'));
const basic = (hex: string) => decodeAs(bytes(hex), BasicConstraints);

describe('decodeAs', () => {
  it.each([
    ['an empty one', '3000', false, undefined],
    ['a CA', '30030101ff', true, undefined],
    ['a CA with a path length', '30060101ff020100', true, 0],
  ])('reads %s', (_what, hex, cA, pathLenConstraint) => {
    const value = basic(hex);
    expect([value?.cA, value?.pathLenConstraint]).toEqual([cA, pathLenConstraint]);
  });

  it.each([
    ['octets that follow', '30030101ff00'],
    ['a value that follows inside', '30060101ff010100'],
    ['values out of their order', '30060201000101ff'],
    ['a truth that is not 0xff', '3003010101'],
    ['a truth of two octets', '30040102ffff'],
    ['a default that is spelled out', '3003010100'],
    ['a longer length than needed', '30810301 01ff'.replace(' ', '')],
    ['an indefinite length', '30800101ff0000'],
    ['a number with a leading zero', '30070101ff02020000'],
    ['another type', '0101ff'],
    ['nothing', ''],
    ['what is cut short', '300301'],
  ])('refuses %s', (_what, hex) => {
    expect(basic(hex)).toBeNull();
  });

  it('refuses what is longer than anybody needs', () => {
    const purpose = '06082b06010505070301';
    const usage = (count: number) => {
      const content = purpose.repeat(count);
      return decodeAs(bytes(`3082${(content.length / 2).toString(16).padStart(4, '0')}${content}`), ExtKeyUsage);
    };
    expect(usage(100)?.keyPurposes).toHaveLength(100);
    expect(usage(250)).toBeNull();
  });
});

describe('decode', () => {
  it('leaves what an OCTET STRING holds as it is', () => {
    const value = decode(bytes('040430020500'));
    expect(value).toBeInstanceOf(OctetString);
    expect((value as OctetString).valueBlock.value).toEqual([]);
  });

  it('refuses more depth than anybody needs', () => {
    const nested = (depth: number) => {
      let hex = '';
      for (let i = 0; i < depth; i++) hex = `30${(hex.length / 2).toString(16).padStart(2, '0')}${hex}`;
      return bytes(hex);
    };
    expect(decode(nested(20))).not.toBeNull();
    expect(decode(nested(40))).toBeNull();
  });
});
