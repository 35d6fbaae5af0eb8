/** A lab whose gateway is a bridge without an address: both others are on one link, and each has the other's addresses there. */
import type { Lab } from './lab.ts';

export function bridgeGateway(lab: Lab): void {
  lab.shell(
    'gateway',
    `sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
    ip link add br0 type bridge
    for port in left0 right0; do ip addr flush dev $port; ip link set $port master br0 up; done
    ip link set br0 addrgenmode none; ip link set br0 up
    sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1`,
  );
  for (const [host, device, ...networks] of [
    ['client', 'right0', '198.51.100.0/24', '2001:db8:2::/64'],
    ['server', 'left0', '192.0.2.0/24', '2001:db8:1::/64'],
  ] as const) {
    lab.shell(host, networks.map((network) => `ip route replace ${network} dev ${device}`).join('; '));
  }
}
