/**
 * The plan as a file for `nft -f`: one table of our own for both families, replaced in one transaction.
 *
 * Here an ACCEPT verdict ends only our own base chain, which sits behind the user's mangle and filter chains, ahead of
 * the address translation of replies (srcnat, priority 100); NF_REPEAT goes through that chain again.
 */
import { BRIDGE_DEVICE } from './bridge-way.ts';
import { DESCRIPTION, FAMILIES, hex } from './plan.ts';
import type { Hook, Ports, QuicRule, RulesPlan } from './plan.ts';
import { wayCommands } from './probe-way.ts';

export function renderNft(plan: RulesPlan): string {
  const { hook } = plan;
  return [
    '#!/usr/sbin/nft -f',
    `# Rules of tlspin for ${DESCRIPTION[hook]}, configuration ${plan.configuration}.`,
    `# Safe to load again. \`tlspin rules --format nft --hook ${hook} --remove\` prints what undoes it.`,
    '# net.netfilter.nf_conntrack_tcp_be_liberal must be 0.',
    ...(plan.sparesOpen ? spareHint(plan) : []),
    ...(plan.asClients === null ? [] : wayHint(plan.asClients)),
    ...dropTable(hook),
    `table inet ${TABLE[hook]} {`,
    ...(plan.packetMark ? markChains(plan) : []),
    ...HOOKS[hook].flatMap((base) => [
      ...block(`flows_${base.hook}`, queueRules(plan, base)),
      ...block(`queue_${base.hook}`, [header(base, PRIORITY.queue), ...byPort(plan, base.match, `flows_${base.hook}`)]),
    ]),
    ...(plan.asClients === null ? [] : asClientChains(plan.asClients, plan)),
    ...(plan.overBridges === null ? [] : overBridgeChains(plan.overBridges, plan)),
    ...quicChain(plan),
    ...(plan.datagrams ? datagramChains(plan) : []),
    '}',
    '',
  ].join('\n');
}

export function renderNftRemoval(hooks: readonly Hook[]): string {
  return [
    '#!/usr/sbin/nft -f',
    `# Takes away the rules of tlspin for ${hooks.map((hook) => DESCRIPTION[hook]).join(', and for ')}.`,
    ...hooks.flatMap(dropTable),
    '',
  ].join('\n');
}

interface Base {
  readonly hook: 'forward' | 'input' | 'output';
  /** Which packets are looked at; loopback traffic never leaves the host and is left alone. */
  readonly match: string;
}

/** In output the device is still the one from before a DNAT, so the destination's own type is asked instead. */
const HOOKS: Readonly<Record<Hook, readonly Base[]>> = {
  forward: [{ hook: 'forward', match: '' }],
  local: [
    { hook: 'input', match: 'iifname != "lo" ' },
    { hook: 'output', match: 'fib daddr type != local ' },
  ],
};

export const TABLE: Readonly<Record<Hook, string>> = { forward: 'tlspin', local: 'tlspin_local' };

/** Between filter (0) and security (50). QUIC is refused ahead of filter's usual `established accept`. */
const PRIORITY = { queue: 40, quic: -5, datagrams: -10, refuse: -5, guard: -11, probe: -149 } as const;

function spareHint({ connmark }: RulesPlan): string[] {
  const mark = `${hex(connmark.accept)}/${hex(connmark.mask)}`;
  const commands = FAMILIES.map((family) => `conntrack -U -f ${family} -p tcp -m ${mark}`);
  return [`# Once, before it is loaded for the first time, so that open connections go on: ${commands.join('; ')}`];
}

function wayHint(mark: number): string[] {
  const commands = wayCommands(mark).map((command) => `#   ${command}`);
  return ["# Once, so that what is answered to probes with their clients' addresses comes back:", ...commands];
}

/** Creating it first makes the deletion succeed where there is none. */
function dropTable(hook: Hook): string[] {
  return [`table inet ${TABLE[hook]}`, `delete table inet ${TABLE[hook]}`];
}

function header(base: Base, priority: number): string {
  return `type filter hook ${base.hook} priority ${priority}; policy accept;`;
}

function block(name: string, lines: readonly string[]): string[] {
  return [`  chain ${name} {`, ...lines.map((line) => `    ${line}`), '  }'];
}

/** Either port: conntrack may have picked a connection up by a packet of its server. */
function byPort(plan: RulesPlan, match: string, target: string, protocol: 'tcp' | 'udp' = 'tcp'): string[] {
  return ['dport', 'sport'].map((side) => `${match}${protocol} ${side} ${portSet(plan.ports)} goto ${target}`);
}

function portSet(ports: Ports): string {
  return `{ ${ports.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(', ')} }`;
}

