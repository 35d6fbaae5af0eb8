/**
 * Packets that netfilter's rules let go by the engine's queues: each kind that has to come there is followed through all
 * built-in chains of its way. For certain, or where a rule ahead asks for what may be so (an address, an interface).
 */
import type { Policy } from '../../pins/policy.ts';
import { ACK, fits, type Packet, SYN } from './asked.ts';
import { ownedConnmarkBits } from './connmark-mask.ts';
import { type Errand, Follower, type Parcel } from './follow.ts';
import type { Family } from './plan.ts';
import { union, without } from './ports.ts';
import type { Chain, Rule, Side } from './ruleset.ts';

export type Way = Packet['way'];

/** What goes by, of one kind. */
export interface Unseen {
  /** Which packets, where they are not simply all. */
  readonly kind: string | undefined;
  readonly parcel: Parcel;
}

export class Sight {
  readonly #chains: readonly Chain[];
  readonly #follower: Follower;
  readonly #policy: Policy;
  readonly #known: number;
  readonly #roles = new Map<Chain, Role>();

  constructor(chains: readonly Chain[], queues: readonly [number, number], policy: Policy) {
    this.#chains = chains;
    this.#follower = new Follower(chains, queues);
    this.#policy = policy;
    this.#known = knownBits(policy);
  }

