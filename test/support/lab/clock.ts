/** The time of day as one process sees it, which a test can set while that process runs. */
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';

import type { Lab } from './lab.ts';
import { buildPreloaded } from './preloaded.ts';

export class Clock {
  readonly #offset: string;
  /** What a process is started with that goes by it. */
  readonly env: NodeJS.ProcessEnv;

  constructor(lab: Lab) {
    this.#offset = lab.path('clock-offset');
    writeFileSync(this.#offset, seconds(0));
    this.env = { LD_PRELOAD: buildPreloaded(lab, 'clock'), CLOCK_OFFSET: this.#offset };
  }

  /** So many seconds after the machine's. */
  set(offset: number): void {
    const file = openSync(this.#offset, 'r+');
    writeSync(file, seconds(offset), 0, 8, 0);
    closeSync(file);
  }
}

function seconds(offset: number): Buffer {
  const octets = Buffer.alloc(8);
  octets.writeBigInt64LE(BigInt(offset));
  return octets;
}
