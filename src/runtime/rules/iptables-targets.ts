/** What rules for streams and for datagrams end with, in iptables' words. */
import { type Family, hex, type RulesPlan } from './plan.ts';

/** The bits of the mark that are the engine's. */
export function bits(plan: RulesPlan): string {
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
