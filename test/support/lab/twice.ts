/**
 * Servers that serve one connection at a time (openssl s_server, gnutls-serv) have no ear for a probe while the client
 * waits: the gateway's own connections get a second one.
 */
import type { Lab } from './lab.ts';

/** `start` is called for two ports, of which clients know the first. */
export async function startTwice(
  lab: Lab,
  host: string,
  port: number,
  start: (port: number) => Promise<unknown>,
): Promise<void> {
  const second = port + SECOND;
  for (const [iptables, version] of [
    ['iptables', 4],
    ['ip6tables', 6],
  ] as const) {
    const prefix = lab.address(host, version).replace(/[^.:]+$/, '');
    const rule = ['-p', 'tcp', '-s', `${prefix}1`, '--dport', `${port}`, '-j', 'REDIRECT', '--to-ports', `${second}`];
    lab.run(host, iptables, '-w', '-t', 'nat', '-A', 'PREROUTING', ...rule);
  }
  await start(port);
  await start(second);
}

const SECOND = 10_000;
