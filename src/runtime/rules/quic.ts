/**
 * QUIC that the rules neither refuse nor queue, though a pinset wants it refused: clients reach pinned servers by it unseen.
 * UDP is followed through all chains, those of others too, which may refuse it as well.
 */
import type { Policy } from '../../pins/policy.ts';
import { fits, type Packet } from './asked.ts';
import { type Feeds, waysOf } from './feeds.ts';
import { type Errand, Follower, type Parcel } from './follow.ts';
import { FAMILIES, type Family, FAMILY_NAMES, planRules, type Ports, type QuicRule } from './plan.ts';
import { portsText, union } from './ports.ts';
import { isOwn, type Rule, type Ruleset } from './ruleset.ts';
import { chainsAlong, knownBits, type Way } from './unseen.ts';

/** One phrase each; empty: none. */
export function unseenQuic(ruleset: Pick<Ruleset, 'chains'>, { feeds, own }: Feeds, policy: Policy): string[] {
  // What of it is queued is asked for elsewhere.
  if (feeds.some(({ protocol }) => protocol === 'udp')) return [];
  // Of what may still come nothing is missed.
  const known = { ...policy, fleet: undefined, pins: undefined };
  const { quic } = planRules(known, { hook: 'forward', quic: true, queueUdp: false, queueBypass: false });
  return FAMILIES.flatMap((family) => {
    const isRefusing = [...own.keys()].some((chain) => chain.startsWith(`${family} `) && OWN_QUIC.test(chain));
    const ports = quic[family]
      // Whose they are shows in the rules as they were printed.
      .filter((rule) => isForAll(rule) || !isRefusing)
      .reduce((ports: Ports, rule) => union(ports, rule.ports), []);
    const ways = waysOf(feeds.filter((feed) => feed.family === family)).filter((way) => way !== 'incoming');
    if (ports.length === 0) return [];
    return ways.flatMap((way) => {
      const left = passing(ruleset, policy, { family, way, ports });
      return left.length === 0 ? [] : [`${way} ${FAMILY_NAMES[family]} to UDP port ${portsText(left)}`];
    });
  });
}

export function quicText(found: readonly string[]): string {
  return `${found.join(' and ')} is neither refused nor queued`;
}

function isForAll({ client, server }: QuicRule): boolean {
  return client === null && server === null;
}

interface Begun {
  readonly family: Family;
  readonly way: Way;
  readonly ports: Ports;
}

/** Of the ports those to which what begins may come. */
function passing({ chains }: Pick<Ruleset, 'chains'>, policy: Policy, { family, way, ports }: Begun): Ports {
  const own = new Set<Rule>(chains.filter(isOwn).flatMap(({ rules }) => rules));
  const packet: Packet = {
    family,
    protocol: 'udp',
    way,
    flags: 0,
    state: 'NEW',
    connmark: 0,
    mark: 0,
    known: knownBits(policy),
  };
  const errand: Errand = {
    protocol: 'udp',
    side: 'destination',
    fits: (rule, mark) => {
      const holds = fits(rule.asks, { ...packet, mark });
      // Whoever refuses these ports to some has thought of whom.
      return holds === undefined && isRefusal(rule) && !own.has(rule) ? true : holds;
    },
  };
  const follower = new Follower(chains, policy.queues);
  return chainsAlong(way, family, chains)
    .reduce((parcels, chain) => parcels.flatMap((parcel) => follower.through(chain, parcel, errand)), [
      { ports, mark: 0, by: undefined },
    ] as Parcel[])
    .reduce((left: Ports, parcel) => union(left, parcel.ports), []);
}

function isRefusal({ ports, target }: Rule): boolean {
  return ports !== undefined && target.kind === 'verdict' && !target.passes;
}

/** As Feeds.own names them. */
const OWN_QUIC = / (?:tlspin-quic(?:-out)?|inet tlspin(?:_local)? quic)$/;
