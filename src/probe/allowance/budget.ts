/**
 * How often servers may be asked in a minute: for each destination, client and group of clients. Nobody's share of what a
 * destination has left is more than what would then be left, so that a second one always finds as much as the first had
 * spared; and of one /64 whoever has hardly asked yet finds a reserve. A probe that was answered with a proven certificate did what
 * its client does anyway, and counts for a tenth. Knows no sockets and no answers.
 */
import type { Endpoint } from '../../judge/events.ts';
import { addressText } from '../address.ts';
import { clientGroup } from '../client-group.ts';
import { type Counted, RateLimit } from './rate-limit.ts';

/** In any minute. */
export interface BudgetSettings {
  readonly perDestination: number;
  /** For an address; a /64 of IPv6, where a host may have any number of addresses, may have `GROUP_FACTOR` times as many. */
  readonly perClient: number;
}

export interface Asker {
  /** Address and port, as a text. */
  readonly destination: string;
  readonly client: Endpoint;
}

/** What one probe was counted as. */
export interface Charge {
  readonly counted: readonly Counted[];
  readonly connections: number;
}

export class ProbeBudget {
  readonly #destinations: RateLimit;
  readonly #clients: RateLimit;
  readonly #shares: RateLimit;

  /** `keys`: how many destinations and clients are remembered; the one that was quiet longest is forgotten first. */
  constructor(keys: number) {
    this.#destinations = new RateLimit(keys);
    this.#clients = new RateLimit(2 * keys);
    this.#shares = new RateLimit(4 * keys);
  }

  /** `part`: how much of every budget this may use up. */
  allows(asker: Asker, { perDestination, perClient }: BudgetSettings, nowMs: number, part = 1): boolean {
    const { destination } = asker;
    const { address, group, shareKey, groupShareKey } = keysOf(asker);
    const left = perDestination * part - this.#destinations.used(destination, nowMs) / FULL_WEIGHT;
    if (left <= 0) return false;
    const ofAddress = this.#clients.used(address, nowMs) / FULL_WEIGHT;
    if (ofAddress >= perClient * part) return false;
    const share = this.#shares.used(shareKey, nowMs) / FULL_WEIGHT;
    if (group === address) return share < left;
    const ofGroup = perClient * part * GROUP_FACTOR * (ofAddress < NEWCOMER ? 2 : 1);
    if (this.#clients.used(group, nowMs) / FULL_WEIGHT >= ofGroup) return false;
    const isSpared = share < NEWCOMER && left > perDestination * part * RESERVE;
    return isSpared || this.#shares.used(groupShareKey, nowMs) / FULL_WEIGHT < left;
  }

  /** So many connections. */
  count(asker: Asker, nowMs: number, connections = 1): Charge {
    const { address, group, shareKey, groupShareKey } = keysOf(asker);
    const weight = connections * FULL_WEIGHT;
    const counted = [this.#destinations.count(asker.destination, nowMs, weight)];
    counted.push(this.#clients.count(address, nowMs, weight), this.#shares.count(shareKey, nowMs, weight));
    if (group !== address) {
      counted.push(this.#clients.count(group, nowMs, weight));
      counted.push(this.#shares.count(groupShareKey, nowMs, weight));
    }
    return { counted, connections };
  }

  /** The server has answered as it answers any client. */
  lighten({ counted, connections }: Charge): void {
    for (const each of counted) each.weigh(connections * ANSWERED_WEIGHT);
  }
}

function keysOf({ destination, client }: Asker): Record<'address' | 'group' | 'shareKey' | 'groupShareKey', string> {
  const address = addressText(client.address);
  const group = clientGroup(client.address);
  return { address, group, shareKey: `${destination} ${address}`, groupShareKey: `${destination} ${group}` };
}

/** Of a connection, and of one that was answered. */
const [FULL_WEIGHT, ANSWERED_WEIGHT] = [10, 1];
const GROUP_FACTOR = 4;
/** Has asked fewer times in a minute; of its group's budget there is as much again for such. */
const NEWCOMER = 2;
/** Of a destination's budget: what newcomers of one group leave for the others. */
const RESERVE = 0.25;
