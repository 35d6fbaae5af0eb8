/** Stands in for the engine where only the rules are looked at: accepts every packet, and marks as told. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { CONNMARK_DEFAULTS } from '../../../src/pins/compile/connmark.ts';
import type { Child } from '../../../src/runtime/demo/child.ts';
import type { Lab } from './lab.ts';

export const MARK = CONNMARK_DEFAULTS;

export interface QueuedPacket {
  /** NF_INET_* number. */
  readonly hook: number;
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
  /** TCP's flag octet. */
  readonly flags: number;
  readonly length: number;
  readonly mark: number;
}

export class QueueStub {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  /** `syn`, `data`: the engine's bits that a SYN or SYN/ACK, and a packet with data, leave with. */
  static async start(lab: Lab, host: string, bits: { syn?: number; data?: number } = {}): Promise<QueueStub> {
    const program = lab.path('queue-stub');
    execFileSync('cc', ['-O1', '-Wall', '-o', program, SOURCE]);
    const { syn = 0, data = 0 } = bits;
    const child = lab.start(host, [program, '0', `${MARK.mask}`, `${MARK.told}`, `${syn}`, `${data}`]);
    await child.says(/ready/);
    return new QueueStub(child);
  }

  get packets(): QueuedPacket[] {
    const lines = this.#child.output.split('\n').filter((line) => /^\d/.test(line));
    return lines.map((line) => {
      const [hook, source = '', sourcePort, destination = '', destinationPort, flags = '', length, mark = ''] =
        line.split(' ');
      return {
        hook: Number(hook),
        source,
        sourcePort: Number(sourcePort),
        destination,
        destinationPort: Number(destinationPort),
        flags: parseInt(flags, 16),
        length: Number(length),
        mark: parseInt(mark, 16),
      };
    });
  }

  async stop(): Promise<void> {
    await this.#child.stop();
  }
}

const SOURCE = fileURLToPath(new URL('../peers/queue-stub.c', import.meta.url));
