/**
 * A gateway on a stick: client, gateway and server on one switch, the gateway with one interface and an address in both
 * networks. The switch knows no addresses but those of the link.
 */
import { Lab } from './lab.ts';

export function oneArmedLab(): Lab {
  const lab = new Lab({ hosts: ['client', 'switch', 'gateway', 'server'] });
  try {
    lab.shell('gateway', 'ip link del right0');
    lab.shell('switch', `ip link add server0 type veth peer name left0 netns ${lab.network.namespace('server')}`);
    lab.shell(
      'switch',
      `ip link add br0 type bridge; ip link set br0 up
      for port in left0 right0 server0; do ip addr flush dev $port; ip link set $port master br0 up; done`,
    );
    // A router that sends a packet out where it came in says so, and its hosts go past it the next time.
    for (const host of ['client', 'server'])
      lab.shell(
        host,
        'for way in 4/conf/all 4/conf/left0 4/conf/right0 6/conf/all 6/conf/left0 6/conf/right0; do f=/proc/sys/net/ipv$way/accept_redirects; [ ! -e $f ] || echo 0 > $f; done',
      );
    lab.shell('gateway', 'for way in all left0; do echo 0 > /proc/sys/net/ipv4/conf/$way/send_redirects; done');
    const [v4, v6] = [lab.address('server', 4), lab.address('server', 6)];
    const [router4, router6] = [v4.replace(/2$/, '1'), v6.replace(/2$/, '1')];
    lab.shell(
      'server',
      `ip link set left0 up
      ip addr add ${v4}/24 dev left0; ip addr add ${v6}/64 dev left0 nodad
      ip route add default via ${router4}; ip route add default via ${router6}`,
    );
    const [toClient4, toClient6] = [4, 6].map((version) => lab.address('client', version as 4 | 6).replace(/1$/, '2'));
    lab.shell(
      'gateway',
      `ip addr flush dev left0 scope global
      for address in ${toClient4} ${router4}; do ip addr add $address/24 dev left0; done
      for address in ${toClient6} ${router6}; do ip addr add $address/64 dev left0 nodad; done`,
    );
    return lab;
  } catch (error) {
    void lab.close();
    throw error;
  }
}
