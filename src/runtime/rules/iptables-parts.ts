/**
 * Where iptables' rules are hooked in: our own chains, and the built-in ones that jump to them. Nothing in it depends on
 * the configuration.
 *
 *   forwarded   mangle FORWARD -> guard ... security FORWARD -> queue
 *   own, out    mangle OUTPUT  -> guard ... security OUTPUT  -> queue
 *   own, in     mangle INPUT   -> queue
 *
 * An ACCEPT verdict ends the table's chain at that hook. So the queue sits in a table in which users keep no rules of
 * their own (in mangle FORWARD it would skip their TCPMSS, in filter their firewall). In security OUTPUT a DNAT is already
 * done: both directions of a flow show the same addresses.
 *
 * With `--queue-udp` datagrams are queued in mangle, ahead of filter, because only filter can REJECT: the engine marks
 * what it refuses, and its sender hears of it at once.
 *
 *   forwarded   mangle FORWARD -> queue ... filter FORWARD -> refuse
 *   own, out    raw OUTPUT -> guard ... mangle OUTPUT -> queue ... filter OUTPUT -> refuse
 *   own, in     mangle INPUT -> queue
 *
 * Probes that leave with a client's address are known by the mark of their connection, and what is answered to them is
 * marked before its way is chosen (probe-way.ts):
 *
 *   probe, out  mangle OUTPUT -> probe ... security OUTPUT -> guise
 *   probe, in   mangle PREROUTING -> probe ... mangle INPUT -> guise
 *
 * There they go through the queue, to look like their clients' own packets. Those that take a bridge are known by their
 * device (bridge-way.ts), whatever their marks:
 *
 *   probe, out  security OUTPUT -> bridge
 *   probe, in   mangle PREROUTING -> bridge ... mangle INPUT -> bridge
 *
 * A verdict that changes a connection's mark is NF_REPEAT: the packet goes through the queue's table again, whose first
 * rule knows it by the bit `told` and saves. What others mark so is cleared by the guard in a table ahead of that one.
 */
import { BRIDGE_DEVICE } from './bridge-way.ts';
import type { Hook } from './plan.ts';

/** One built-in chain that we jump from and our own chains behind it. */
export interface Part {
  readonly role: 'guard' | 'queue' | 'quic' | 'refuse' | 'probe' | 'guise' | 'bridge';
  /** `udp` parts are there with `--queue-udp`, but for `quic`, which is there without. */
  readonly protocol: 'tcp' | 'udp';
  readonly table: 'security' | 'mangle' | 'filter' | 'raw';
  readonly builtin: 'FORWARD' | 'INPUT' | 'OUTPUT' | 'PREROUTING';
  /** Which packets jump. */
  readonly match: string;
  /** The chain that is jumped to: it picks the ports. */
  readonly chain: string;
  /** The chain that acts on what was picked; null: the one above does, whatever the port. */
  readonly inner: string | null;
  /** Of `queue`: the chain that saves what verdicts say, and the one that asks for them. */
  readonly told?: string;
  readonly ask?: string;
}

/**
 * In the order in which they are put in place: nothing is queued before its mark would be guarded.
 *
 * Loopback traffic never leaves the host and is left alone. In OUTPUT the device is still the one from before a DNAT, so
 * the destination's own type is asked instead.
 */
