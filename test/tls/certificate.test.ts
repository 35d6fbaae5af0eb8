import { describe, expect, it } from 'vitest';

import { isFault } from '../../src/bytes/fault.ts';
import { parseCertificateList } from '../../src/tls/certificate.ts';
import { certificateMessageOf } from '../support/tls-bytes.ts';

const bodyOf = (...certificates: readonly Uint8Array[]) => certificateMessageOf(...certificates).subarray(4);
const codeOf = (body: Uint8Array, most = 16) => {
  const parsed = parseCertificateList(body, most);
  return isFault(parsed) ? parsed.code : undefined;
};
const [A, B] = [Buffer.from('first'), Buffer.from('second')];

describe('a Certificate message', () => {
  it('of literal octets, in wire order', () => {
    const body = Buffer.from('00000a' + '000003aabbcc' + '000001dd', 'hex');
    expect(parseCertificateList(body, 16)).toEqual([Buffer.from('aabbcc', 'hex'), Buffer.from('dd', 'hex')]);
  });

  it('may hold a certificate twice: honest servers do', () => {
    expect(parseCertificateList(bodyOf(A, A, B), 16)).toEqual([A, A, B]);
  });

  it('may hold what is no certificate at all: the octets are taken as they are', () => {
    expect(parseCertificateList(bodyOf(Buffer.from([0])), 16)).toEqual([Buffer.from([0])]);
  });

  it('of more than 64 KiB has 24 bits for its lengths', () => {
    const large = Buffer.alloc(70_000, 7);
    expect((parseCertificateList(bodyOf(large, A), 16) as Uint8Array[]).map((der) => der.length)).toEqual([70_000, 5]);
  });

  it('with an empty list is how a client has none', () => {
    expect(parseCertificateList(Buffer.from('000000', 'hex'), 16)).toEqual([]);
  });
});

describe('a Certificate message that is refused', () => {
  it('is cut at any octet', () => {
    const whole = bodyOf(A, B);
    for (let length = 0; length < whole.length; length++) {
      expect(codeOf(whole.subarray(0, length)), `${length} octets`).toMatch(/^tls\.certificate\.(syntax|empty)$/);
    }
  });

  it('has a list shorter than its body, or a certificate longer than its list', () => {
    expect(codeOf(Buffer.concat([bodyOf(A), Buffer.alloc(1)]))).toBe('tls.certificate.syntax');
    expect(codeOf(Buffer.from('000004' + '000002aa', 'hex'))).toBe('tls.certificate.empty');
    expect(codeOf(Buffer.from('000005' + '000002aabb' + 'cc', 'hex'))).toBe('tls.certificate.syntax');
    expect(codeOf(Buffer.from('000006' + '000002aabb' + 'cc', 'hex'))).toMatch(/^tls\.certificate/);
  });

  it('holds a certificate without octets', () => {
    expect(codeOf(bodyOf(Buffer.alloc(0), A))).toBe('tls.certificate.empty');
    expect(codeOf(bodyOf(A, Buffer.alloc(0)))).toBe('tls.certificate.empty');
  });

  it('holds more certificates than the limit, which is told from an error', () => {
    expect(codeOf(bodyOf(A, A, A), 2)).toBe('tls.certificate.too-many');
    expect(codeOf(bodyOf(A, A), 2)).toBeUndefined();
  });
});
