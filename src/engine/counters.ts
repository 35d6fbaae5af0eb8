/** What the engine counts. Invariant: received = accepted + dropped + held. */
import { LIMIT_DEFAULTS, type LimitName } from '../pins/limits.ts';

export class Counters {
  received = 0;
  accepted = 0;
  dropped = 0;
  /** Packets that ever waited. */
  held = 0;
  /** Accepted with another content: alerts, resets, SYNs without some of their options. */
  rewritten = 0;
  /** SYNs and SYN/ACKs that lost options by which octets could go by unread (Multipath TCP). */
  synOptionsRemoved = 0;
  /** Packets of probes that left, or came, as those of their clients' systems; and those that could not. */
  probesRewritten = 0;
  probesPassed = 0;
  /** Packets of connections that nobody knows. */
  midstream = 0;
  /** Flows whose both ends are behind one interface. */
  oneArmed = 0;
  /** How often each limit was reached. */
  readonly limits: Record<LimitName, number> = zeroLimits();
  /** Packets that no receiver should take, by code. */
  readonly refused = new Map<string, number>();
  /** Grows with any of the last two, which are many and seldom change. */
  exceptions = 0;

  refuse(code: string): void {
    this.refused.set(code, (this.refused.get(code) ?? 0) + 1);
    this.exceptions++;
  }

  reach(limit: LimitName): void {
    this.limits[limit]++;
    this.exceptions++;
  }
}

function zeroLimits(): Record<LimitName, number> {
  const names = Object.keys(LIMIT_DEFAULTS) as LimitName[];
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<LimitName, number>;
}
