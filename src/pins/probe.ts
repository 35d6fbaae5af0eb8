/**
 * Evidence that does not come over the wire of the flow itself: which situations ask for it, and how servers are asked
 * in their clients' place where a configuration does not say otherwise.
 */
import { requires } from './match/learning.ts';
import type { HiddenCertificate, Policy, ProbePolicy, Situations } from './policy.ts';

export const PROBE_DEFAULTS: ProbePolicy = {
  timeout: 2_700,
  atOnce: 32,
  perDestination: 120,
  perClient: 60,
  ttl: 60_000,
  negativeTtl: 30_000,
  recheck: 0.1,
  allowLocal: false,
  mark: 0x40_0000,
  source: 'gateway',
  witnesses: 0,
  decoys: 0,
};

/** Whether any flow may lead to a probe. */
export function asksServers(policy: Pick<Policy, 'pinsets' | 'pinned' | 'unpinned'>): boolean {
  return situationsOf(policy).some(({ tls13, resumed }) => PROBING.has(tls13) || resumed === 'bound-else-probe');
}

/** Likewise, where pinsets may come from elsewhere later. */
export function mayAskServers(policy: Pick<Policy, 'pinsets' | 'pinned' | 'unpinned' | 'pins' | 'fleet'>): boolean {
  return policy.pins !== undefined || policy.fleet !== undefined || asksServers(policy);
}

/** Whether any flow may lead to a probe as soon as its client has spoken. */
export function asksAhead(policy: Pick<Policy, 'pinsets' | 'pinned' | 'unpinned'>): boolean {
  return situationsOf(policy).some(isProbed);
}

/** Whether the server is asked before anybody else is. */
export function isProbed({ tls13 }: Situations): boolean {
  return tls13 === 'probe' || tls13 === 'probe-else-accept';
}

/** Whether any flow may wait for a secret. */
export function readsKeylog(policy: Pick<Policy, 'pinsets' | 'pinned' | 'unpinned'>): boolean {
  return situationsOf(policy).some(({ tls13 }) => isKeylogged(tls13));
}

export function isKeylogged(tls13: string | undefined): boolean {
  return tls13 === 'keylog' || tls13 === 'keylog-else-probe';
}

/** Those that apply to some flow: a deny list selects none. */
function situationsOf({ pinsets, pinned, unpinned }: Pick<Policy, 'pinsets' | 'pinned' | 'unpinned'>): Situations[] {
  const requiring = pinsets.filter(requires).map(({ situations }) => situations);
  return requiring.length === 0 ? [unpinned] : [...requiring, pinned, unpinned];
}

const PROBING: ReadonlySet<HiddenCertificate> = new Set(['probe', 'probe-else-accept', 'keylog-else-probe']);
