/**
 * The plan as a POSIX shell script for iptables and ip6tables: own chains, filled and hooked in one transaction each, with
 * the rules of streams in them; those of datagrams are in iptables-datagrams.ts.
 */
import { datagramQueueRules, datagramSaveRules, refuseRules } from './iptables-datagrams.ts';
import { CLOSED, type Part, PARTS, RETIRED } from './iptables-parts.ts';
import { DESCRIPTION, FAMILIES, hex } from './plan.ts';
import type { Family, Hook, Ports, QuicRule, RulesPlan } from './plan.ts';
import { UNWAY, unwayOf, WAY, wayOf } from './probe-way.ts';
import { CHECKS, FILL, PRELUDE, REMOVE, SPARE } from './shell.ts';
import {
  ask,
  askRules,
  clearRule,
  PORT_UNREACHABLE,
  queue,
  queueProbes,
  saveRules,
  toldRule,
} from './iptables-targets.ts';

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
    ...(hook === 'forward' ? [WAY] : []),
    ...(plan.sparesOpen ? [SPARE] : []),
    ...FAMILIES.map((family) =>
      section(family, [
        ...spared(plan, family),
        // What the next rules tell of is complete by then.
        ...(hook === 'forward' ? [wayOf(plan.asClients, family)] : []),
        ...PARTS[hook].map((part) => application(part, plan, family)),
        ...retiredRemovals(hook, family),
      ]),
    ),
  ].join('\n');
}

export function renderIptablesRemoval(hooks: readonly Hook[]): string {
  return [
    '#!/bin/sh',
    `# Takes away the rules of tlspin for ${hooks.map((hook) => DESCRIPTION[hook]).join(', and for ')}.`,
    PRELUDE,
    REMOVE,
    ...(hooks.includes('forward') ? [UNWAY] : []),
    ...FAMILIES.map((family) =>
      section(
        family,
        hooks.flatMap((hook) => removals(hook, family)),
      ),
    ),
  ].join('\n');
}

function removals(hook: Hook, family: Family): string[] {
  const parts = [...PARTS[hook]].reverse();
  return [
    ...retiredRemovals(hook, family),
    ...(hook === 'forward' ? [unwayOf(family)] : []),
    ...parts.map((part) => removal(part, family)),
  ];
}

function section(family: Family, parts: readonly string[]): string {
  if (family === 'ipv4') return `\n# IPv4\n${parts.join('\n')}\n`;
  return `# IPv6, where the kernel has it\n[ -e /proc/net/if_inet6 ] || exit 0\n${parts.join('\n')}\n`;
}

