/** TLS servers that show each connection the face that is meant for it, and tell of every connection that they get. */
import { fileURLToPath } from 'node:url';

import type { Identity } from '../../../src/runtime/demo/certificates.ts';
import type { Child } from '../../../src/runtime/demo/child.ts';
import type { Lab } from './lab.ts';

/** With options of `tls.createServer`, as JSON. The first one that fits a connection is the one that it gets. */
export interface Face extends Partial<Identity> {
  /** Only for connections from this address. */
  readonly from?: string;
  /** Only for so many connections. */
  readonly times?: number;
  /** Only for the connection of that number, the first of its port being 0. */
  readonly nth?: number;
  /** Once the client has spoken. */
  readonly does?: 'serve' | 'silent' | 'reset' | 'close' | 'garbage';
  /** Milliseconds until anything is answered. */
  readonly delay?: number;
  /** Of another kind of key. */
  readonly second?: Identity;
  /** Octets of the answer to a request. */
  readonly body?: number;
  readonly [option: string]: unknown;
}

export interface FaceEvent {
  readonly event: 'connection' | 'secure' | 'request' | 'tls-error' | 'over';
  readonly port: number;
  readonly from: string;
  readonly fromPort: number;
  /** Index among the faces of its port; -1: none fitted. */
  readonly face: number;
  readonly resumed?: boolean;
}

export class Faces {
  readonly #child: Child;
  #from = 0;

  private constructor(child: Child) {
    this.#child = child;
  }

  static async start(lab: Lab, host: string, ports: Readonly<Record<number, readonly Face[]>>): Promise<Faces> {
    const child = lab.start(host, [process.execPath, SCRIPT, JSON.stringify({ ports })]);
    await child.says(/listening/);
    return new Faces(child);
  }

  /** What was told so far is of no interest any more. */
  forget(): void {
    this.#from = this.#child.output.length;
  }

  get events(): FaceEvent[] {
    const lines = this.#child.output.slice(this.#from).split('\n');
    return lines
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as FaceEvent);
  }

  /** Where connections came from, in their order. */
  connections(port?: number): string[] {
    const begun = this.events.filter(({ event }) => event === 'connection');
    return begun.filter((each) => port === undefined || each.port === port).map(({ from }) => from);
  }

  async until(met: (events: readonly FaceEvent[]) => boolean, what: string, timeout?: number): Promise<void> {
    await this.#child.until(() => met(this.events), what, timeout);
  }

  async stop(): Promise<void> {
    await this.#child.stop('SIGKILL');
  }
}

const SCRIPT = fileURLToPath(new URL('../peers/faces-server.mjs', import.meta.url));
