/** How servers are asked in their clients' place, where a configuration does not say otherwise. */
import type { ProbePolicy } from './policy.ts';

export const PROBE_DEFAULTS: ProbePolicy = {
  timeout: 3_000,
  atOnce: 32,
  perDestination: 60,
  perClient: 60,
  ttl: 60_000,
  negativeTtl: 30_000,
  recheck: 0.1,
  allowLocal: false,
  mark: 0x1000_0000,
};
