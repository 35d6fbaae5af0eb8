import { expect, test } from 'vitest';

import { cipherSuiteName } from '../../src/report/cipher-suites.ts';

test.each([
  [0x0000, 'TLS_NULL_WITH_NULL_NULL'],
  [0x0004, 'TLS_RSA_WITH_RC4_128_MD5'],
  [0x0034, 'TLS_DH_anon_WITH_AES_128_CBC_SHA'],
  [0x009f, 'TLS_DHE_RSA_WITH_AES_256_GCM_SHA384'],
  [0x00ff, 'TLS_EMPTY_RENEGOTIATION_INFO_SCSV'],
  [0x1301, 'TLS_AES_128_GCM_SHA256'],
  [0xc022, 'TLS_SRP_SHA_DSS_WITH_AES_256_CBC_SHA'],
  [0xc02f, 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'],
  [0xc0ab, 'TLS_PSK_DHE_WITH_AES_256_CCM_8'],
  [0xccae, 'TLS_RSA_PSK_WITH_CHACHA20_POLY1305_SHA256'],
  [0x010080, 'SSL_CK_RC4_128_WITH_MD5'],
])('%i is %s', (cipherSuite, name) => {
  expect(cipherSuiteName(cipherSuite)).toBe(name);
});

test('a suite without a name is its number', () => {
  expect(cipherSuiteName(0xacad)).toBe('0xacad');
  expect(cipherSuiteName(0x002b1)).toBe('0x02b1');
});
