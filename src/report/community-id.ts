/**
 * Community ID, version 1 (github.com/corelight/community-id-spec): the name that Suricata, Zeek and others give to the same
 * flow. Of TCP and UDP, with the seed 0, which is everybody's default.
 */
import { hash } from 'node:crypto';

import type { Endpoint } from '../judge/events.ts';

export function communityId(one: Endpoint, other: Endpoint, proto: 'TCP' | 'UDP'): string {
  const [first, second] = comesFirst(one, other) ? [one, other] : [other, one];
  const { length } = first.address;
  const octets = Buffer.alloc(SEED + 2 * length + 6);
  octets.set(first.address, SEED);
  octets.set(second.address, SEED + length);
  octets[SEED + 2 * length] = PROTOCOLS[proto];
  octets.writeUInt16BE(first.port, SEED + 2 * length + 2);
  octets.writeUInt16BE(second.port, SEED + 2 * length + 4);
  return `1:${hash('sha1', octets, 'base64')}`;
}

/** The smaller address, and where they are equal the smaller port. */
function comesFirst(one: Endpoint, other: Endpoint): boolean {
  const order = Buffer.compare(one.address, other.address);
  return order === 0 ? one.port < other.port : order < 0;
}

/** Octets of the seed. */
const SEED = 2;
/** IANA's numbers. */
const PROTOCOLS = { TCP: 6, UDP: 17 } as const;
