import { expect, it } from 'vitest';

import { CryptoStream } from '../../src/quic/crypto-stream.ts';

/** How often somebody asks how long it is, which whoever compares octets does first. */
let looks = 0;
class Counted extends Uint8Array {
  override get length(): number {
    looks++;
    return super.length;
  }
}

it('however many pieces wait, a frame is compared with those that it touches', () => {
  const stream = new CryptoStream(65_536, () => undefined);
  for (let i = 0; i < 256; i++) expect(stream.add(4 * i + 1, Uint8Array.of(1, 1))).toBeUndefined();
  const cost = (offset: number, octets: number[]) => {
    looks = 0;
    expect(stream.add(offset, new Counted(octets))).toBeUndefined();
    return looks;
  };
  for (const offset of [1, 401, 1021]) {
    expect(cost(offset, [])).toBeLessThan(10);
    expect(cost(offset, [1])).toBeLessThan(10);
    expect(cost(offset, [1, 1])).toBeLessThan(10);
  }
  expect(stream.add(1021, Uint8Array.of(2))).toMatchObject({ code: 'quic.crypto.conflict' });
});
