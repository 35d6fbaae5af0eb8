/** The alert record that tells a client why its handshake ended (RFC 5246 §7.2, RFC 8446 §6). */
import type { Reason } from '../../judge/events.ts';

/** `bad_certificate` where the certificate was judged, `access_denied` where a situation was. */
export function alertFor(reason: Reason, recordVersion: number): Uint8Array {
  const description = ABOUT_CERTIFICATES.has(reason) ? BAD_CERTIFICATE : ACCESS_DENIED;
  return Uint8Array.of(ALERT, recordVersion >> 8, recordVersion & 0xff, 0, 2, FATAL, description);
}

const ALERT = 21;
const FATAL = 2;
const BAD_CERTIFICATE = 42;
const ACCESS_DENIED = 49;

const ABOUT_CERTIFICATES: ReadonlySet<Reason> = new Set<Reason>([
  'pin-mismatch',
  'deny-pin',
  'rule',
  'expired-pinset',
  'name-mismatch',
  'certificate-expired',
  'untrusted',
  'unexaminable',
  'no-proof',
  'min-version',
  'probe-mismatch',
  'probe-inconsistent',
]);
