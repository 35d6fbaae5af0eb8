/** What engine tests have in common: one bank that is pinned, its genuine flight and a forged one. */
import { presentCertificate } from '../../src/x509/presented.ts';
import type { CompiledPinset, Policy, Situations } from '../../src/pins/policy.ts';
import { certificate, fixturePath } from './certificates.ts';
import { match, pin, PINNED, pinset } from './policy.ts';
import * as tls from './tls-bytes.ts';
import { Wire, type WireOptions } from './wire.ts';

export const HOST = 'www.bank.example';
export const GENUINE = fixturePath('leaf');
export const FORGED = fixturePath('forged');
export const PENDING = 0x3000000;
export const ACCEPT = 0x1000000;
export const DENY = 0x2000000;

export const genuinePin = pin('spki-sha256', presentCertificate(certificate('leaf')).spkiSha256!);
export const genuineFlight = tls.serverFlight(GENUINE);
export const forgedFlight = tls.serverFlight(FORGED);
const forgedDer = Buffer.from(certificate('forged'));

/** The bank's pinset, but for what is given. */
export function bank(more: Partial<CompiledPinset> = {}): CompiledPinset {
  return pinset(0, { match: match({ hosts: [HOST] }), pins: [genuinePin], ...more });
}

/** The bank's pinset with some situations changed. */
export function bankWith(situations: Partial<Situations>): CompiledPinset {
  return bank({ situations: { ...PINNED, ...situations } });
}

/** A connection after its three-way handshake; the bank is pinned unless `fields` says something else. */
export function opened(fields: Partial<Policy> = {}, options: WireOptions = {}): Wire {
  return new Wire({ pinsets: [bank()], ...fields }, options).open();
}

/** Whether the client has every octet of the forged certificate. */
export function hasForged(wire: Wire): boolean {
  return wire.atClient.stream.includes(forgedDer);
}
