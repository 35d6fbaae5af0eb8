/**
 * One experiment: a line of hosts in namespaces of their own, a directory for its files, and every process started in
 * it. `close` ends the processes, then removes the hosts and the directory, whatever happened before.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { CertificateShop } from '../../../src/runtime/demo/certificates.ts';
import { Child } from '../../../src/runtime/demo/child.ts';
import { Network } from '../../../src/runtime/demo/network.ts';
import type { IpVersion } from '../../../src/runtime/demo/network.ts';

export interface LabOptions {
  /** From left to right; the default is client, gateway, server. */
  readonly hosts?: readonly string[];
  readonly mtu?: number;
}

let labs = 0;

// A test process that is ended from outside ends in the way in which namespaces are removed.
process.once('SIGTERM', () => process.exit(143));

export class Lab {
  readonly network: Network;
  readonly directory: string;
  readonly certificates: CertificateShop;
  readonly #children: Child[] = [];

  constructor(options: LabOptions = {}) {
    const { hosts = ['client', 'gateway', 'server'], mtu } = options;
    this.directory = mkdtempSync(join(tmpdir(), 'tlspin-lab-'));
    this.certificates = new CertificateShop(this.directory);
    const prefix = `tl${process.pid.toString(36)}${(labs++).toString(36)}`;
    this.network = Network.create({ prefix, hosts, ...(mtu === undefined ? {} : { mtu }) });
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  write(name: string, text: string): string {
    const path = this.path(name);
    writeFileSync(path, text);
    return path;
  }

  /** Runs a command to its end in a host's namespace; its output. */
  run(host: string, ...command: string[]): string {
    return this.network.run(host, ...command);
  }

  shell(host: string, script: string): string {
    return this.network.shell(host, script);
  }

  /** Starts a command in a host's namespace; it ends with the lab at the latest. */
  start(host: string, command: readonly string[], options: { input?: string; env?: NodeJS.ProcessEnv } = {}): Child {
    const child = new Child(...this.network.inside(host, command), options);
    this.#children.push(child);
    return child;
  }

  address(host: string, version: IpVersion = 4): string {
    return this.network.address(host, version);
  }

  /** Segments as they are on the wire: no device of the lab merges or splits them, or leaves a checksum to another. */
  withoutOffload(...hosts: string[]): void {
    for (const host of hosts) {
      for (const device of ['left0', 'right0']) {
        this.shell(
          host,
          `[ ! -e /sys/class/net/${device} ] || ethtool -K ${device} tso off gso off gro off tx off rx off sg off >/dev/null`,
        );
      }
    }
  }

  /** Resolves when somebody there takes datagrams at this port. */
  async listening(host: string, port: number): Promise<void> {
    const hex = `:${port.toString(16).toUpperCase().padStart(4, '0')} `;
    for (let tries = 0; tries < 200; tries++) {
      if (this.shell(host, 'cat /proc/net/udp /proc/net/udp6').includes(hex)) return;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error(`nobody takes datagrams at port ${port} of ${host}`);
  }

  async close(): Promise<void> {
    await Promise.all(this.#children.map((child) => (child.end === undefined ? child.stop('SIGKILL') : child.ended)));
    this.network.remove();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
