/** Which bits of the connmark a policy's verdicts may write: its own states, and what its verdicts add. */
import type { CompiledVerdict, Policy } from '../../pins/policy.ts';

/** The bits that travel in the packet mark on the packet-mark route, so that rules and source must agree on them. */
export function ownedConnmarkBits(policy: Policy): number {
  const verdicts: readonly CompiledVerdict[] = [
    policy.onMismatch,
    ...policy.pinsets.flatMap(({ onMatch, onMismatch, onDeny }) => [onMatch, onMismatch, onDeny]),
    ...policy.rules.map(({ verdict }) => verdict),
  ];
  return verdicts.reduce((bits, { connmark }) => (bits | (connmark?.mask ?? 0)) >>> 0, policy.connmark.mask);
}