/** As the iptables script does it, in the same order. */
function queueRules(plan: RulesPlan, base: Base): string[] {
  const { mask, deny, accept } = plan.connmark;
  return [
    ...toldRule(plan, 'told'),
    ...UNKNOWN,
    ...(plan.probe === null ? [] : probeRules(plan.probe, plan, base)),
    ...clearRule(plan),
    `tcp flags & syn == syn ${ask(plan)}`,
    `ct mark & ${hex(mask)} == ${hex(deny)} drop`,
    `ct mark & ${hex(mask)} == ${hex(accept)} return`,
    ask(plan),
  ];
}

function toldRule({ packetMark, connmark: { told } }: RulesPlan, chain: string): string[] {
  return packetMark ? [`meta mark & ${hex(told)} == ${hex(told)} goto ${chain}`] : [];
}

function clearRule(plan: RulesPlan): string[] {
  return plan.packetMark ? [cleared(plan.owned)] : [];
}

function cleared(mark: number): string {
  return `meta mark set meta mark & ${hex(~mark)}`;
}

/** What queues a packet. */
function ask(plan: RulesPlan): string {
  return plan.packetMark ? 'goto ask' : queue(plan);
}

/** What saves what verdicts say, what asks for them, and what keeps others from saying something. */
function markChains(plan: RulesPlan): string[] {
  const { mask, deny, told } = plan.connmark;
  const save = [...copies(plan, 'meta mark', 'ct mark', decided(plan)), cleared(plan.owned | told)];
  return [
    ...block('told', save),
    ...(plan.datagrams && plan.hook === 'local'
      ? block('told_datagrams_input', [...save, `ct mark & ${hex(mask)} == ${hex(deny)} drop`])
      : []),
    ...block('ask', [...copies(plan, 'ct mark', 'meta mark', [0, ...decided(plan)]), queue(plan)]),
    ...HOOKS[plan.hook].flatMap((base) =>
      block(`guard_${base.hook}`, [
        header(base, PRIORITY.guard),
        `meta mark & ${hex(told)} == ${hex(told)} ${cleared(told)}`,
      ]),
    ),
  ];
}

function probeRules(mark: number, { connmark }: RulesPlan, { hook }: Base): string[] {
  const bit = hex(mark);
  const isProbe = `ct mark & ${bit} == ${bit}`;
  if (hook === 'input') return [`tcp flags & (syn | ack) != syn ${isProbe} return`];
  return [
    `tcp flags & syn == syn ct mark set ct mark & ${hex(~mark)}`,
    `tcp flags & (syn | ack) == syn meta mark & ${hex(mark | connmark.told | connmark.mask)} == ${bit} ct mark set ct mark | ${bit}`,
    `${isProbe} return`,
  ];
}

/** As the iptables script does it, for probes that leave with their clients' addresses. */
function asClientChains(mark: number, plan: RulesPlan): string[] {
  const { connmark } = plan;
  const bit = hex(mark);
  const queued = `ct mark & ${bit} == ${bit} ${queue(plan)}`;
  const cleared = `ct mark set ct mark & ${hex(~mark)}`;
  const isAlone = `meta mark & ${hex(mark | connmark.told | connmark.mask)} == ${bit}`;
  return [
    ...block('probe_prerouting', [
      `type filter hook prerouting priority ${PRIORITY.probe}; policy accept;`,
      `tcp flags & (syn | ack) == syn ct direction original ${cleared}`,
      `meta l4proto tcp ct direction reply ct mark & ${bit} == ${bit} meta mark set meta mark | ${bit}`,
    ]),
    ...block('probe_output', [
      `type filter hook output priority ${PRIORITY.probe}; policy accept;`,
      `tcp flags & (syn | ack) == syn meta mark & ${bit} != ${bit} ${cleared}`,
      `tcp flags & (syn | ack) == syn ct state new ${isAlone} ct mark set ct mark | ${bit}`,
    ]),
    ...block('probe_leave', [
      `type filter hook output priority ${PRIORITY.queue}; policy accept;`,
      `meta l4proto tcp oifname != "${BRIDGE_DEVICE}" fib saddr type != local ${queued}`,
    ]),
    ...block('probe_come', [
      `type filter hook input priority ${PRIORITY.queue}; policy accept;`,
      `meta l4proto tcp iifname != "${BRIDGE_DEVICE}" fib daddr type != local ${queued}`,
    ]),
  ];
}

/** Likewise for those that take a bridge. None is queued twice. */
function overBridgeChains(mark: number, plan: RulesPlan): string[] {
  return [
    ...block('bridge_prerouting', [
      `type filter hook prerouting priority ${PRIORITY.probe}; policy accept;`,
      `iifname "${BRIDGE_DEVICE}" meta l4proto tcp meta mark set meta mark | ${hex(mark)}`,
    ]),
    ...block('bridge_leave', [
      `type filter hook output priority ${PRIORITY.queue}; policy accept;`,
      `oifname "${BRIDGE_DEVICE}" meta l4proto tcp ${queue(plan)}`,
    ]),
    ...block('bridge_come', [
      `type filter hook input priority ${PRIORITY.queue}; policy accept;`,
      `iifname "${BRIDGE_DEVICE}" meta l4proto tcp ${queue(plan)}`,
    ]),
  ];
}