export const PARTS: Readonly<Record<Hook, readonly Part[]>> = {
  forward: [
    {
      role: 'probe',
      protocol: 'tcp',
      table: 'mangle',
      builtin: 'PREROUTING',
      match: '-p tcp',
      chain: 'tlspin-probe-in',
      inner: null,
    },
    {
      role: 'probe',
      protocol: 'tcp',
      table: 'mangle',
      builtin: 'OUTPUT',
      match: '-p tcp',
      chain: 'tlspin-probe-out',
      inner: null,
    },
    {
      role: 'guise',
      protocol: 'tcp',
      table: 'security',
      builtin: 'OUTPUT',
      match: '-p tcp -m addrtype ! --src-type LOCAL',
      chain: 'tlspin-probe-leave',
      inner: null,
    },
    {
      role: 'guise',
      protocol: 'tcp',
      table: 'mangle',
      builtin: 'INPUT',
      match: '-p tcp -m addrtype ! --dst-type LOCAL',
      chain: 'tlspin-probe-come',
      inner: null,
    },
    {
      role: 'bridge',
      protocol: 'tcp',
      table: 'mangle',
      builtin: 'PREROUTING',
      match: `-p tcp -i ${BRIDGE_DEVICE}`,
      chain: 'tlspin-bridge-in',
      inner: null,
    },
    {
      role: 'bridge',
      protocol: 'tcp',
      table: 'security',
      builtin: 'OUTPUT',
      match: `-p tcp -o ${BRIDGE_DEVICE}`,
      chain: 'tlspin-bridge-leave',
      inner: null,
    },
    {
      role: 'bridge',
      protocol: 'tcp',
      table: 'mangle',
      builtin: 'INPUT',
      match: `-p tcp -i ${BRIDGE_DEVICE}`,
      chain: 'tlspin-bridge-come',
      inner: null,
    },
    {
      role: 'guard',
      protocol: 'tcp',
      table: 'mangle',
      builtin: 'FORWARD',
      match: '-p tcp',
      chain: 'tlspin-guard',
      inner: null,
    },
    {
      role: 'queue',
      protocol: 'tcp',
      table: 'security',
      builtin: 'FORWARD',
      match: '-p tcp',
      chain: 'tlspin',
      inner: 'tlspin-flow',
      told: 'tlspin-told',
      ask: 'tlspin-ask',
    },
    {
      role: 'quic',
      protocol: 'udp',
      table: 'filter',
      builtin: 'FORWARD',
      match: '-p udp',
      chain: 'tlspin-quic',
      inner: null,
    },
    {
      role: 'refuse',
      protocol: 'udp',
      table: 'filter',
      builtin: 'FORWARD',
      match: '-p udp',
      chain: 'tlspin-udp-refuse',
      inner: 'tlspin-udp-deny',
    },
    {
      role: 'queue',
      protocol: 'udp',
      table: 'mangle',
      builtin: 'FORWARD',
      match: '-p udp',
      chain: 'tlspin-udp',
      inner: 'tlspin-udp-flow',
      told: 'tlspin-udp-told',
      ask: 'tlspin-udp-ask',
    },
  ],
  local: [
    {
      role: 'guard',
      protocol: 'tcp',
      table: 'mangle',
      builtin: 'OUTPUT',
      match: '-p tcp',
      chain: 'tlspin-guard-out',
      inner: null,
    },
    {
      role: 'guard',
      protocol: 'udp',
      table: 'raw',
      builtin: 'OUTPUT',
      match: '-p udp',
      chain: 'tlspin-udp-guard-out',
      inner: null,
    },
    {
      role: 'queue',
      protocol: 'tcp',
      table: 'mangle',
      builtin: 'INPUT',
      match: '-p tcp ! -i lo',
      chain: 'tlspin-in',
      inner: 'tlspin-flow-in',
      told: 'tlspin-told-in',
      ask: 'tlspin-ask-in',
    },
    {
      role: 'queue',
      protocol: 'tcp',
      table: 'security',
      builtin: 'OUTPUT',
      match: '-p tcp -m addrtype ! --dst-type LOCAL',
      chain: 'tlspin-out',
      inner: 'tlspin-flow-out',
      told: 'tlspin-told-out',
      ask: 'tlspin-ask-out',
    },
    {
      role: 'quic',
      protocol: 'udp',
      table: 'filter',
      builtin: 'OUTPUT',
      match: '-p udp -m addrtype ! --dst-type LOCAL',
      chain: 'tlspin-quic-out',
      inner: null,
    },
    {
      role: 'refuse',
      protocol: 'udp',
      table: 'filter',
      builtin: 'OUTPUT',
      match: '-p udp -m addrtype ! --dst-type LOCAL',
      chain: 'tlspin-udp-refuse-out',
      inner: 'tlspin-udp-deny-out',
    },
    {
      role: 'queue',
      protocol: 'udp',
      table: 'mangle',
      builtin: 'INPUT',
      match: '-p udp ! -i lo',
      chain: 'tlspin-udp-in',
      inner: 'tlspin-udp-flow-in',
      told: 'tlspin-udp-told-in',
      ask: 'tlspin-udp-ask-in',
    },
    {
      role: 'queue',
      protocol: 'udp',
      table: 'mangle',
      builtin: 'OUTPUT',
      match: '-p udp -m addrtype ! --dst-type LOCAL',
      chain: 'tlspin-udp-out',
      inner: 'tlspin-udp-flow-out',
      told: 'tlspin-udp-told-out',
      ask: 'tlspin-udp-ask-out',
    },
  ],
};

/** What earlier versions put in place and this one takes away: they saved every packet's mark behind the queue. */
export const RETIRED: Readonly<Record<Hook, readonly Retired[]>> = {
  forward: [
    retired('mangle POSTROUTING', '-p tcp -m addrtype ! --src-type LOCAL -j tlspin-save', 'tlspin-mark'),
    retired('mangle POSTROUTING', '-p udp -m addrtype ! --src-type LOCAL -j tlspin-udp-save', 'tlspin-udp-mark'),
    retired('filter FORWARD', '-p udp --dport 443 -j tlspin-quic'),
  ],
  local: [
    retired('mangle POSTROUTING', '-p tcp ! -o lo -m addrtype --src-type LOCAL -j tlspin-save-out', 'tlspin-mark-out'),
    retired('security INPUT', '-p tcp ! -i lo -j tlspin-save-in', 'tlspin-mark-in'),
    retired(
      'mangle POSTROUTING',
      '-p udp ! -o lo -m addrtype --src-type LOCAL -j tlspin-udp-save-out',
      'tlspin-udp-mark-out',
    ),
    retired('security INPUT', '-p udp ! -i lo -j tlspin-udp-save-in', 'tlspin-udp-mark-in'),
    retired('filter OUTPUT', '-p udp --dport 443 -m addrtype ! --dst-type LOCAL -j tlspin-quic-out'),
  ],
};

/** What closes a host whose rules cannot be had (closing.ts): gone as soon as they can. */
export const CLOSED: Readonly<Record<Hook, Retired>> = {
  forward: { place: 'filter FORWARD', jump: '-j tlspin-closed', chains: ['tlspin-closed'] },
  local: {
    place: 'filter OUTPUT',
    jump: '! -o lo -m conntrack --ctstate NEW -j tlspin-closed-out',
    chains: ['tlspin-closed-out'],
  },
};

interface Retired {
  /** Table and chain. */
  readonly place: string;
  readonly jump: string;
  /** What was behind the jump and is there no more. */
  readonly chains: readonly string[];
}

/** `inner`: the chain that the one jumped to led to; without it that one is still in use. */
function retired(place: string, jump: string, inner?: string): Retired {
  return { place, jump, chains: inner === undefined ? [] : [jump.slice(jump.lastIndexOf(' ') + 1), inner] };
}
