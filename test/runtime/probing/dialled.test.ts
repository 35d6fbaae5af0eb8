import { expect, it } from 'vitest';

import { DialledMemory } from '../../../src/runtime/probing/dialled.ts';

const V4 = {
  client: { address: new Uint8Array([10, 0, 0, 2]), port: 65_535 },
  server: { address: new Uint8Array([192, 0, 2, 200]), port: 443 },
};
const V6 = {
  client: { address: new Uint8Array(16).fill(0xfd), port: 1 },
  server: { address: new Uint8Array(16).fill(0x20), port: 65_535 },
};
const addresses = ({ client, server }: typeof V4) => Uint8Array.from([...client.address, ...server.address]);

it('what one side dials the other side finds, by all that it is', () => {
  const writer = new DialledMemory();
  const reader = new DialledMemory(writer.shared);
  expect(reader.find(addresses(V4), 40_000, 443)).toBeUndefined();
  writer.add({ ...V4, probePort: 40_000, role: 'awaited' });
  writer.add({ ...V6, probePort: 65_535, role: 'behind' });
  expect(reader.find(addresses(V4), 40_000, 443)).toEqual({ clientPort: 65_535, role: 'awaited' });
  expect(reader.find(addresses(V6), 65_535, 65_535)).toEqual({ clientPort: 1, role: 'behind' });
  expect(reader.find(addresses(V4), 40_001, 443)).toBeUndefined();
  expect(reader.find(addresses(V4), 40_000, 444)).toBeUndefined();
  expect(reader.find(addresses(V6), 40_000, 443)).toBeUndefined();
});

it('the latest ones are there', () => {
  const memory = new DialledMemory();
  for (let at = 0; at < 1_000; at++) memory.add({ ...V4, probePort: 10_000 + at, role: 'awaited' });
  expect(memory.find(addresses(V4), 10_999, 443)).toBeDefined();
  expect(memory.find(addresses(V4), 10_600, 443)).toBeDefined();
  expect(memory.find(addresses(V4), 10_001, 443)).toBeUndefined();
});
