/** The configurations that engines are measured with, by name, as documents; the lab adds the queue. */
import { createHash, randomBytes } from 'node:crypto';

import { HOST } from './recording.mjs';

/** `leaf`: the recorded server's certificate. */
export function configurations(leaf) {
  const pin = `spki-sha256:${digestOf(leaf)}`;
  const bank = { name: 'bank', match: { hosts: [HOST] }, pins: [pin, strangerPin()] };
  return {
    /** The recorded server is pinned, by its leaf's key. */
    pinned: () => document([bank]),
    /** The same without the server's signature being verified: it is the only cryptography that is left. */
    unproven: () => document([{ ...bank, checks: { proofOfPossession: 'off' } }]),
    /** No server is asked on behalf of a client that offers TLS 1.3, as the recorded one does. */
    unprobed: () => document([{ ...bank, tls13: 'deny' }]),
    /** Somebody else is pinned. */
    unpinned: () => document([{ ...bank, match: { hosts: ['www.other.example'] } }]),
    'ten-pins': () => document([{ ...bank, pins: [...strangerPins(9), pin] }]),
    'many-pins': () => document([{ ...bank, pins: [...strangerPins(9), pin] }, ...others(9_999)]),
    /** A client that names nobody (openssl s_time): pinned by address. */
    nginx: (pins) =>
      document(
        Object.entries({ 1.2: 447, 1.3: 448 }).map(([version, port]) => ({
          name: `nginx-${port}`,
          match: { addresses: ['198.51.100.2'], ports: [port] },
          pins: [pins[version], strangerPin()],
        })),
      ),
    /** By any name below one. */
    'nginx-names': (pins) =>
      document([{ name: 'nginx', match: { hosts: ['**.nginx.example'] }, pins: [pins['1.3'], strangerPin()] }]),
    /** The same servers, and somebody else is pinned. */
    'nginx-unpinned': () => document([{ ...bank, match: { hosts: ['www.other.example'] } }]),
  };
}

function document(pinsets) {
  return { version: 1, ports: ['443-448'], pinsets: pinsets.map((pinset) => withPorts(pinset)) };
}

function withPorts(pinset) {
  return { ...pinset, match: { ports: ['443-448'], ...pinset.match } };
}

function others(count) {
  return Array.from({ length: count }, (_, i) => ({
    name: `host-${i}`,
    match: { hosts: [`www.host-${i}.example`] },
    pins: strangerPins(10),
  }));
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
