/**
 * What is done with datagrams whose ports were picked, in iptables' words: queued but for those whose connections are
 * decided, refused where the engine marked them so. What they are (QUIC, DTLS) shows in their first octets alone.
 */
import { type Family, hex, type RulesPlan } from './plan.ts';
import type { Part } from './iptables-parts.ts';
import { ask, clearRule, PORT_UNREACHABLE, saveRules, toldRule } from './iptables-targets.ts';

/**
 * What begins a connection comes to the engine whatever the mark, as SYN does: the same endpoints may have another one. In
 * INPUT nothing comes that could tell a server, so what is denied ends there.
 */
export function datagramQueueRules(plan: RulesPlan, part: Part, family: Family): string[] {
  return [
    ...(plan.packetMark ? [toldRule(plan, part)] : []),
    '-m conntrack --ctstate INVALID -j DROP',
    '-m conntrack --ctstate UNTRACKED -m limit --limit 6/min -j LOG --log-prefix "tlspin: untracked: "',
    '-m conntrack --ctstate UNTRACKED -j DROP',
    ...(plan.packetMark ? [clearRule(plan)] : []),
    ...BEGINNINGS[family].map((beginning) => `-m u32 --u32 "${beginning}" ${ask(plan, part)}`),
    deniedRule(plan, part),
    `-m connmark --mark ${hex(plan.connmark.accept)}/${hex(plan.connmark.mask)} -j RETURN`,
    ask(plan, part),
  ];
}

export function datagramSaveRules(plan: RulesPlan, part: Part): string[] {
  return [...saveRules(plan), ...(part.builtin === 'INPUT' ? [deniedRule(plan, part)] : [])];
}

function deniedRule({ connmark: { deny, mask } }: RulesPlan, { builtin }: Part): string {
  return `-m connmark --mark ${hex(deny)}/${hex(mask)} -j ${builtin === 'INPUT' ? 'DROP' : 'RETURN'}`;
}

export function refuseRules(plan: RulesPlan, family: Family): string[] {
  const { deny, mask } = plan.connmark;
  const denied = `-m connmark --mark ${hex(deny)}/${hex(mask)}`;
  return [
    `${denied} -m conntrack --ctdir ORIGINAL -j REJECT --reject-with ${PORT_UNREACHABLE[family]}`,
    `${denied} -j DROP`,
  ];
}

/**
 * A long header of QUIC (RFC 8999 §5.1: the first bit), and a handshake record of DTLS in clear (type 22, epoch 0), where
 * UDP's data begins: behind IPv4's header, whose length is in it, and behind IPv6's without extension headers.
 */
const BEGINNINGS: Readonly<Record<Family, readonly string[]>> = {
  ipv4: ['0>>22&0x3C@8>>31=1', '0>>22&0x3C@8>>24=22&&0>>22&0x3C@11>>16=0'],
  ipv6: ['48>>31=1', '48>>24=22&&51>>16=0'],
};