function decided(plan: RulesPlan): readonly number[] {
  return [plan.connmark.pending, plan.connmark.accept, plan.connmark.deny];
}

/**
 * One rule a state, since kernels before 6.14 cannot combine two marks in one expression; one that is reached bit by bit
 * would be another one in between. The bits that verdicts add come one by one, and before the state.
 */
function copies(plan: RulesPlan, from: string, to: string, states: readonly number[]): string[] {
  const { mask } = plan.connmark;
  const added = Array.from({ length: 32 }, (_, at) => (plan.owned & ~mask & (1 << at)) >>> 0).filter(
    (bit) => bit !== 0,
  );
  const condition = states.includes(0) ? '' : `${from} & ${hex(mask)} != 0x0 `;
  return [
    ...added.flatMap((bit) => [
      `${condition}${from} & ${hex(bit)} == 0x0 ${to} set ${to} & ${hex(~bit)}`,
      `${condition}${from} & ${hex(bit)} != 0x0 ${to} set ${to} | ${hex(bit)}`,
    ]),
    ...states.map((state) => `${from} & ${hex(mask)} == ${hex(state)} ${to} set ${to} & ${hex(~mask)} | ${hex(state)}`),
  ];
}

/** Without the fanout flag the hash keeps both directions of a flow in one queue. What is sent is counted: failOpen may not tell. */
function queue(plan: RulesPlan): string {
  const [first, last] = plan.queues;
  return `counter queue num ${first === last ? first : `${first}-${last}`}${plan.queueBypass ? ' bypass' : ''}`;
}

/** As the iptables script does it: queued ahead of filter, refused behind that. */
function datagramChains(plan: RulesPlan): string[] {
  const { mask, deny, accept } = plan.connmark;
  const denied = `ct mark & ${hex(mask)} == ${hex(deny)}`;
  const queued = ({ hook }: Base) => [
    ...toldRule(plan, hook === 'input' ? 'told_datagrams_input' : 'told'),
    ...UNKNOWN,
    ...clearRule(plan),
    ...BEGINNINGS.map((beginning) => `${beginning} ${ask(plan)}`),
    // In input nothing comes that could tell a server.
    `${denied} ${hook === 'input' ? 'drop' : 'return'}`,
    `ct mark & ${hex(mask)} == ${hex(accept)} return`,
    ask(plan),
  ];
  const refused = [
    // Nothing that is refused on its way in is told to a server.
    `${denied} ct direction original ${plan.hook === 'local' ? 'fib saddr type local ' : ''}reject with icmpx type port-unreachable`,
    `${denied} drop`,
  ];
  return [
    ...block('datagram_refusals', refused),
    ...HOOKS[plan.hook].flatMap((base) => [
      ...block(`datagrams_${base.hook}`, queued(base)),
      ...block(`queue_datagrams_${base.hook}`, [
        header(base, PRIORITY.datagrams),
        ...byPort(plan, base.match, `datagrams_${base.hook}`, 'udp'),
      ]),
      ...block(`datagram_refusals_${base.hook}`, [
        header(base, PRIORITY.refuse),
        ...byPort(plan, base.match, 'datagram_refusals', 'udp'),
      ]),
    ]),
  ];
}

function quicChain(plan: RulesPlan): string[] {
  const rules = FAMILIES.flatMap((family) => {
    const word = family === 'ipv4' ? 'ip' : 'ip6';
    return plan.quic[family].map((rule) => quicRule(rule, word));
  });
  if (rules.length === 0) return [];
  const base: Base = HOOKS[plan.hook].find((candidate) => candidate.hook !== 'input') ?? { hook: 'forward', match: '' };
  return block('quic', [header(base, PRIORITY.quic), ...rules.map((rule) => `${base.match}${rule}`)]);
}

function quicRule(rule: QuicRule, word: 'ip' | 'ip6'): string {
  const from = rule.client === null ? '' : `${word} saddr ${rule.client} `;
  const to = rule.server === null ? '' : `${word} daddr ${rule.server} `;
  const family = from === '' && to === '' ? `meta nfproto ${word === 'ip' ? 'ipv4' : 'ipv6'} ` : '';
  const action = rule.action === 'drop' ? 'drop' : 'reject with icmpx type port-unreachable';
  return `${family}${from}${to}udp dport ${portSet(rule.ports)} ${action}`;
}

/** Packets without a connection, which has no mark that could tell. */
const UNKNOWN: readonly string[] = [
  'ct state invalid drop',
  'ct state untracked limit rate 6/minute log prefix "tlspin: untracked: "',
  'ct state untracked drop',
];

/** A long header of QUIC, and a handshake record of DTLS in clear, where UDP's data begins. */
const BEGINNINGS: readonly string[] = ['@th,64,1 1', '@th,64,8 22 @th,88,16 0'];
