/**
 * What to do about a cause, and what to write into the configuration should what the server shows be genuine. That it is,
 * nobody here can know: the words say so. Knows no configuration file.
 */
import type { Reason } from '../../judge/events.ts';
import { adviceFor } from '../../report/reasons.ts';
import { type Cause, isDenied, type LeafOfRecord } from './causes.ts';

export interface Remedy {
  readonly advice: string;
  /** Into `pins` of this pinset, in JSON; null where no pin would help. */
  readonly paste: { readonly pinset: string; readonly line: string } | null;
}

export function remedyFor(cause: Cause): Remedy {
  const advice = adviceFor(cause.reason);
  const pin = isDenied(cause) && isOfKeys(cause.reason) && cause.leaf !== null ? pinOf(cause.leaf) : null;
  if (pin === null || cause.pinset === null) return { advice, paste: null };
  const comment = `${cause.leaf!.subject ?? 'a certificate that nobody can read'}, as seen on ${cause.last.slice(0, 10)}`;
  return { advice, paste: { pinset: cause.pinset, line: pinLine(pin, comment) } };
}

/** An entry of `pins` for the leaf, as a line of JSON to be pasted. */
export function pinLine(pin: string, comment: string): string {
  return `{ "pin": ${JSON.stringify(pin)}, "at": "leaf", "comment": ${JSON.stringify(comment)} },`;
}

/** Of its key; of the certificate where that cannot be read. */
export function pinOf({ spki_sha256: spki, sha256 }: LeafOfRecord): string | null {
  if (spki !== null) return `spki-sha256:${spki}`;
  return sha256 === '' ? null : `cert-sha256:${sha256}`;
}

/** Whether a pin of the leaf's own key would have let it pass. */
export function isOfKeys(reason: string): boolean {
  return KEYS.has(reason);
}

const KEYS: ReadonlySet<string> = new Set<Reason>([
  'pin-mismatch',
  'probe-mismatch',
  'probe-inconsistent',
  'name-mismatch',
  'certificate-expired',
]);