/** A connection has one mark, whichever way its packets go. */
function spared({ hook, sparesOpen, datagrams, connmark }: RulesPlan, family: Family): string[] {
  if (!sparesOpen) return [];
  return (datagrams ? (['tcp', 'udp'] as const) : (['tcp'] as const)).map((protocol) => {
    const { table, builtin, ...part } = PARTS[hook].find(
      (part) => part.role === 'queue' && part.protocol === protocol,
    )!;
    const mark = `${hex(connmark.accept)}/${hex(connmark.mask)}`;
    return `spare ${family} ${protocol} ${mark} ${PROGRAM[family]} ${table} ${builtin} '${jump(part)}'`;
  });
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

function retiredRemovals(hook: Hook, family: Family): string[] {
  return [...RETIRED[hook], CLOSED[hook]].map(({ place, jump, chains }) =>
    ['remove', PROGRAM[family], place, `'${jump}'`, ...chains].join(' '),
  );
}

function jump(part: Pick<Part, 'match' | 'chain'>): string {
  return `${part.match} -j ${part.chain}`;
}

/** Each after those that lead to it. */
function chains({ chain, inner, told, ask }: Part): string[] {
  return [chain, inner, told, ask].filter((name) => name !== undefined && name !== null);
}

function rulesOf(part: Part, plan: RulesPlan, family: Family): string[] {
  const inner = part.inner ?? part.chain;
  const isTcp = part.protocol === 'tcp';
  const append = (name: string | undefined, rules: readonly string[]) => rules.map((rule) => `-A ${name} ${rule}`);
  if (!isTcp && part.role !== 'quic' && !plan.datagrams) return [];
  const behindPorts = (rules: readonly string[]) => [...byPort(part, plan), ...append(inner, rules)];
  switch (part.role) {
    case 'guard':
      return plan.packetMark ? append(inner, [guardRule(plan)]) : [];
    case 'queue': {
      const queued = behindPorts(isTcp ? queueRules(plan, part) : datagramQueueRules(plan, part, family));
      if (!plan.packetMark) return queued;
      const saved = append(part.told, isTcp ? saveRules(plan) : datagramSaveRules(plan, part));
      return [...queued, ...saved, ...append(part.ask, askRules(plan))];
    }
    case 'probe':
      return plan.asClients === null ? [] : append(inner, asClientRules(plan.asClients, plan, part));
    case 'guise':
      return plan.asClients === null ? [] : append(inner, [queueProbes(plan.asClients, plan)]);
    case 'bridge':
      return plan.overBridges === null ? [] : append(inner, [overBridgeRule(plan.overBridges, plan, part)]);
    case 'quic':
      return append(
        inner,
        plan.quic[family].flatMap((rule) => quicRules(rule, family)),
      );
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
function queueRules(plan: RulesPlan, part: Part): string[] {
  const { connmark, probe } = plan;
  return [
    ...(plan.packetMark ? [toldRule(plan, part)] : []),
    '-m conntrack --ctstate INVALID -j DROP',
    '-m conntrack --ctstate UNTRACKED -m limit --limit 6/min -j LOG --log-prefix "tlspin: untracked: "',
    '-m conntrack --ctstate UNTRACKED -j DROP',
    ...(probe === null ? [] : probeRules(probe, plan, part)),
    ...(plan.packetMark ? [clearRule(plan)] : []),
    `-p tcp -m tcp --tcp-flags SYN SYN ${ask(plan, part)}`,
    `-m connmark --mark ${hex(connmark.deny)}/${hex(connmark.mask)} -j DROP`,
    `-m connmark --mark ${hex(connmark.accept)}/${hex(connmark.mask)} -j RETURN`,
    ask(plan, part),
  ];
}

/**
 * The connections of probes go by. Each SYN that leaves says anew whose connection it begins, so nobody inherits a
 * probe's by using its addresses and ports again; and a SYN that comes in is no answer.
 */
function probeRules(probe: number, { connmark }: RulesPlan, { builtin }: Part): string[] {
  const mark = hex(probe);
  const bit = `${mark}/${mark}`;
  const alone = `${mark}/${hex(probe | connmark.told | connmark.mask)}`;
  if (builtin !== 'OUTPUT') return [`-p tcp -m tcp ! --tcp-flags SYN,ACK SYN -m connmark --mark ${bit} -j RETURN`];
  return [
    `-p tcp -m tcp --tcp-flags SYN SYN -j CONNMARK --set-xmark 0x0/${mark}`,
    `-p tcp -m tcp --tcp-flags SYN,ACK SYN -m mark --mark ${alone} -j CONNMARK --set-xmark ${bit}`,
    `-m connmark --mark ${bit} -j RETURN`,
  ];
}

/**
 * A connection is a probe's where its first packet leaves with the mark, and nobody's that was there before; what is
 * answered to it is marked so that it comes here. Who uses its addresses and ports next, here or behind here, says so by
 * a SYN.
 */
function asClientRules(probe: number, { connmark }: RulesPlan, { builtin }: Part): string[] {
  const mark = hex(probe);
  const bit = `${mark}/${mark}`;
  const alone = `${mark}/${hex(probe | connmark.told | connmark.mask)}`;
  if (builtin === 'OUTPUT') {
    return [
      `-p tcp -m tcp --tcp-flags SYN,ACK SYN -m mark ! --mark ${bit} -j CONNMARK --set-xmark 0x0/${mark}`,
      `-p tcp -m tcp --tcp-flags SYN,ACK SYN -m conntrack --ctstate NEW -m mark --mark ${alone} -j CONNMARK --set-xmark ${bit}`,
    ];
  }
  return [
    `-p tcp -m tcp --tcp-flags SYN,ACK SYN -m conntrack --ctdir ORIGINAL -j CONNMARK --set-xmark 0x0/${mark}`,
    `-m conntrack --ctdir REPLY -m connmark --mark ${bit} -j MARK --set-xmark ${bit}`,
  ];
}

/** Its source is asked for by the mark, where one is asked for at all. */
function overBridgeRule(probe: number, plan: RulesPlan, { builtin }: Part): string {
  return builtin === 'PREROUTING' ? `-j MARK --set-xmark ${hex(probe)}/${hex(probe)}` : queue(plan);
}

/** Only what has been in the queue says what holds: it comes here again from behind this rule. */
function guardRule({ connmark: { told } }: RulesPlan): string {
  return `-m mark --mark ${hex(told)}/${hex(told)} -j MARK --set-xmark 0x0/${hex(told)}`;
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
