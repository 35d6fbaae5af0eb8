import { beforeEach, expect, it } from 'vitest';

import { FlowKey } from '../../src/tcp/flow-key.ts';
import { FlowNames } from '../../src/tcp/flow-names.ts';
import { ipv4, ipv6, tcpSegment, viewIp, viewTcp } from '../support/ip-bytes.ts';

let names: FlowNames;
const key = new FlowKey(1);

beforeEach(() => (names = new FlowNames(new FlowKey(1))));

/** Of a connection that a packet shows. */
function shown(packet: Uint8Array): string {
  key.setEndpoints(viewIp(packet), viewTcp(packet));
  return key.kept;
}

const address = (...octets: number[]) => Uint8Array.from(octets);
const NAMED = {
  id: 7,
  client: address(10, 1, 2, 3),
  clientPort: 51514,
  server: address(198, 51, 100, 7),
  serverPort: 443,
};
const PACKET = ipv4(tcpSegment({ srcPort: 51514, dstPort: 443 }), { source: '10.1.2.3', destination: '198.51.100.7' });

it('a connection is known by its ends', () => {
  expect(names.has(NAMED)).toBe(false);
  names.add(shown(PACKET));
  expect(names.has(NAMED)).toBe(true);
  for (const other of [
    { clientPort: 51515 },
    { serverPort: 444 },
    { client: address(10, 1, 2, 4) },
    { server: address(198, 51, 100, 8) },
  ]) {
    expect(names.has({ ...NAMED, ...other })).toBe(false);
  }
  names.delete(shown(PACKET));
  expect(names.has(NAMED)).toBe(false);
});

it('so is one of IPv6', () => {
  const packet = ipv6(tcpSegment({ srcPort: 51514, dstPort: 443 }));
  names.add(shown(packet));
  const of = (last: number) => address(0x20, 1, 0x0d, 0xb8, ...Array<number>(11).fill(0), last);
  expect(names.has({ ...NAMED, client: of(1), server: of(2) })).toBe(true);
});

it('or by the name that conntrack gives it, whatever its ends are here', () => {
  key.setConntrack(7, true);
  names.add(key.kept);
  expect(names.has({ ...NAMED, client: address(), server: address() })).toBe(true);
  expect(names.has({ ...NAMED, id: 8 })).toBe(false);
});

it('what is told of in part is nobody', () => {
  expect(names.has({ ...NAMED, client: address() })).toBe(false);
});

it('the oldest goes first', () => {
  for (let id = 0; id <= 16_384; id++) {
    key.setConntrack(id, false);
    names.add(key.kept);
    key.setConntrack(0, false);
    if (id === 16_383) names.add(key.kept);
  }
  expect([0, 1, 2, 16_384].map((id) => names.has({ ...NAMED, id }))).toEqual([true, false, true, true]);
});
