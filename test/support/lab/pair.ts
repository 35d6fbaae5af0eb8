/**
 * Two gateways of which one takes the place of the other: keepalived moves the address, conntrackd carries what was
 * accepted, with the configuration that the program prints for it. They have a link for themselves.
 *
 *             ┌─ gw1 ─┐
 *   client ───┤   │   ├─── server        10.1.0.0/24, 10.2.0.0/24; the gateways' common address ends with 1
 *             └─ gw2 ─┘
 */
import type { Child } from '../../../src/runtime/demo/child.ts';
import { TLSPIN } from './engine.ts';
import type { Lab } from './lab.ts';

export const PAIR_HOSTS = ['client', 'gw1', 'gw2', 'server'] as const;
export const SERVER = '10.2.0.9';
type GatewayName = 'gw1' | 'gw2';

export class Pair {
  readonly #lab: Lab;
  readonly #daemons = new Map<GatewayName, Child[]>();

  /** `lab`: of those hosts in a line, whose link in the middle is the one of the two. */
  constructor(lab: Lab) {
    this.#lab = lab;
    for (const [end, away, address, gateway] of [
      ['client', 'right0', '10.1.0.9/24', '10.1.0.1'],
      ['server', 'left0', `${SERVER}/24`, '10.2.0.1'],
    ] as const) {
      lab.shell(
        end,
        `ip link set ${away} down; ip link add lan0 type bridge; ip link set lan0 up; ip addr add ${address} dev lan0
         ip route replace default via ${gateway}`,
      );
    }
    for (const { name, number } of GATEWAYS) {
      for (const [end, device, network] of [
        ['client', 'lan0', '10.1.0'],
        ['server', 'wan0', '10.2.0'],
      ] as const) {
        const namespace = lab.network.namespace(end);
        lab.shell(name, `ip link add ${device} type veth peer name to-${name} netns ${namespace}`);
        lab.shell(name, `ip addr add ${network}.${number + 1}/24 dev ${device}; ip link set ${device} up`);
        lab.shell(end, `ip link set to-${name} master lan0 up`);
      }
    }
  }

  /** Of the gateway's configuration. */
  section(gateway: GatewayName): object {
    // The line's own addresses of that link.
    const [first, second] = ['198.51.100.1', '198.51.100.2'];
    if (gateway === 'gw1') return { interface: 'right0', address: first, peer: second };
    return { interface: 'left0', address: second, peer: first };
  }

  /** The engine with its rules, conntrackd and keepalived; of both the first is the one that has the address. */
  async start(gateway: GatewayName, configuration: object): Promise<void> {
    const lab = this.#lab;
    const file = lab.write(`${gateway}.json`, JSON.stringify({ version: 1, ...configuration }));
    const engine = lab.start(gateway, [...TLSPIN, 'run', '-c', file, '--log', lab.path(`${gateway}.ndjson`)]);
    await engine.says(/bound/, 60_000);
    lab.shell(gateway, lab.run(gateway, ...TLSPIN, 'rules', '-c', file));
    const printed = lab.run(gateway, ...TLSPIN, 'rules', '--pair', '-c', file);
    const own = printed
      .replace('/var/lock/conntrackd.lock', lab.path(`${gateway}.lock`))
      .replace('/var/run/conntrackd.ctl', lab.path(`${gateway}.ctl`))
      .replace('Syslog on', 'Syslog off');
    const conntrackd = lab.start(gateway, ['conntrackd', '-C', lab.write(`${gateway}.conntrackd`, own)]);
    await conntrackd.says(/starting in console mode/, 30_000);
    const keepalived = lab.start(gateway, ['keepalived', '-n', '-l', '-P', ...this.#keepalived(gateway)]);
    await keepalived.says(gateway === 'gw1' ? /\(wan\) Entering MASTER STATE/ : /\(wan\) Entering BACKUP/, 30_000);
    this.#daemons.set(gateway, [engine, conntrackd, keepalived]);
  }

  /** Its power is gone: nothing of it is on the wire any more. */
  async takeAway(gateway: GatewayName): Promise<void> {
    this.#lab.shell(gateway, 'for link in lan0 wan0 right0; do ip link set $link down; done');
    await Promise.all(this.#daemons.get(gateway)!.map((child) => child.stop('SIGKILL')));
  }

  #keepalived(gateway: GatewayName): string[] {
    const { priority } = GATEWAYS.find(({ name }) => name === gateway)!;
    const instance = (device: string, id: number, address: string) => `
      vrrp_instance ${device.slice(0, 3)} {
        interface ${device}
        virtual_router_id ${id}
        priority ${priority}
        advert_int 0.2
        virtual_ipaddress { ${address}/24 }
      }`;
    const text = `
      global_defs {
        vrrp_version 3
        router_id ${gateway}
      }
      vrrp_sync_group both {
        group { lan wan }
      }
      ${instance('lan0', 51, '10.1.0.1')}
      ${instance('wan0', 52, '10.2.0.1')}`;
    const file = this.#lab.write(`${gateway}.keepalived`, text);
    return ['-f', file, '-p', this.#lab.path(`${gateway}.ka`), '-r', this.#lab.path(`${gateway}.vrrp`)];
  }
}

const GATEWAYS = [
  { name: 'gw1', number: 1, priority: 150 },
  { name: 'gw2', number: 2, priority: 100 },
] as const;
