import { describe, expect, it } from 'vitest';

import { CertificateCache } from '../../src/x509/certificate-cache.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { certificate } from '../support/certificates.ts';

describe('certificates that come again', () => {
  it('are the same object, whatever buffer they lie in', () => {
    const cache = new CertificateCache();
    const first = cache.present(certificate('leaf'));
    expect(first).toEqual(presentCertificate(certificate('leaf')));
    expect(cache.present(new Uint8Array(certificate('leaf')))).toBe(first);
    expect(cache.present(certificate('forged'))).not.toBe(first);
  });

  it('are told apart by any bit', () => {
    const cache = new CertificateCache();
    const der = new Uint8Array(certificate('leaf'));
    const { sha256 } = cache.present(der);
    for (let at = 0; at < der.length; at++) {
      der[at]! ^= 0x80;
      expect(cache.present(der).sha256).not.toBe(sha256);
      der[at]! ^= 0x80;
    }
  });

  it('are kept apart from the buffer that they came in', () => {
    const cache = new CertificateCache();
    const der = new Uint8Array(certificate('leaf'));
    const presented = cache.present(der);
    der.fill(0);
    expect(presented).toEqual(presentCertificate(certificate('leaf')));
    expect(cache.present(der)).not.toBe(presented);
  });

  it('are forgotten behind as many others', () => {
    const cache = new CertificateCache();
    const first = cache.present(certificate('leaf'));
    for (let i = 0; i < 1100; i++) cache.present(Uint8Array.of(i >> 8, i));
    expect(cache.present(certificate('leaf'))).not.toBe(first);
  });

  it('of megabytes push nobody out', () => {
    const cache = new CertificateCache();
    const first = cache.present(certificate('leaf'));
    for (let i = 0; i < 100; i++) cache.present(new Uint8Array(100_000).fill(i));
    expect(cache.present(certificate('leaf'))).toBe(first);
  });
});
