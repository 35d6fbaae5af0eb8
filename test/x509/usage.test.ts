import { BitString, Integer } from 'asn1js';
import fc from 'fast-check';
import { BasicConstraints, ExtKeyUsage } from 'pkijs';
import { describe, expect, it } from 'vitest';

import { isStrongAlgorithm } from '../../src/x509/algorithm.ts';
import { readBasicConstraints, readKeyCertSign, readPurposes } from '../../src/x509/usage.ts';
import { element } from '../support/mint.ts';
import { decode, decodeAs } from '../support/pkijs-oracle.ts';

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'));
const basic = (hex: string) => readBasicConstraints(bytes(hex));

describe('basicConstraints', () => {
  it.each([
    ['of an empty one', '3000', false, Infinity],
    ['of a CA', '30030101ff', true, Infinity],
    ['of a CA with a path length', '30060101ff020100', true, 0],
    ['of a CA with a long path length', '30070101ff02020101', true, 257],
    ['of a CA with a path length beyond all', '300a0101ff02057fffffffff', true, Infinity],
    ['of a CA with a negative path length', '30060101ff0201ff', true, -1],
    ['of a path length alone', '3003020100', false, Infinity],
  ])('%s', (_what, hex, isCa, pathLen) => {
    expect(basic(hex)).toEqual({ isCa, pathLen });
  });

  it.each([
    ['octets that follow', '30030101ff00'],
    ['a value that follows inside', '30060101ff010100'],
    ['values out of their order', '30060201000101ff'],
    ['a truth that is not 0xff', '3003010101'],
    ['a truth of two octets', '30040102ffff'],
    ['a default that is spelled out', '3003010100'],
    ['a longer length than needed', '3081030101ff'],
    ['an indefinite length', '30800101ff0000'],
    ['a number with a leading zero', '30070101ff02020000'],
    ['a number without an octet', '30050101ff0200'],
    ['another type', '0101ff'],
    ['nothing', ''],
    ['what is cut short', '300301'],
  ])('with %s are no CA', (_what, hex) => {
    expect(basic(hex).isCa).toBe(false);
  });
});

describe('keyUsage', () => {
  it.each([
    ['keyCertSign', '03020204', true],
    ['keyCertSign and cRLSign', '03020106', true],
    ['digitalSignature', '03020780', false],
    ['decipherOnly too', '0303070480', true],
    ['no bit', '030100', false],
    ['more unused bits than there are', '03020904', false],
    ['octets that follow', '0302020400', false],
    ['a constructed string', '230403020204', false],
  ])('%s', (_what, hex, signs) => {
    expect(readKeyCertSign(bytes(hex))).toBe(signs);
  });
});

describe('extKeyUsage', () => {
  it('is a list of purposes, all of which are well formed', () => {
    expect(readPurposes(bytes('301406082b0601050507030106082b06010505070302'))).toEqual([
      '1.3.6.1.5.5.7.3.1',
      '1.3.6.1.5.5.7.3.2',
    ]);
    expect(readPurposes(bytes('300c06082b06010505070301060180'))).toEqual([]);
    expect(readPurposes(bytes('300c06082b0601050507030105 00'.replace(' ', '')))).toEqual([]);
    expect(readPurposes(bytes('300a06082b0601050507030100'))).toEqual([]);
  });
});

describe('an algorithm is strong', () => {
  const digest = (last: string) => element(0x30, bytes(`060960864801650304020${last}`), bytes('0500'));
  const SHA1 = bytes('300906052b0e03021a0500');
  const mgf1 = (hash: Uint8Array) => element(0x30, bytes('06092a864886f70d010108'), hash);
  const pss = (...fields: Uint8Array[]) =>
    isStrongAlgorithm(element(0x30, bytes('06092a864886f70d01010a'), element(0x30, ...fields)));

  it.each([
    ['sha256WithRSAEncryption', '300d06092a864886f70d01010b0500', true],
    ['ecdsa-with-SHA384', '300a06082a8648ce3d040303', true],
    ['Ed25519', '300506032b6570', true],
    ['Ed448', '300506032b6571', true],
    ['sha1WithRSAEncryption', '300d06092a864886f70d0101050500', false],
    ['md5WithRSAEncryption', '300d06092a864886f70d0101040500', false],
    ['ecdsa-with-SHA1', '300906072a8648ce3d0401', false],
    ['something behind its parameters', '300f06092a864886f70d01010b05000500', false],
    ['nothing', '', false],
  ])('%s', (_what, hex, strong) => {
    expect(isStrongAlgorithm(bytes(hex))).toBe(strong);
  });

  it('of RSASSA-PSS where both of its hashes are', () => {
    const sha256 = digest('1');
    const salt = element(0xa2, bytes('020120'));
    expect(pss(element(0xa0, sha256), element(0xa1, mgf1(sha256)), salt)).toBe(true);
    expect(pss(element(0xa0, digest('3')), element(0xa1, mgf1(digest('2'))))).toBe(true);
    expect(pss(element(0xa0, SHA1), element(0xa1, mgf1(sha256)), salt)).toBe(false);
    expect(pss(element(0xa0, sha256), element(0xa1, mgf1(SHA1)), salt)).toBe(false);
    expect(pss(element(0xa0, sha256), salt)).toBe(false);
    expect(pss(element(0xa1, mgf1(sha256)), salt)).toBe(false);
    expect(pss()).toBe(false);
  });
});

it('of any octets reads what pkijs reads, and writes again as it was', () => {
  const near = (hex: string) =>
    fc
      .array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 })
      .map((changes) => changes.reduce((octets, [at, value]) => octets.with(at % octets.length, value), bytes(hex)));
  const samples = ['3000', '30030101ff', '30060101ff020100', '03020204', '300a06082b06010505070301', '0303070480'];
  fc.assert(
    fc.property(fc.oneof(...samples.map(near), fc.uint8Array({ maxLength: 12 })), (octets) => {
      const constraints = decodeAs(octets, BasicConstraints);
      const { pathLenConstraint: pathLen } = constraints ?? {};
      expect(readBasicConstraints(octets).isCa).toBe(constraints?.cA ?? false);
      if (constraints?.cA === true && !(pathLen instanceof Integer)) {
        const isNegative = readBasicConstraints(octets).pathLen === -1;
        if (!isNegative) expect(readBasicConstraints(octets).pathLen).toBe(pathLen ?? Infinity);
      }
      const bits = decode(octets);
      const isBits = bits instanceof BitString && !bits.idBlock.isConstructed;
      if (readKeyCertSign(octets)) expect(isBits && (bits.valueBlock.valueHexView[0]! & 0x04) !== 0).toBe(true);
      const purposes = readPurposes(octets);
      if (purposes.length > 0) expect(purposes).toEqual(decodeAs(octets, ExtKeyUsage)?.keyPurposes);
    }),
    { numRuns: 5_000 },
  );
});