  /** The first kind that goes by for certain; otherwise the first that may. */
  unseen(family: Family, way: Way, protocol: 'tcp' | 'udp'): Unseen | undefined {
    const chains = chainsAlong(way, family, this.#chains);
    const found = KINDS.filter((kind) => kind.protocol === protocol && kind.ways.includes(way)).flatMap((kind) =>
      this.#follow(chains, family, way, kind).map((parcel): Unseen => ({ kind: kind.name, parcel })),
    );
    return found.find(({ parcel }) => parcel.by === undefined) ?? found[0];
  }

  #follow(chains: readonly Chain[], family: Family, way: Way, kind: Kind): Parcel[] {
    const { connmark, ports } = this.#policy;
    const { protocol, flags, state, side } = kind;
    const mark = kind.isMarked === true ? this.#known : 0;
    const of = kind.connmark === undefined ? 0 : connmark[kind.connmark];
    const packet: Packet = { family, protocol, way, flags, state, connmark: of, mark, known: this.#known };
    const errand: Errand = { protocol, side, fits: ({ asks }, mark) => fits(asks, { ...packet, mark }) };
    return chains.reduce((parcels, chain) => parcels.flatMap((parcel) => this.#through(chain, parcel, errand)), [
      { ports, mark, by: undefined },
    ] as Parcel[]);
  }

  #through(chain: Chain, parcel: Parcel, errand: Errand): Parcel[] {
    const role = this.#roleOf(chain);
    if (role === 'feeds') return this.#follower.through(chain, parcel, errand);
    // What others drop or let pass says nothing of the queue; how they mark it does.
    if (role === 'other') return [parcel];
    const marked = this.#follower
      .through(chain, parcel, errand)
      .filter(({ mark }) => ((mark ^ parcel.mark) & this.#known) !== 0);
    const certain = marked.filter(({ by }) => by === parcel.by).map(({ ports }) => ports);
    const ports = without(parcel.ports, certain.reduce(union, []));
    return ports.length === 0 ? marked : [{ ...parcel, ports }, ...marked];
  }

  /** Of a built-in chain and all that it leads to. */
  #roleOf(chain: Chain): Role {
    const known = this.#roles.get(chain);
    if (known !== undefined) return known;
    const reach = [...this.#follower.reach(chain)];
    const has = (is: (rule: Rule) => boolean) => reach.some(({ rules }) => rules.some(is));
    const role = has(({ target }) => this.#follower.isOurs(target))
      ? 'feeds'
      : has((rule) => this.#marks(rule))
        ? 'marks'
        : 'other';
    this.#roles.set(chain, role);
    return role;
  }

  #marks({ target }: Rule): boolean {
    return target.kind === 'mark' && (target.write.mask & this.#known) !== 0;
  }
}

/** Built-in ones, as packets come by them. */
export function chainsAlong(way: Way, family: Family, chains: readonly Chain[]): Chain[] {
  const hooks = HOOKS[way];
  return chains
    .filter(
      ({ hook, table, families }) =>
        hook !== undefined && hooks.includes(hook) && families.includes(family) && !table.endsWith(' nat'),
    )
    .sort((a, b) => hooks.indexOf(a.hook!) - hooks.indexOf(b.hook!) || a.priority - b.priority);
}

/** Of both marks: nobody else sets them. */
export function knownBits(policy: Policy): number {
  return (ownedConnmarkBits(policy) | policy.connmark.told | policy.probe.mark) >>> 0;
}

type Role = 'feeds' | 'marks' | 'other';

/** Through which hooks, in this order. */
const HOOKS: Readonly<Record<Way, readonly string[]>> = {
  forwarded: ['prerouting', 'forward', 'postrouting'],
  incoming: ['prerouting', 'input'],
  outgoing: ['output', 'postrouting'],
};

interface Kind {
  readonly name: string | undefined;
  readonly protocol: 'tcp' | 'udp';
  readonly ways: readonly Way[];
  readonly flags: number;
  readonly state: string;
  readonly connmark?: 'accept' | 'pending' | 'deny';
  /** Comes with all bits of ours in its mark. */
  readonly isMarked?: true;
  readonly side: Side;
}

const TO_SERVER: readonly Way[] = ['forwarded', 'outgoing'];
const TO_CLIENT: readonly Way[] = ['forwarded', 'incoming'];
const [NEW, OPEN] = ['NEW', 'ESTABLISHED'];

/** SYN and SYN/ACK whatever the mark, and of what is not accepted all. */
const KINDS: readonly Kind[] = [
  stream({ name: undefined, flags: SYN, state: NEW }, TO_SERVER, 'destination'),
  ...bothWays({ name: undefined, flags: ACK, state: OPEN }),
  ...bothWays({ name: 'undecided connections', flags: ACK, state: OPEN, connmark: 'pending' }),
  ...bothWays({ name: 'denied connections', flags: ACK, state: OPEN, connmark: 'deny' }),
  stream(
    { name: 'SYNs by addresses that were accepted', flags: SYN, state: NEW, connmark: 'accept' },
    TO_SERVER,
    'destination',
  ),
  stream({ name: 'answers to such SYNs', flags: SYN | ACK, state: OPEN, connmark: 'accept' }, TO_CLIENT, 'source'),
  ...bothWays({
    name: 'packets that come with bits of ours in their mark',
    flags: ACK,
    state: OPEN,
    connmark: 'pending',
    isMarked: true,
  })
    // What comes in has the marks that rules give it, and those are followed.
    .map((kind) => ({ ...kind, ways: kind.ways.filter((way) => way !== 'incoming') })),
  ...bothWays({ name: 'packets that are INVALID', flags: ACK, state: 'INVALID' }),
  ...bothWays({ name: 'packets that are UNTRACKED', flags: ACK, state: 'UNTRACKED' }),
  ...datagrams({ name: 'UDP', flags: 0, state: NEW }),
  ...datagrams({ name: 'UDP of undecided connections', flags: 0, state: OPEN, connmark: 'pending' }),
];

type Bare = Omit<Kind, 'protocol' | 'ways' | 'side'>;

function stream(kind: Bare, ways: readonly Way[], side: Side): Kind {
  return { ...kind, protocol: 'tcp', ways, side };
}

function bothWays(kind: Bare): Kind[] {
  return [stream(kind, TO_SERVER, 'destination'), stream(kind, TO_CLIENT, 'source')];
}

function datagrams(kind: Bare): Kind[] {
  return bothWays(kind).map((each) => ({ ...each, protocol: 'udp' }));
}
