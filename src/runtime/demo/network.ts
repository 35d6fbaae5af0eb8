/**
 * A line of hosts in private network namespaces, joined by veth pairs, with IPv4 and IPv6 and a route to every one of
 * them. Owns the namespaces and nothing in them; `remove` leaves nothing behind. Needs CAP_NET_ADMIN and iproute2.
 *
 *   client ── 192.0.2.0/24 ── gateway ── 198.51.100.0/24 ── server
 */
import { execFileSync } from 'node:child_process';

export type IpVersion = 4 | 6;

export interface Line {
  /** Distinguishes the namespaces of several lines; at most a dozen characters. */
  readonly prefix: string;
  /** Hosts from left to right; all but the first and the last forward. */
  readonly hosts: readonly string[];
  /** Octets; 1500 unless told. */
  readonly mtu?: number;
}

export class Network {
  readonly #line: Line;
  readonly #removeOnExit = (): void => this.remove();

  private constructor(line: Line) {
    this.#line = line;
  }

  static create(line: Line): Network {
    const network = new Network(line);
    process.once('exit', network.#removeOnExit);
    try {
      network.#build();
    } catch (error) {
      network.remove();
      throw error;
    }
    return network;
  }

  /** The namespace's name, as `ip netns` knows it. */
  namespace(host: string): string {
    return `${this.#line.prefix}-${host}`;
  }

  /** The arguments that run a command in a host's namespace. */
  inside(host: string, command: readonly string[]): [string, string[]] {
    return ['ip', ['netns', 'exec', this.namespace(host), ...command]];
  }

  /** Runs a command to its end in a host's namespace; its output. Throws with its stderr when it fails. */
  run(host: string, ...command: string[]): string {
    return run(...this.inside(host, command));
  }

  /** Runs a shell script in a host's namespace. */
  shell(host: string, script: string): string {
    const [program, args] = this.inside(host, ['sh', '-eu']);
    return run(program, args, script);
  }

  /** A host's address: of the link to its right, or of the only link where there is none. */
  address(host: string, version: IpVersion = 4): string {
    const at = this.#position(host);
    const link = Math.min(at, this.#line.hosts.length - 2);
    return subnet(link, version) + side(link, at);
  }

  /** The name of a host's interface towards a neighbour. */
  device(host: string, neighbour: string): string {
    return this.#position(neighbour) > this.#position(host) ? 'right0' : 'left0';
  }

  remove(): void {
    process.removeListener('exit', this.#removeOnExit);
    for (const host of this.#line.hosts) {
      try {
        run('ip', ['netns', 'del', this.namespace(host)]);
      } catch {
        // It was never made, or is gone already.
      }
    }
  }

  #position(host: string): number {
    const at = this.#line.hosts.indexOf(host);
    if (at < 0) throw new Error(`there is no host ${host} on this line`);
    return at;
  }

  #build(): void {
    const { hosts, mtu = 1500 } = this.#line;
    for (const host of hosts) {
      run('ip', ['netns', 'add', this.namespace(host)]);
      // Duplicate address detection would keep every address tentative for its first second.
      this.shell(host, 'for way in all default; do echo 0 > /proc/sys/net/ipv6/conf/$way/accept_dad; done');
      batch(this.namespace(host), ['link set lo up']);
    }
    for (let link = 0; link < hosts.length - 1; link++) {
      const [left, right] = [hosts[link]!, hosts[link + 1]!].map((host) => this.namespace(host));
      run('ip', ['link', 'add', 'right0', 'netns', left!, 'type', 'veth', 'peer', 'name', 'left0', 'netns', right!]);
      for (const [name, device, end] of [
        [left!, 'right0', 1],
        [right!, 'left0', 2],
      ] as const) {
        batch(name, [
          `link set ${device} mtu ${mtu} up`,
          `addr add ${subnet(link, 4)}${end}/24 dev ${device}`,
          // IPv6 needs links of 1280 octets (RFC 8200 §5): below, the kernel has none there.
          ...(mtu >= 1280 ? [`addr add ${subnet(link, 6)}${end}/64 dev ${device} nodad`] : []),
        ]);
      }
    }
    hosts.forEach((host, at) => this.#route(host, at, mtu >= 1280 ? [4, 6] : [4]));
  }

  #route(host: string, at: number, versions: readonly IpVersion[]): void {
    const last = this.#line.hosts.length - 1;
    if (at > 0 && at < last) {
      this.shell(host, 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding');
    }
    const routes: string[] = [];
    for (const version of versions) {
      const width = version === 4 ? '24' : '64';
      for (let link = 0; link < at - 1; link++) {
        routes.push(`route add ${subnet(link, version)}0/${width} via ${subnet(at - 1, version)}1`);
      }
      if (at < last) routes.push(`route add default via ${subnet(at, version)}2`);
      else routes.push(`route add default via ${subnet(at - 1, version)}1`);
    }
    batch(this.namespace(host), routes);
  }
}

/** The left host of a link has address 1, the right one 2. */
function side(link: number, at: number): number {
  return at - link + 1;
}

/** Documentation addresses (RFC 5737, RFC 3849) first; what a longer line needs beyond them comes from benchmarking's. */
function subnet(link: number, version: IpVersion): string {
  if (version === 6) return `2001:db8:${link + 1}::`;
  return ['192.0.2.', '198.51.100.', '203.0.113.'][link] ?? `198.18.${link}.`;
}

function batch(namespace: string, lines: readonly string[]): void {
  if (lines.length > 0) run('ip', ['-n', namespace, '-batch', '-'], `${lines.join('\n')}\n`);
}

function run(program: string, args: readonly string[], input = ''): string {
  return execFileSync(program, args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });
}
