/**
 * The plan as a POSIX shell script for iptables and ip6tables: own chains, filled and hooked in one transaction each, with
 * the rules of streams in them; those of datagrams are in iptables-datagrams.ts.
 */
import { datagramQueueRules, datagramSaveRules, refuseRules } from './iptables-datagrams.ts';
import { type Part, PARTS } from './iptables-parts.ts';
import { DESCRIPTION, FAMILIES, hex } from './plan.ts';
import type { Family, Hook, Ports, QuicRule, RulesPlan } from './plan.ts';
import { CHECKS, FILL, PRELUDE, REMOVE } from './shell.ts';
import { bits, PORT_UNREACHABLE, queue } from './iptables-targets.ts';

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
      return plan.quic[family].flatMap((rule) => quicRules(rule, family).map((each) => `-A ${inner} ${each}`));
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

function quicRules(rule: QuicRule, family: Family): string[] {
  const from = rule.client === null ? '' : `-s ${rule.client} `;
  const to = rule.server === null ? '' : `-d ${rule.server} `;
  const target = rule.action === 'drop' ? '-j DROP' : `-j REJECT --reject-with ${PORT_UNREACHABLE[family]}`;
  return portGroups(rule.ports).map((group) => `${from}${to}-p udp -m multiport --dports ${group} ${target}`);
}

/** multiport takes 15 ports; a range counts as two. */
export function portGroups(ports: Ports): string[] {
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
