/** Where floods are poured: a client, the gateway with its engine, servers; and the honest visitors who go on meanwhile. */
import { ControlClient } from '../../src/runtime/control/client.ts';
import type { Bank } from '../support/lab/bank.ts';
import { Engine } from '../support/lab/engine.ts';
import { Lab } from '../support/lab/lab.ts';
import { KINDS, PORTS, startHosts, VERSIONS, Visitors } from '../support/lab/visitors.ts';
import type { Kind } from '../support/lab/visitors.ts';

/** Servers of floods are there. */
export const FLOOD_PORTS = [446, 447] as const;

export interface Counts {
  honest: number;
  served: number;
  forged: number;
  forgedDelivered: number;
}

export interface Memory {
  readonly resident: number;
  /** By open connections. */
  readonly used: number;
}

export class Field {
  readonly lab: Lab;
  readonly bank: Bank;
  readonly visitors: Visitors;
  readonly #engine: Engine;
  #counts: Counts = noCounts();
  readonly #visits = new Set<Promise<void>>();
  #visiting: NodeJS.Timeout | undefined;

  private constructor(lab: Lab, bank: Bank, engine: Engine) {
    this.lab = lab;
    this.bank = bank;
    this.#engine = engine;
    this.visitors = new Visitors(lab);
  }

  static async create(bank: Bank): Promise<Field> {
    const lab = new Lab();
    try {
      await startHosts(lab, bank);
      const config = {
        ...bank.config,
        ports: [`${PORTS.genuine}-${FLOOD_PORTS[1]}`],
        control: { socket: lab.path('control') },
        probe: { perDestination: 6_000, perClient: 6_000 },
      };
      return new Field(lab, bank, await Engine.start(lab, { config }));
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  get control(): string {
    return this.lab.path('control');
  }

  get hasEnded(): boolean {
    return this.#engine.child.end !== undefined;
  }

  /** Honest and forged visitors come from now on, one after the other. */
  beginVisits(): void {
    let visited = 0;
    this.#visiting = setInterval(() => {
      const at = visited++;
      this.#visit(KINDS[at % KINDS.length]!, at);
    }, VISIT_MS);
  }

  /** How they fared since they were last asked about; those that are under way are waited for. */
  async takeCounts(): Promise<Counts> {
    const counts = this.#counts;
    this.#counts = noCounts();
    await Promise.all(this.#visits);
    return counts;
  }

  async endVisits(): Promise<void> {
    clearInterval(this.#visiting);
    await Promise.all(this.#visits);
  }

  /** Octets of the engine; of one that does not answer, none. */
  async memory(): Promise<Memory | undefined> {
    try {
      const { memory, packets } = (await this.ask('stats')) as { memory: number; packets: { buffered_bytes: number } };
      return { resident: memory, used: packets.buffered_bytes };
    } catch {
      return undefined;
    }
  }

  async ask(command: 'stats'): Promise<unknown> {
    const client = await ControlClient.connect(this.control);
    try {
      return (await client.ask({ command }))[command];
    } finally {
      client.close();
    }
  }

  #visit(kind: Kind, at: number): void {
    const counts = this.#counts;
    const visited = this.visitors
      .visit({ kind, version: VERSIONS[at % VERSIONS.length]!, timeout: 10_000 })
      .then(({ outcome, shook }) => {
        if (kind === 'forged') {
          counts.forged++;
          if (shook) counts.forgedDelivered++;
        } else {
          counts.honest++;
          if (outcome === 'served') counts.served++;
        }
        this.#visits.delete(visited);
      });
    this.#visits.add(visited);
  }
}

function noCounts(): Counts {
  return { honest: 0, served: 0, forged: 0, forgedDelivered: 0 };
}

const VISIT_MS = 70;
