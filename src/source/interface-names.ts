/** Names of network interfaces by their index, as the kernel has them in /sys/class/net. They come, go and are renamed. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export class InterfaceNames {
  readonly #directory: string;
  #names = new Map<number, string>();
  #readAt = -Infinity;

  constructor(directory = '/sys/class/net') {
    this.#directory = directory;
  }

  /** Undefined where there is none, or none can be seen. */
  nameOf(ifindex: number): string | undefined {
    if (performance.now() - this.#readAt > KEPT_MS) this.#read();
    return this.#names.get(ifindex);
  }

  #read(): void {
    this.#readAt = performance.now();
    this.#names = new Map();
    try {
      for (const name of readdirSync(this.#directory)) this.#add(name);
    } catch {
      // no /sys here
    }
  }

  #add(name: string): void {
    try {
      this.#names.set(Number(readFileSync(join(this.#directory, name, 'ifindex'), 'latin1')), name);
    } catch {
      // it is gone, or something else (bonding_masters)
    }
  }
}

const KEPT_MS = 5_000;
