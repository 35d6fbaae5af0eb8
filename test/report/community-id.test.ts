/** Against the values that the specification's own baseline has (github.com/corelight/community-id-spec, baseline_deflt.json). */
import { expect, it } from 'vitest';

import { communityId } from '../../src/report/community-id.ts';

const v4 = (address: string, port: number) => ({ address: new Uint8Array(address.split('.').map(Number)), port });
const v6 = (hex: string, port: number) => ({ address: new Uint8Array(Buffer.from(hex, 'hex')), port });

const WEB = [v4('128.232.110.120', 34_855), v4('66.35.250.204', 80)] as const;
const MDNS = [v4('192.168.1.52', 54_585), v4('8.8.8.8', 53)] as const;

it.each([
  ['TCP', ...WEB, '1:LQU9qZlK+B5F3KDmev6m5PMibrg='],
  ['UDP', ...MDNS, '1:d/FP5EW3wiY1vCndhwleRRKHowQ='],
] as const)('%s', (proto, one, other, id) => {
  expect(communityId(one, other, proto)).toBe(id);
  expect(communityId(other, one, proto)).toBe(id);
});

it('is of IPv6 too, and of equal addresses goes by the port', () => {
  const one = v6('20010db8000000000000000000000001', 443);
  const other = v6('20010db8000000000000000000000001', 50_000);
  expect(communityId(one, other, 'TCP')).toBe(communityId(other, one, 'TCP'));
  expect(communityId(one, other, 'TCP')).not.toBe(communityId(one, other, 'UDP'));
});
