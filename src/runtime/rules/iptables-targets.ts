/** What rules for streams and for datagrams have in common, in iptables' words. */
import type { Part } from './iptables-parts.ts';
import { type Family, hex, type RulesPlan } from './plan.ts';

/** What was sent here again with what its connection's mark is from now on. */
export function toldRule({ connmark: { told } }: RulesPlan, part: Part): string {
  return `-m mark --mark ${hex(told)}/${hex(told)} -g ${part.told}`;
}

/** The bits stay in no packet: what others save and restore behind this cannot bring one back. */
export function saveRules(plan: RulesPlan): string[] {
  return [`-j CONNMARK --save-mark ${bits(plan)}`, `-j MARK --set-xmark 0x0/${hex(plan.owned | plan.connmark.told)}`];
}

export function clearRule(plan: RulesPlan): string {
  return `-j MARK --set-xmark 0x0/${hex(plan.owned)}`;
}

/** Where the packet mark carries the connection's, it is told so. */
export function askRules(plan: RulesPlan): string[] {
  return [`-j CONNMARK --restore-mark ${bits(plan)}`, queue(plan)];
}

/** What queues a packet. */
export function ask(plan: RulesPlan, part: Part): string {
  return plan.packetMark ? `-g ${part.ask}` : queue(plan);
}

/** Packets of probes' connections. */
export function queueProbes(probe: number, plan: RulesPlan): string {
  return `-m connmark --mark ${hex(probe)}/${hex(probe)} ${queue(plan)}`;
}

/** The bits of the mark that are the engine's. */
function bits(plan: RulesPlan): string {
  return `--nfmask ${hex(plan.owned)} --ctmask ${hex(plan.owned)}`;
}

/** Never --queue-cpu-fanout, which would part a flow's directions; the default hash keeps them together. */
export function queue(plan: RulesPlan): string {
  const [first, last] = plan.queues;
  const numbers = first === last ? `--queue-num ${first}` : `--queue-balance ${first}:${last}`;
  return `-j NFQUEUE ${numbers}${plan.queueBypass ? ' --queue-bypass' : ''}`;
}

export const PORT_UNREACHABLE: Readonly<Record<Family, string>> = {
  ipv4: 'icmp-port-unreachable',
  ipv6: 'icmp6-port-unreachable',
};
