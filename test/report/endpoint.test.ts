import { expect, it } from 'vitest';

import { parseHostPort } from '../../src/report/endpoint.ts';

it.each([
  ['192.0.2.1:443', '192.0.2.1'],
  ['[::ffff:192.0.2.1]:443', '192.0.2.1'],
  ['[2001:db8::a]:443', '2001:db8::a'],
  ['[2001:0DB8:0:0:0::A]:443', '2001:db8::a'],
  ['2001:db8::a:443', '2001:db8::a'],
])('%s is a port of %s', (text, address) => {
  expect(parseHostPort(text)).toEqual({ address: octets(address), port: 443 });
});

it.each(['192.0.2.1', '192.0.2:443', 'www.bank.example:443', '[fe80::1%eth0]:443', '107', ''])('%j is none', (text) => {
  expect(parseHostPort(text)).toBeUndefined();
});

function octets(address: string): Uint8Array {
  if (!address.includes(':')) return Uint8Array.from(address.split('.'), Number);
  return Uint8Array.of(0x20, 0x01, 0x0d, 0xb8, ...Array<number>(11).fill(0), 0x0a);
}
