/**
 * Asks a running tlspin round after round over one connection to its control socket, which is made again where it was
 * lost. A round that cannot be had is a sentence to throw; the next one is tried all the same. Knows nothing of views.
 */
import { ControlClient, type Request } from '../../runtime/control/client.ts';
import type { StatusAnswer } from '../../runtime/control/status.ts';
import type { FlowAnswer, Round, StatsAnswer, VerdictAnswer } from './round.ts';

/** As `tlspin ctl flows` understands them. */
export interface FlowChoice {
  readonly name?: string | undefined;
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  readonly pinset?: string | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

export class Poller {
  readonly #path: string;
  readonly #patience: number;
  #client: ControlClient | undefined;
  /** Of the connection that there is: whether the rules let packets pass, and when that was asked. */
  #bypass: { readonly value: boolean | null; readonly at: number } | undefined;

  /** `patience`: milliseconds for an answer. */
  constructor(path: string, patience = PATIENCE_MS) {
    this.#path = path;
    this.#patience = patience;
  }

  /** One at a time. `limit`: flows, and decisions, at the most. */
  async round(choice: FlowChoice, limit: number): Promise<Round> {
    try {
      this.#client ??= await ControlClient.connect(this.#path);
      return await this.#round(this.#client, { ...choice, limit: Math.min(limit, MOST) });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The answer of `explain`, over a connection of its own: a round may be under way. */
  async explain(flow: string): Promise<Fields> {
    const client = await ControlClient.connect(this.#path);
    try {
      return await this.#ask(client, { command: 'explain', flow });
    } finally {
      client.close();
    }
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
    this.#bypass = undefined;
  }

  async #round(client: ControlClient, page: Fields): Promise<Round> {
    const ask = (request: Request): Promise<Fields> => this.#ask(client, request);
    const status = await this.#status(ask);
    const { stats } = (await ask({ command: 'stats' })) as unknown as { stats: StatsAnswer };
    const [time, at] = [Date.now(), performance.now()];
    const { flows, next, silent = [] } = (await ask({ command: 'flows', ...page })) as unknown as FlowsAnswer;
    // What is held may be behind a whole page of what is not.
    const isComplete = next === null || status.held === 0;
    const held = isComplete ? [] : ((await ask({ command: 'flows', held: true, ...page }))['flows'] as FlowAnswer[]);
    const known = new Set(held.map(({ flow_id: flow }) => flow));
    const { verdicts } = (await ask({ command: 'verdicts', ...page })) as unknown as { verdicts: VerdictAnswer[] };
    return {
      time,
      at,
      status,
      stats,
      flows: [...held, ...flows.filter(({ flow_id: flow }) => !known.has(flow))],
      hasMoreFlows: next !== null,
      verdicts,
      silent,
    };
  }

  /** The rules are not asked for each time: other programs have to print them. */
  async #status(ask: (request: Request) => Promise<Fields>): Promise<StatusAnswer> {
    const isBrief = this.#bypass !== undefined && performance.now() - this.#bypass.at < RULES_EVERY_MS;
    const request = { command: 'status', ...(isBrief ? { brief: true } : {}) };
    const { status } = (await ask(request)) as unknown as { status: StatusAnswer };
    if (!isBrief) this.#bypass = { value: status.queue_bypass ?? null, at: performance.now() };
    return { ...status, queue_bypass: this.#bypass!.value };
  }

  async #ask(client: ControlClient, request: Request): Promise<Fields> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      client.close();
    }, this.#patience);
    try {
      return await client.ask(request);
    } catch (error) {
      throw isLate ? new Error(`control socket ${this.#path}: no answer in ${this.#patience / 1000} s`) : error;
    } finally {
      clearTimeout(timer);
    }
  }
}

interface FlowsAnswer {
  readonly flows: FlowAnswer[];
  readonly next: string | null;
  readonly silent?: number[];
}

const PATIENCE_MS = 10_000;
const RULES_EVERY_MS = 30_000;
/** That the socket tells at once. */
const MOST = 1_000;
