import { describe, expect, it } from 'vitest';

import { isFault } from '../../src/bytes/fault.ts';
import { toHex } from '../../src/bytes/hex.ts';
import type { KeyExchange } from '../../src/tls/cipher-suites.ts';
import { parseServerKeyExchange, type ServerKeyExchange } from '../../src/tls/server-key-exchange.ts';

const ecdhe = '03' + '001d' + '04' + 'b0b1b2b3';
const dhe = '0002' + 'aaaa' + '0001' + '02' + '0002' + 'bbbb';
const exported = '0002' + 'cccc' + '0001' + '03';
const signature = '0003' + 'f1f2f3';

function parse(hex: string, exchange: KeyExchange, version = 0x0303) {
  const parsed = parseServerKeyExchange(Buffer.from(hex, 'hex'), exchange, version);
  if (isFault(parsed)) return parsed.code;
  const { params, scheme, signature: signed } = parsed satisfies ServerKeyExchange;
  return [toHex(params), scheme, toHex(signed)];
}

describe('ServerKeyExchange', () => {
  it.each([
    ['ecdhe', ecdhe],
    ['dhe', dhe],
    ['rsa-export', exported],
  ] as const)('%s: the parameters are what is signed', (exchange, params) => {
    expect(parse(`${params}0804${signature}`, exchange)).toEqual([params, 0x0804, 'f1f2f3']);
  });

  it('before TLS 1.2 names no scheme', () => {
    for (const version of [0x0300, 0x0301, 0x0302]) {
      expect(parse(ecdhe + signature, 'ecdhe', version)).toEqual([ecdhe, 0, 'f1f2f3']);
    }
    expect(parse(ecdhe + signature, 'ecdhe', 0x0303)).toBe('tls.server-key-exchange.syntax');
    expect(parse(`${ecdhe}0804${signature}`, 'ecdhe', 0x0302)).toBe('tls.server-key-exchange.syntax');
  });

  it('on an explicit curve is not supported (RFC 8422 §5.4)', () => {
    expect(parse(`01${ecdhe.slice(2)}0804${signature}`, 'ecdhe')).toBe('tls.server-key-exchange.curve-type');
  });

  it('cut at any octet, or with octets behind it, is refused', () => {
    const whole = `${ecdhe}0804${signature}`;
    for (let length = 0; length < whole.length; length += 2) {
      expect(parse(whole.slice(0, length), 'ecdhe')).toMatch(/^tls\.server-key-exchange\./);
    }
    expect(parse(`${whole}00`, 'ecdhe')).toBe('tls.server-key-exchange.syntax');
  });

  it('where none is due is unexpected', () => {
    for (const exchange of ['static', 'anonymous', 'psk', 'tls13', 'unknown'] as const) {
      expect(parse(ecdhe, exchange)).toBe('tls.server-key-exchange.unexpected');
    }
  });
});
