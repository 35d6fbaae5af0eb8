/**
 * Network namespaces for tests: made with a prefix of their own, and removed with everything that runs in them. Needs
 * root, or `unshare -Urnm` around the whole test run.
 */
import { type ChildProcess, execFileSync, spawn, type SpawnOptions } from 'node:child_process';

export class Netns {
  readonly #prefix: string;
  readonly #names: string[] = [];
  readonly #children: ChildProcess[] = [];

  constructor(prefix: string) {
    this.#prefix = `${prefix}-${process.pid}`;
  }

  /** Makes a namespace with its loopback up; the full name. */
  add(short: string): string {
    const name = `${this.#prefix}-${short}`;
    execFileSync('ip', ['netns', 'add', name]);
    this.#names.push(name);
    this.run(name, 'ip link set lo up');
    return name;
  }

  /** A veth pair between two namespaces: each end is `dev` with its addresses (`10.0.0.1/24`, `fd00::1/64`). */
  link(a: string, aDev: string, aAddresses: string[], b: string, bDev: string, bAddresses: string[]): void {
    this.run(a, `ip link add ${aDev} type veth peer name ${bDev} netns ${b}`);
    for (const [name, dev, addresses] of [
      [a, aDev, aAddresses],
      [b, bDev, bAddresses],
    ] as const) {
      for (const address of addresses) {
        this.run(name, `ip addr add ${address} dev ${dev}${address.includes(':') ? ' nodad' : ''}`);
      }
      this.run(name, `ip link set ${dev} up`);
    }
  }

  /** Runs a shell script inside; its standard output. Throws with its standard error when it fails. */
  run(name: string, script: string): string {
    return execFileSync('ip', ['netns', 'exec', name, 'sh', '-euc', script], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** Starts a program inside; it is killed with the namespaces. */
  spawn(name: string, argv: string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', name, ...argv], options);
    this.#children.push(child);
    return child;
  }

  async close(): Promise<void> {
    const exits = this.#children
      .filter((child) => child.exitCode === null && child.signalCode === null)
      .map((child) => {
        const gone = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        return gone;
      });
    await Promise.all(exits);
    for (const name of this.#names) execFileSync('ip', ['netns', 'del', name]);
  }
}
