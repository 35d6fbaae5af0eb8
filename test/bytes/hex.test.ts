import { expect, it } from 'vitest';

import { isFault, malformed, misbehaved, unsupported } from '../../src/bytes/fault.ts';
import { fromHex, toColonHex, toHex } from '../../src/bytes/hex.ts';

it('writes two lower-case digits an octet, of a view as of a whole', () => {
  const bytes = Uint8Array.of(0xff, 0x00, 0x0a, 0xbc);
  expect(toHex(bytes)).toBe('ff000abc');
  expect(toHex(bytes.subarray(1, 3))).toBe('000a');
  expect(toColonHex(bytes)).toBe('ff:00:0a:bc');
  expect(toColonHex(new Uint8Array(0))).toBe('');
});

it('reads either case, colons and blanks', () => {
  for (const text of ['DEADbeef', 'de:ad:be:ef', ' de ad\tbe\nef ', 'DE:AD be:ef']) {
    expect(toHex(fromHex(text)!)).toBe('deadbeef');
  }
});

it('reads nothing from what is not hexadecimal, has half an octet, or is empty', () => {
  for (const text of ['', ' : ', 'abc', 'zz', 'ab cx', '0xab', 'ab-cd']) expect(fromHex(text)).toBeUndefined();
});

it('tells a fault of each family from a parsed structure', () => {
  expect(isFault(malformed('a.b', 3))).toBe(true);
  expect([malformed, misbehaved, unsupported].map((make) => make('a.b', 3))).toEqual([
    { family: 'malformed', code: 'a.b', at: 3 },
    { family: 'misbehaved', code: 'a.b', at: 3 },
    { family: 'unsupported', code: 'a.b', at: 3 },
  ]);
  expect(isFault({ body: 1 })).toBe(false);
});
