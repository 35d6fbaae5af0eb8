/**
 * The hostile wire: a client that tells which octets arrived, a router that segments can die on, the gateway with the
 * engine, and a server that sends single segments as it is told.
 */
import { clientHello } from '../tls-bytes.ts';
import { NAME } from './bank.ts';
import { connmarks, Engine } from './engine.ts';
import type { VerdictRecord } from './engine.ts';
import { Lab } from './lab.ts';
import { TcpClient } from './peers.ts';
import { RawServer } from './raw-server.ts';
import type { RawServerOptions } from './raw-server.ts';

/** An accept mark waits for the client's ACK, which Linux may delay by 200 ms (RFC 9293 §3.8.6.3: at most 500). */
export const SETTLED = 400;

export interface GreetOptions {
  readonly version?: 4 | 6;
  readonly localPort?: number;
  /** Milliseconds of silence after which the client looks at what it has. */
  readonly wait?: number;
  /** Instead of a hello for the bank. */
  readonly send?: Uint8Array;
}

export class Wire {
  readonly lab: Lab;
  readonly engine: Engine;
  readonly server: RawServer;
  #logged = 0;

  private constructor(lab: Lab, engine: Engine, server: RawServer) {
    this.lab = lab;
    this.engine = engine;
    this.server = server;
  }

  static async create(config: object, options: RawServerOptions = {}): Promise<Wire> {
    const lab = new Lab({ hosts: ['client', 'router', 'gateway', 'server'] });
    try {
      lab.withoutOffload('client', 'server');
      const engine = await Engine.start(lab, { config });
      return new Wire(lab, engine, await RawServer.start(lab, 'server', options));
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  /** Forgets what was seen so far: what comes belongs to the next experiment. */
  begin(): void {
    this.server.forget();
    this.#logged = this.engine.verdicts.length;
  }

  /** A client that has sent its hello, which the server has. */
  async greet(options: GreetOptions = {}): Promise<TcpClient> {
    const { version = 4, send = clientHello(NAME), wait = 700, ...rest } = options;
    const client = new TcpClient(this.lab, 'client', {
      host: this.lab.address('server', version),
      send,
      wait,
      ...rest,
    });
    await this.server.received(send.length);
    return client;
  }

  /** The first verdict of this experiment. */
  async verdict(): Promise<VerdictRecord['verdict']> {
    return (await this.engine.next(this.#logged)).verdict;
  }

  /** All of them so far. */
  get verdicts(): VerdictRecord[] {
    return this.engine.verdicts.slice(this.#logged);
  }

  /** The engine's bits of the connection that the server heard last. */
  get mark(): number {
    const port = this.server.heard.at(-1)?.client[1];
    return (connmarks(this.lab, 'gateway', { clientPort: port })[0] ?? 0) & 0x3000000;
  }

  close(): Promise<void> {
    return this.lab.close();
  }
}

export function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
