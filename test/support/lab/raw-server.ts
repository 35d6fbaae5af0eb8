/** A server that sends single TCP segments as it is told; the work is done by peers/raw-server.py. */
import { fileURLToPath } from 'node:url';

import type { Child } from '../../../src/runtime/demo/child.ts';
import type { Lab } from './lab.ts';

export interface RawServerOptions {
  readonly port?: number;
  /** Initial send sequence number. */
  readonly iss?: number;
  /** Answer SYN with SYN/ACK. */
  readonly handshake?: boolean;
  /** Acknowledge what comes. */
  readonly acknowledge?: boolean;
  readonly mss?: number;
  /** Hex of further options of the SYN/ACK. */
  readonly synOptions?: string;
}

export interface Segment {
  /** Octets after the first data octet; -1: the SYN's own sequence number. */
  readonly at?: number;
  readonly data?: Uint8Array;
  /** Letters of F S R P A U E C; `A` unless told. */
  readonly flags?: string;
  readonly ttl?: number;
  /** Octets short of what is really acknowledged; negative: more than ever came. */
  readonly ack?: number;
  readonly window?: number;
  /** Hex of TCP options. */
  readonly options?: string;
  readonly urgent?: number;
  /** A wrong checksum. */
  readonly corrupt?: boolean;
  readonly id?: number;
  /** The four reserved bits. */
  readonly reserved?: number;
  /** Instead of the connection's own. */
  readonly iss?: number;
  /** In IP fragments of so many octets, a multiple of eight. */
  readonly fragment?: number;
  /** The last fragment first. */
  readonly reversed?: boolean;
  /** Milliseconds to wait first. */
  readonly delay?: number;
  /** As if the client had sent it: `at` counts from what is expected of it next, `ack` acknowledges so many octets. */
  readonly spoofed?: boolean;
  /** Of the connection that is meant; the latest unless told. */
  readonly client?: readonly [string, number];
}

export interface HeardSegment {
  readonly client: readonly [string, number];
  readonly flags: string;
  /** Octets between the next one expected from the client and this segment's first. */
  readonly at: number;
  /** Octets of the server's that the client has, the SYN's not counted; null without ACK. */
  readonly ack: number | null;
  readonly window: number;
  readonly data: Buffer;
  /** Hex of its TCP options. */
  readonly options: string;
}

export class RawServer {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  static async start(lab: Lab, host: string, options: RawServerOptions = {}): Promise<RawServer> {
    const port = options.port ?? 443;
    // The host's own stack would answer with RST: it must not hear the port. Packet sockets hear it before.
    for (const iptables of ['iptables', 'ip6tables']) {
      lab.run(host, iptables, '-w', '-t', 'raw', '-A', 'PREROUTING', '-p', 'tcp', '--dport', `${port}`, '-j', 'DROP');
    }
    const child = lab.start(host, ['python3', SCRIPT, JSON.stringify({ ...options, port })]);
    await child.says(/listening/);
    return new RawServer(child);
  }

  /** Whether it runs, and what it complains of. */
  get state(): string {
    const { end, errors } = this.#child;
    return `${end === undefined ? 'runs' : `ended with ${end.code ?? end.signal}`}: ${errors}`;
  }

  /** Everything heard so far is of no interest any more. */
  forget(): void {
    this.#child.forget();
  }

  get heard(): HeardSegment[] {
    return this.#child.output
      .split('\n')
      .filter((line) => line.includes('"segment"'))
      .map((line) => JSON.parse(line) as HeardSegment & { data: string })
      .map((segment) => ({ ...segment, data: Buffer.from(segment.data, 'hex') }));
  }

  /** What the client sent, in the order in which it came, each octet once. */
  get stream(): Buffer {
    return Buffer.concat(this.heard.filter(({ at }) => at === 0).map(({ data }) => data));
  }

  /** Waits until a client has finished its handshake and sent this many octets. */
  async received(octets: number, timeout?: number): Promise<void> {
    await this.until(() => this.stream.length >= octets, `${octets} octets came`, timeout);
  }

  async until(met: (heard: HeardSegment[]) => boolean, what: string, timeout?: number): Promise<void> {
    await this.#child.until(() => met(this.heard), what, timeout);
  }

  send(...segments: readonly Segment[]): void {
    for (const { data, ...rest } of segments) {
      this.#child.write(`${JSON.stringify({ ...rest, data: Buffer.from(data ?? []).toString('hex') })}\n`);
    }
  }

  /** Opens a connection towards a client, as if it were one itself: a SYN, which may be repeated until it is answered. */
  call(client: readonly [address: string, port: number], from: string): void {
    this.#child.write(`${JSON.stringify({ call: client, from })}\n`);
  }

  /** A stream in order, in segments of at most `size` octets, from `at` on. */
  sendStream(data: Uint8Array, size = 1_400, at = 0): void {
    for (let from = 0; from < data.length; from += size) {
      this.send({ at: at + from, data: data.subarray(from, from + size), flags: 'PA' });
    }
  }
}

const SCRIPT = fileURLToPath(new URL('../peers/raw-server.py', import.meta.url));
