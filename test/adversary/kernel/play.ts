/**
 * Plays raw programs, many at once, each against a client of its own, through the rules and the running engine; tells
 * which octets each client's kernel gave it. Knows nothing of what should hold.
 */
import type { Child } from '../../../src/runtime/demo/child.ts';
import { flightsFor } from '../../support/attack.ts';
import { Engine } from '../../support/lab/engine.ts';
import { Lab } from '../../support/lab/lab.ts';
import { peer } from '../../support/lab/peers.ts';
import { RawServer, type Segment } from '../../support/lab/raw-server.ts';
import { clientHello } from '../../support/tls-bytes.ts';
import type { RawProgram, RawStep, Trick } from './moves.ts';
import { config, hostOf } from './policy.ts';

export class RawScene {
  readonly #lab: Lab;
  readonly #server: RawServer;
  readonly #clients: Child;
  readonly engine: Engine | undefined;
  #count = 0;

  private constructor(lab: Lab, engine: Engine | undefined, server: RawServer, clients: Child) {
    this.#lab = lab;
    this.engine = engine;
    this.#server = server;
    this.#clients = clients;
  }

  /** Without an engine there is nobody to hold anything: what shows that the moves can convince. */
  static async create({ isProtected = true } = {}): Promise<RawScene> {
    const lab = new Lab({ hosts: ['client', 'router', 'gateway', 'server'] });
    try {
      lab.withoutOffload('client', 'server');
      // What is to be lost dies here, behind the gateway and ahead of the client.
      for (const [iptables, expired] of [
        ['iptables', 'ttl --ttl-eq'],
        ['ip6tables', 'hl --hl-eq'],
      ]) {
        lab.shell('router', `${iptables} -w -t raw -A PREROUTING -m ${expired} ${LOST_TTL - 1} -j DROP`);
      }
      const engine = isProtected ? await Engine.start(lab, { config }) : undefined;
      const clients = lab.start('client', [process.execPath, peer('tcp-clients.mjs')]);
      return new RawScene(lab, engine, await RawServer.start(lab, 'server'), clients);
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  /** What each program's client received. */
  play(programs: readonly RawProgram[]): Promise<Buffer[]> {
    this.#server.forget();
    this.#clients.forget();
    return Promise.all(programs.map((program) => this.#one(program)));
  }

  close(): Promise<void> {
    return this.#lab.close();
  }

  async #one(program: RawProgram): Promise<Buffer> {
    const { id, port } = await this.#connect(program);
    const client = [this.#lab.address('client', program.version), port] as const;
    await this.#server.until(
      (heard) => heard.some(({ client: [, from], data }) => from === port && data.length > 0),
      `a hello came from port ${port}`,
      PATIENCE_MS,
    );
    const flights = flightsFor(program);
    for (const step of program.steps) {
      await pause(step.delay);
      for (const segment of segmentsOf(step, flights)) this.#server.send({ ...segment, client });
    }
    const { received } = (await this.#says('over', id)) as { received: string };
    return Buffer.from(received, 'hex');
  }

  /** A busy machine may take longer than a client waits: then another one tries. */
  async #connect(program: RawProgram): Promise<{ id: number; port: number }> {
    const host = this.#lab.address('server', program.version);
    const send = clientHello({ name: hostOf(program.name), ech: program.offersEch }).toString('hex');
    for (let tries = 0; tries < 5; tries++) {
      const id = ++this.#count;
      this.#clients.write(`${JSON.stringify({ id, host, send, wait: 800, timeout: 5_000 })}\n`);
      const said = (await this.#says('(?:connected|over)', id)) as { event: string; port: number };
      if (said.event === 'connected') return { id, port: said.port };
    }
    throw new Error(`no client can connect: ${this.#server.state}; engine: ${this.engine?.child.errors}`);
  }

  async #says(event: string, id: number): Promise<object> {
    const line = new RegExp(`^\\{"event":"${event}","id":${id},.*\\}$`, 'm');
    await this.#clients.says(line, 20_000);
    return JSON.parse(line.exec(this.#clients.output)![0]) as object;
  }
}

function segmentsOf(step: RawStep, flights: readonly Buffer[]): Segment[] {
  const longest = Math.max(...flights.map(({ length }) => length));
  switch (step.step) {
    case 'control':
      return [{ flags: step.flags, at: step.at, data: Buffer.alloc(step.data, 0x16) }];
    case 'spoof':
      return [
        {
          spoofed: true,
          flags: step.flags,
          ack: Math.round(step.acknowledges * longest),
          data: Buffer.alloc(step.data, 0x17),
        },
      ];
    case 'piece': {
      const flight = flights[step.flight % flights.length]!;
      const [from, to] = [step.from, step.to].map((part) => Math.floor(part * flight.length)).sort((a, b) => a - b) as [
        number,
        number,
      ];
      const pieces: Segment[] = [];
      // Of one octet at a time no more than shows what it does.
      const size = Math.max(step.size, Math.ceil((to - from) / 60));
      for (let at = from; at < to; at += size) {
        pieces.push({ at, data: flight.subarray(at, Math.min(at + size, to)), flags: 'PA', ...TRICKS[step.trick] });
      }
      if (step.order === 'backwards') pieces.reverse();
      return step.order === 'twice' ? [...pieces, ...pieces] : pieces;
    }
    default:
      return step satisfies never;
  }
}

/** Leaves the server and the gateway with what the router takes for expired. */
const LOST_TTL = 51;

const TRICKS: Readonly<Record<Trick, Segment>> = {
  none: {},
  'lost-behind': { ttl: LOST_TTL },
  corrupt: { corrupt: true },
  'old-timestamp': { options: '0101080a0000000100000000' },
  'no-ack': { flags: 'P' },
  'ack-ahead': { ack: -70_000 },
  urgent: { flags: 'PAU', urgent: 1 },
  fin: { flags: 'FPA' },
  reset: { flags: 'RA' },
  syn: { flags: 'SPA' },
  reserved: { reserved: 7 },
  fragments: { fragment: 64 },
  'fragments-backwards': { fragment: 24, reversed: true },
  'other-sequence': { iss: 0x7000_0000 },
  md5: { options: `1312${'11'.repeat(16)}0101` },
  'options-end': { options: '00080a00' },
  multipath: { options: '1e08200100000001' },
};

const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis));

/** Every program runs at once, and the machine may have others. */
const PATIENCE_MS = 60_000;
