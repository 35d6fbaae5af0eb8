/** Digests of bytes as they were sent. Knows no structure. */
import { hash } from 'node:crypto';

/** Lower-case hex. */
export function sha1Hex(bytes: Uint8Array): string {
  return hash('sha1', bytes, 'hex');
}

/** Lower-case hex. */
export function sha256Hex(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}

/** Lower-case hex. */
export function sha512Hex(bytes: Uint8Array): string {
  return hash('sha512', bytes, 'hex');
}
