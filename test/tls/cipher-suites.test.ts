import { describe, expect, it } from 'vitest';

import { authenticationOf, cipherSuiteName, keyExchangeOf } from '../../src/tls/cipher-suites.ts';

describe('cipher suites', () => {
  it.each([
    [0x0000, 'TLS_NULL_WITH_NULL_NULL', 'static', ''],
    [0x0003, 'TLS_RSA_EXPORT_WITH_RC4_40_MD5', 'rsa-export', 'rsa'],
    [0x000a, 'TLS_RSA_WITH_3DES_EDE_CBC_SHA', 'static', 'rsa'],
    [0x0016, 'TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA', 'dhe', 'rsa'],
    [0x001b, 'TLS_DH_anon_WITH_3DES_EDE_CBC_SHA', 'anonymous', ''],
    [0x001e, 'TLS_KRB5_WITH_DES_CBC_SHA', 'static', ''],
    [0x002f, 'TLS_RSA_WITH_AES_128_CBC_SHA', 'static', 'rsa'],
    [0x0032, 'TLS_DHE_DSS_WITH_AES_128_CBC_SHA', 'dhe', 'dss'],
    [0x0046, 'TLS_DH_anon_WITH_CAMELLIA_128_CBC_SHA', 'anonymous', ''],
    [0x006d, 'TLS_DH_anon_WITH_AES_256_CBC_SHA256', 'anonymous', ''],
    [0x008c, 'TLS_PSK_WITH_AES_128_CBC_SHA', 'psk', ''],
    [0x0094, 'TLS_RSA_PSK_WITH_AES_128_CBC_SHA', 'psk', ''],
    [0x009c, 'TLS_RSA_WITH_AES_128_GCM_SHA256', 'static', 'rsa'],
    [0x009f, 'TLS_DHE_RSA_WITH_AES_256_GCM_SHA384', 'dhe', 'rsa'],
    [0x00c6, 'TLS_SM4_GCM_SM3', 'tls13', ''],
    [0x1301, 'TLS_AES_128_GCM_SHA256', 'tls13', ''],
    [0x1305, 'TLS_AES_128_CCM_8_SHA256', 'tls13', ''],
    [0xc004, 'TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA', 'static', 'ecdsa'],
    [0xc00a, 'TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA', 'ecdhe', 'ecdsa'],
    [0xc013, 'TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA', 'ecdhe', 'rsa'],
    [0xc019, 'TLS_ECDH_anon_WITH_AES_256_CBC_SHA', 'anonymous', ''],
    [0xc01d, 'TLS_SRP_SHA_WITH_AES_128_CBC_SHA', 'psk', ''],
    [0xc02b, 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'ecdhe', 'ecdsa'],
    [0xc030, 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'ecdhe', 'rsa'],
    [0xc09c, 'TLS_RSA_WITH_AES_128_CCM', 'static', 'rsa'],
    [0xc0af, 'TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8', 'ecdhe', 'ecdsa'],
    [0xcca8, 'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', 'ecdhe', 'rsa'],
    [0xccaa, 'TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256', 'dhe', 'rsa'],
    [0xd005, 'TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256', 'psk', ''],
  ])('%s', (suite, name, exchange, authentication) => {
    expect([cipherSuiteName(suite), keyExchangeOf(suite), authenticationOf(suite)]).toEqual([
      name,
      exchange,
      authentication,
    ]);
  });

  it('without a name stay numbers, and say nothing', () => {
    for (const suite of [0x001c, 0x0a0a, 0x5600, 0xd004, 0xffff]) {
      expect([cipherSuiteName(suite), keyExchangeOf(suite), authenticationOf(suite)]).toEqual([
        undefined,
        'unknown',
        '',
      ]);
    }
  });
});
