/**
 * Community ID, version 1 (github.com/corelight/community-id-spec): the name that Suricata, Zeek and others give to the same
 * flow. Of TCP and UDP, with the seed 0, which is everybody's default.
 */
import { hash } from 'node:crypto';

import type { Endpoint } from '../judge/events.ts';

export function communityId(one: Endpoint, other: Endpoint, proto: 'TCP' | 'UDP'): string {
  const [first, second] = comesFirst(one, other) ? [one, other] : [other, one];
  const { length } = first.address;
  const octets = length === 4 ? OF_IPV4 : OF_IPV6;
  for (let i = 0; i < length; i++) {
    octets[SEED + i] = first.address[i]!;
    octets[SEED + length + i] = second.address[i]!;
  }
  const at = SEED + 2 * length;
  octets[at] = PROTOCOLS[proto];
  octets[at + 2] = first.port >> 8;
  octets[at + 3] = first.port;
  octets[at + 4] = second.port >> 8;
  octets[at + 5] = second.port;
  return `1:${hash('sha1', octets, 'base64')}`;
}

/** The smaller address, and where they are equal the smaller port. */
function comesFirst(one: Endpoint, other: Endpoint): boolean {
  for (let i = 0; i < one.address.length; i++) {
    const order = one.address[i]! - other.address[i]!;
    if (order !== 0) return order < 0;
  }
  return one.port < other.port;
}

/** Octets of the seed. */
const SEED = 2;
/** For what the digest is of: to make a buffer takes as long as the digest. */
const OF_IPV4 = Buffer.alloc(SEED + 2 * 4 + 6);
const OF_IPV6 = Buffer.alloc(SEED + 2 * 16 + 6);
/** IANA's numbers. */
const PROTOCOLS = { TCP: 6, UDP: 17 } as const;
