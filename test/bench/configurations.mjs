/** The configurations that engines are measured with, by name, as documents; the lab adds the queue. */
import { createHash, randomBytes } from 'node:crypto';

import { HOST } from './recording.mjs';

/** `leaves`: the recorded servers' certificates. */
export function configurations(...leaves) {
  const recorded = leaves.map((leaf) => `spki-sha256:${digestOf(leaf)}`);
  const bank = { name: 'bank', match: { hosts: [HOST] }, pins: [...recorded, strangerPin()] };
  return {
    /** The recorded servers are pinned, by their leaves' keys. */
    pinned: () => document([bank]),
    /** The same without the server's signature being verified: it is the only cryptography that is left. */
    unproven: () => document([{ ...bank, checks: { proofOfPossession: 'off' } }]),
    /** No server is asked on behalf of a client that offers TLS 1.3, as the recorded one does. */
    unprobed: () => document([{ ...bank, tls13: 'deny' }]),
    /** Somebody else is pinned. */
    unpinned: () => document([{ ...bank, match: { hosts: ['www.other.example'] } }]),
    'ten-pins': () => document([{ ...bank, pins: tenPins(recorded) }]),
    'many-pins': () => document([{ ...bank, pins: tenPins(recorded) }, ...others(9_999)]),
    /** A client that names nobody (openssl s_time): pinned by address. */
    nginx: (pins) =>
      document(
        Object.entries({ 1.2: 447, 1.3: 448 }).map(([version, port]) => ({
          name: `nginx-${port}`,
          match: { addresses: ['198.51.100.2'], ports: [port] },
          pins: [pins[version], strangerPin()],
        })),
      ),
    /** By any name below one, each of which may be asked about. */
    'nginx-names': (pins) => ({
      ...document([{ name: 'nginx', match: { hosts: ['**.nginx.example'] }, pins: [pins['1.3'], strangerPin()] }]),
      probe: { perDestination: 6_000, perClient: 6_000 },
    }),
    /** The same servers, and somebody else is pinned. */
    'nginx-unpinned': () => document([{ ...bank, match: { hosts: ['www.other.example'] } }]),
  };
}

/** On which there are servers. */
export const PORTS = '443-449';

function document(pinsets) {
  return { version: 1, ports: [PORTS], pinsets: pinsets.map((pinset) => withPorts(pinset)) };
}

function withPorts(pinset) {
  return { ...pinset, match: { ports: [PORTS], ...pinset.match } };
}

function others(count) {
  return Array.from({ length: count }, (_, i) => ({
    name: `host-${i}`,
    match: { hosts: [`www.host-${i}.example`] },
    pins: strangerPins(10),
  }));
}

function tenPins(recorded) {
  return [...strangerPins(10 - recorded.length), ...recorded];
}

function strangerPins(count) {
  return Array.from({ length: count }, strangerPin);
}

function strangerPin() {
  return `spki-sha256:${randomBytes(32).toString('base64')}`;
}

function digestOf(certificate) {
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('base64');
}
