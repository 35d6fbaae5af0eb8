/**
 * What is done with datagrams whose ports were picked, in iptables' words: queued but for those whose connections are
 * decided, refused where the engine marked them so. What they are (QUIC, DTLS) shows in their first octets alone.
 */
import { type Family, hex, type RulesPlan } from './plan.ts';
import type { Part } from './iptables-parts.ts';
import { bits, PORT_UNREACHABLE, queue } from './iptables-targets.ts';

/**
 * What begins a connection comes to the engine whatever the mark, as SYN does: the same endpoints may have another one. In
 * INPUT nothing comes that could tell a server, so what is denied ends there.
 */
export function datagramQueueRules(plan: RulesPlan, { builtin }: Part, family: Family): string[] {
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
export function datagramSaveRules(plan: RulesPlan): string[] {
  return [`-m mark --mark 0x0/${hex(plan.connmark.mask)} -j RETURN`, `-j CONNMARK --save-mark ${bits(plan)}`];
}

/** A datagram that is refused never comes to the rule that would save its mark. */
export function refuseRules(plan: RulesPlan, family: Family): string[] {
  const { deny, mask } = plan.connmark;
  const denied = `-m connmark --mark ${hex(deny)}/${hex(mask)}`;
  return [
    ...(plan.packetMark ? [`-m mark --mark ${hex(deny)}/${hex(mask)} -j CONNMARK --save-mark ${bits(plan)}`] : []),
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
