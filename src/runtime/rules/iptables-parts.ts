/**
 * Where iptables' rules are hooked in: our own chains, and the built-in ones that jump to them. Nothing in it depends on
 * the configuration.
 *
 *   forwarded   security FORWARD -> queue ......... mangle POSTROUTING -> save
 *   own, out    security OUTPUT  -> queue ......... mangle POSTROUTING -> save
 *   own, in     mangle   INPUT   -> queue ......... security INPUT     -> save
 *
 * An ACCEPT verdict ends the table's chain at that hook. So the queue sits in a table in which users keep no rules of
 * their own (in mangle FORWARD it would skip their TCPMSS, in filter their firewall), and the save sits in a table or
 * hook that comes later. In security OUTPUT a DNAT is already done: both directions of a flow show the same addresses.
 *
 * With `--queue-udp` datagrams are queued in mangle, ahead of filter, because only filter can REJECT: the engine marks
 * what it refuses, and its sender hears of it at once.
 *
 *   forwarded   mangle FORWARD -> queue ... filter FORWARD -> refuse ... mangle POSTROUTING -> save
 *   own, out    mangle OUTPUT  -> queue ... filter OUTPUT  -> refuse ... mangle POSTROUTING -> save
 *   own, in     mangle INPUT   -> queue .............................. security INPUT     -> save
 */
import type { Hook } from './plan.ts';

/** One built-in chain that we jump from and our own chains behind it. */
export interface Part {
  readonly role: 'queue' | 'save' | 'quic' | 'refuse';
  /** `udp` parts are there with `--queue-udp`, but for `quic`, which is there without. */
  readonly protocol: 'tcp' | 'udp';
  readonly table: 'security' | 'mangle' | 'filter';
  readonly builtin: 'FORWARD' | 'INPUT' | 'OUTPUT' | 'POSTROUTING';
  /** Which packets jump. */
  readonly match: string;
  /** The chain that is jumped to: it picks the ports. `quic` has only this one. */
  readonly chain: string;
  /** The chain that acts on what was picked. */
  readonly inner: string | null;
}

/**
 * In the order in which they are put in place: nothing is queued before its mark would be saved.
 *
 * Loopback traffic never leaves the host and is left alone. In OUTPUT the device is still the one from before a DNAT, so
 * the destination's own type is asked instead.
 */
export const PARTS: Readonly<Record<Hook, readonly Part[]>> = {
  forward: [
    {
      role: 'save',
      protocol: 'tcp',
      table: 'mangle',
      builtin: 'POSTROUTING',
      match: '-p tcp -m addrtype ! --src-type LOCAL',
      chain: 'tlspin-save',
      inner: 'tlspin-mark',
    },
    {
      role: 'queue',
      protocol: 'tcp',
      table: 'security',
      builtin: 'FORWARD',
      match: '-p tcp',
      chain: 'tlspin',
      inner: 'tlspin-flow',
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
      role: 'save',
      protocol: 'udp',
      table: 'mangle',
      builtin: 'POSTROUTING',
      match: '-p udp -m addrtype ! --src-type LOCAL',
      chain: 'tlspin-udp-save',
      inner: 'tlspin-udp-mark',
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
    },
  ],
  local: [
    {
      role: 'save',
      protocol: 'tcp',
      table: 'mangle',
      builtin: 'POSTROUTING',
      match: '-p tcp ! -o lo -m addrtype --src-type LOCAL',
      chain: 'tlspin-save-out',
      inner: 'tlspin-mark-out',
    },
    {
      role: 'save',
      protocol: 'tcp',
      table: 'security',
      builtin: 'INPUT',
      match: '-p tcp ! -i lo',
      chain: 'tlspin-save-in',
      inner: 'tlspin-mark-in',
    },
    {
      role: 'queue',
      protocol: 'tcp',
      table: 'mangle',
      builtin: 'INPUT',
      match: '-p tcp ! -i lo',
      chain: 'tlspin-in',
      inner: 'tlspin-flow-in',
    },
    {
      role: 'queue',
      protocol: 'tcp',
      table: 'security',
      builtin: 'OUTPUT',
      match: '-p tcp -m addrtype ! --dst-type LOCAL',
      chain: 'tlspin-out',
      inner: 'tlspin-flow-out',
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
      role: 'save',
      protocol: 'udp',
      table: 'mangle',
      builtin: 'POSTROUTING',
      match: '-p udp ! -o lo -m addrtype --src-type LOCAL',
      chain: 'tlspin-udp-save-out',
      inner: 'tlspin-udp-mark-out',
    },
    {
      role: 'save',
      protocol: 'udp',
      table: 'security',
      builtin: 'INPUT',
      match: '-p udp ! -i lo',
      chain: 'tlspin-udp-save-in',
      inner: 'tlspin-udp-mark-in',
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
    },
    {
      role: 'queue',
      protocol: 'udp',
      table: 'mangle',
      builtin: 'OUTPUT',
      match: '-p udp -m addrtype ! --dst-type LOCAL',
      chain: 'tlspin-udp-out',
      inner: 'tlspin-udp-flow-out',
    },
  ],
};
