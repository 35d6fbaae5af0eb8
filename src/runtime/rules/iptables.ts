/**
 * The plan as a POSIX shell script for iptables and ip6tables: own chains, filled and hooked in one transaction each.
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
import { DESCRIPTION, FAMILIES, QUIC_PORT, hex } from './plan.ts';
import type { Family, Hook, QuicRule, RulesPlan } from './plan.ts';
import { CHECKS, FILL, PRELUDE, REMOVE } from './shell.ts';

export function renderIptables(plan: RulesPlan): string {
  const { hook } = plan;
  return [
    '#!/bin/sh',
    `# Rules of tlspin for ${DESCRIPTION[hook]}, configuration ${plan.configuration}.`,
    `# Safe to run again. \`tlspin rules --hook ${hook} --remove\` prints what undoes it.`,
    PRELUDE,
    CHECKS,
    FILL,
    REMOVE,
    ...FAMILIES.map((family) =>
      section(
        family,
        PARTS[hook].map((part) => application(part, plan, family)),
      ),
    ),
  ].join('\n');
}

export function renderIptablesRemoval(hook: Hook): string {
  const parts = [...PARTS[hook]].reverse();
  return [
    '#!/bin/sh',
    `# Takes away the rules of tlspin for ${DESCRIPTION[hook]}.`,
    PRELUDE,
    REMOVE,
    ...FAMILIES.map((family) =>
      section(
        family,
        parts.map((part) => removal(part, family)),
      ),
    ),
  ].join('\n');
}

/** One built-in chain that we jump from and our own chains behind it. Nothing in it depends on the configuration. */
interface Part {
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
const PARTS: Readonly<Record<Hook, readonly Part[]>> = {
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
      match: `-p udp --dport ${QUIC_PORT}`,
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
      match: `-p udp --dport ${QUIC_PORT} -m addrtype ! --dst-type LOCAL`,
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

function section(family: Family, parts: readonly string[]): string {
  if (family === 'ipv4') return `\n# IPv4\n${parts.join('\n')}\n`;
  return `# IPv6, where the kernel has it\n[ -e /proc/net/if_inet6 ] || exit 0\n${parts.join('\n')}\n`;
}

/** What the part needs; its removal where an earlier run may have left what this plan does without. */
function application(part: Part, plan: RulesPlan, family: Family): string {
  const rules = rulesOf(part, plan, family);
  if (rules.length === 0) return removal(part, family);
  return [
    `fill ${PROGRAM[family]} ${part.table} ${part.builtin} '${jump(part)}' <<'EOF'`,
    ...chains(part).map((chain) => `:${chain} - [0:0]`),
    ...rules,
    'EOF',
  ].join('\n');
}

function removal(part: Part, family: Family): string {
  return `remove ${PROGRAM[family]} ${part.table} ${part.builtin} '${jump(part)}' ${chains(part).join(' ')}`;
}

function jump(part: Part): string {
  return `${part.match} -j ${part.chain}`;
}

function chains(part: Part): string[] {
  return part.inner === null ? [part.chain] : [part.chain, part.inner];
}

function rulesOf(part: Part, plan: RulesPlan, family: Family): string[] {
  const inner = part.inner ?? part.chain;
  const isTcp = part.protocol === 'tcp';
  if (!isTcp && part.role !== 'quic' && !plan.datagrams) return [];
  const behindPorts = (rules: readonly string[]) => [
    ...byPort(part, plan),
    ...rules.map((rule) => `-A ${inner} ${rule}`),
  ];
  switch (part.role) {
    case 'queue':
      return behindPorts(isTcp ? queueRules(plan, part) : datagramQueueRules(plan, part, family));
    case 'save':
      return plan.packetMark ? behindPorts(isTcp ? saveRules(plan) : datagramSaveRules(plan)) : [];
    case 'quic':
      return plan.quic[family].map((rule) => `-A ${inner} ${quicRule(rule, family)}`);
    case 'refuse':
      return behindPorts(refuseRules(plan, family));
    default:
      return part.role satisfies never;
  }
}

/** Either port: conntrack may have picked a connection up by a packet of its server. */
function byPort(part: Part, plan: RulesPlan): string[] {
  return portGroups(plan.ports).map(
    (group) => `-A ${part.chain} -p ${part.protocol} -m multiport --ports ${group} -g ${part.inner ?? part.chain}`,
  );
}

/**
 * INVALID and UNTRACKED packets have no connection and so no mark. SYN and SYN/ACK come to the engine whatever the mark:
 * conntrack keeps an entry and its mark when a connection's addresses and ports are used again.
 */
function queueRules(plan: RulesPlan, { builtin }: Part): string[] {
  const { connmark, probe } = plan;
  return [
    '-m conntrack --ctstate INVALID -j DROP',
    '-m conntrack --ctstate UNTRACKED -m limit --limit 6/min -j LOG --log-prefix "tlspin: untracked: "',
    '-m conntrack --ctstate UNTRACKED -j DROP',
    ...(probe === null ? [] : probeRules(hex(probe), builtin === 'OUTPUT')),
    ...(plan.packetMark ? [`-j CONNMARK --restore-mark ${bits(plan)}`] : []),
    `-p tcp -m tcp --tcp-flags SYN SYN ${queue(plan)}`,
    `-m connmark --mark ${hex(connmark.deny)}/${hex(connmark.mask)} -j DROP`,
    `-m connmark --mark ${hex(connmark.accept)}/${hex(connmark.mask)} -j RETURN`,
    queue(plan),
  ];
}

/**
 * The connections of probes go by. Each SYN that leaves says anew whose connection it begins, so nobody inherits a
 * probe's by using its addresses and ports again; and a SYN that comes in is no answer.
 */
function probeRules(mark: string, isOutgoing: boolean): string[] {
  const bit = `${mark}/${mark}`;
  if (!isOutgoing) return [`-p tcp -m tcp ! --tcp-flags SYN,ACK SYN -m connmark --mark ${bit} -j RETURN`];
  return [
    `-p tcp -m tcp --tcp-flags SYN SYN -j CONNMARK --set-xmark 0x0/${mark}`,
    `-p tcp -m tcp --tcp-flags SYN,ACK SYN -m mark --mark ${bit} -j CONNMARK --set-xmark ${bit}`,
    `-m connmark --mark ${bit} -j RETURN`,
  ];
}

/**
 * What begins a connection comes to the engine whatever the mark, as SYN does: the same endpoints may have another one. In
 * INPUT nothing comes that could tell a server, so what is denied ends there.
 */
function datagramQueueRules(plan: RulesPlan, { builtin }: Part, family: Family): string[] {
  const { connmark } = plan;
  return [
    '-m conntrack --ctstate INVALID -j DROP',
    '-m conntrack --ctstate UNTRACKED -m limit --limit 6/min -j LOG --log-prefix "tlspin: untracked: "',
    '-m conntrack --ctstate UNTRACKED -j DROP',
    ...(plan.packetMark ? [`-j CONNMARK --restore-mark ${bits(plan)}`] : []),
    ...BEGINNINGS[family].map((beginning) => `-m u32 --u32 "${beginning}" ${queue(plan)}`),
    `-m connmark --mark ${hex(connmark.deny)}/${hex(connmark.mask)} -j ${builtin === 'INPUT' ? 'DROP' : 'RETURN'}`,
    `-m connmark --mark ${hex(connmark.accept)}/${hex(connmark.mask)} -j RETURN`,
    queue(plan),
  ];
}

/** Every verdict that is told counts: the engine says with each datagram what holds from then on. */
function datagramSaveRules(plan: RulesPlan): string[] {
  return [`-m mark --mark 0x0/${hex(plan.connmark.mask)} -j RETURN`, `-j CONNMARK --save-mark ${bits(plan)}`];
}

/** A datagram that is refused never comes to the rule that would save its mark. */
function refuseRules(plan: RulesPlan, family: Family): string[] {
  const { deny, mask } = plan.connmark;
  const denied = `-m connmark --mark ${hex(deny)}/${hex(mask)}`;
  return [
    ...(plan.packetMark ? [`-m mark --mark ${hex(deny)}/${hex(mask)} -j CONNMARK --save-mark ${bits(plan)}`] : []),
    `${denied} -m conntrack --ctdir ORIGINAL -j REJECT --reject-with ${PORT_UNREACHABLE[family]}`,
    `${denied} -j DROP`,
  ];
}

/**
 * A packet leaves the queue with the engine's bits set only if its verdict changes the connmark. A decided flow's bits
 * are final until its next SYN: whatever marks its packets later must not reach them.
 */
function saveRules(plan: RulesPlan): string[] {
  const { connmark } = plan;
  return [
    `-m mark --mark 0x0/${hex(connmark.mask)} -j RETURN`,
    `-p tcp -m tcp --tcp-flags SYN SYN -j CONNMARK --save-mark ${bits(plan)}`,
    `-m connmark --mark ${hex(connmark.deny)}/${hex(connmark.mask)} -j RETURN`,
    `-m connmark --mark ${hex(connmark.accept)}/${hex(connmark.mask)} -j RETURN`,
    `-j CONNMARK --save-mark ${bits(plan)}`,
  ];
}

function bits(plan: RulesPlan): string {
  return `--nfmask ${hex(plan.owned)} --ctmask ${hex(plan.owned)}`;
}

/** Never --queue-cpu-fanout, which would part a flow's directions; the default hash keeps them together. */
function queue(plan: RulesPlan): string {
  const [first, last] = plan.queues;
  const numbers = first === last ? `--queue-num ${first}` : `--queue-balance ${first}:${last}`;
  return `-j NFQUEUE ${numbers}${plan.queueBypass ? ' --queue-bypass' : ''}`;
}

function quicRule(rule: QuicRule, family: Family): string {
  const from = rule.client === null ? '' : `-s ${rule.client} `;
  const to = rule.server === null ? '' : `-d ${rule.server} `;
  return `${from}${to}${rule.action === 'drop' ? '-j DROP' : `-j REJECT --reject-with ${PORT_UNREACHABLE[family]}`}`;
}

/** multiport takes 15 ports; a range counts as two. */
export function portGroups(ports: readonly (readonly [number, number])[]): string[] {
  const groups: { text: string[]; room: number }[] = [];
  for (const [first, last] of ports) {
    const cost = first === last ? 1 : 2;
    let group = groups.at(-1);
    if (group === undefined || group.room < cost) {
      group = { text: [], room: MULTIPORT_PORTS };
      groups.push(group);
    }
    group.text.push(first === last ? `${first}` : `${first}:${last}`);
    group.room -= cost;
  }
  return groups.map((group) => group.text.join(','));
}

/** XT_MULTI_PORTS (linux/netfilter/xt_multiport.h). */
const MULTIPORT_PORTS = 15;

const PROGRAM: Readonly<Record<Family, string>> = { ipv4: 'iptables', ipv6: 'ip6tables' };
const PORT_UNREACHABLE: Readonly<Record<Family, string>> = {
  ipv4: 'icmp-port-unreachable',
  ipv6: 'icmp6-port-unreachable',
};

/**
 * A long header of QUIC (RFC 8999 §5.1: the first bit), and a handshake record of DTLS in clear (type 22, epoch 0), where
 * UDP's data begins: behind IPv4's header, whose length is in it, and behind IPv6's without extension headers.
 */
const BEGINNINGS: Readonly<Record<Family, readonly string[]>> = {
  ipv4: ['0>>22&0x3C@8>>31=1', '0>>22&0x3C@8>>24=22&&0>>22&0x3C@11>>16=0'],
  ipv6: ['48>>31=1', '48>>24=22&&51>>16=0'],
};
