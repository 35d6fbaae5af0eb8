/**
 * Whether the server has shown that it has the key of the certificate that it sent: by a signature, or by a key exchange
 * that only the key's holder can finish. Owns what is awaited, and what a failure does to a match; verifying signatures
 * is for others.
 */
import type { CompiledPinset } from '../pins/policy.ts';
import type { KeyExchange } from '../tls/cipher-suites.ts';
import type { Claim } from './claim.ts';

export class Possession {
  keyExchange: KeyExchange = 'unknown';
  #proof: 'awaited' | 'verified' | 'failed' | undefined;

  /** As far as the key exchange can show it. */
  get isShown(): boolean {
    return this.#proof === 'verified' || (this.#proof === undefined && this.keyExchange === 'static');
  }

  get isVerified(): boolean {
    return this.#proof === 'verified';
  }

  get isAwaited(): boolean {
    return this.#proof === 'awaited';
  }

  get hasFailed(): boolean {
    return this.#proof === 'failed';
  }

  /** Awaits it where a pinset wants it and the key exchange signs: without, the client can go on with the holder only. */
  awaitFor(require: readonly CompiledPinset[]): void {
    if (this.keyExchange === 'static') return;
    if (require.some(({ situations }) => situations.checks.proofOfPossession !== 'off')) this.#proof ??= 'awaited';
  }

  /** Whether that is enough for who wants it so. */
  suffices(wanted: CompiledPinset['situations']['checks']['proofOfPossession']): boolean {
    return this.#proof !== 'awaited' && (wanted !== 'require' || this.isShown);
  }

  settle(proven: boolean): void {
    this.#proof = proven ? 'verified' : 'failed';
  }

  /** What was awaited will not come: a key exchange that nobody here knows may be proven to the client, not to us. */
  giveUp(): void {
    if (this.#proof === 'awaited') this.#proof = 'failed';
  }

  forget(): void {
    this.#proof = undefined;
  }

  /** A match of somebody else's certificate is none. */
  applyTo(finding: Claim): Claim {
    const { pinset } = finding;
    if (pinset === null || finding.verdict !== pinset.onMatch || !this.hasFailed) return finding;
    if (pinset.situations.checks.proofOfPossession !== 'require') return finding;
    return { ...finding, reason: 'no-proof', verdict: pinset.onMismatch };
  }
}

/** The pinsets that only want to be told of a proof that failed. */
export function pinsetsToTell(findings: readonly Claim[]): CompiledPinset[] {
  return findings.flatMap(({ pinset }) => (pinset?.situations.checks.proofOfPossession === 'report' ? [pinset] : []));
}
