/**
 * A soak: visitors of every kind for as long as it is told, while everything else happens too. In its second half the engine
 * is not restarted, so that its memory can be seen to stay level. Says what came of it; whoever calls it judges.
 */
import type { Bank } from '../support/lab/bank.ts';
import { KINDS, PORTS, VERSIONS } from '../support/lab/visitors.ts';
import type { Visit, VisitOutcome } from '../support/lab/visitors.ts';
import { Reckoning, type Sums, type Unexplained } from './reckoning.ts';
import { Site } from './site.ts';

export interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  /** One line now and then. */
  readonly say: (line: string) => void;
}

export interface SoakResult {
  readonly sums: Sums;
  readonly unexplained: readonly Unexplained[];
  readonly reasons: Readonly<Record<string, number>>;
  readonly done: Readonly<Record<string, number>>;
  /** Connections that were open from the beginning to the end, and those of them that are gone. */
  readonly longLived: { readonly opened: number; readonly lost: number };
  /** Octets: at the beginning of the second half, when it has warmed up, and at the end. */
  readonly memory: { readonly begin: number; readonly end: number };
  /** Packets whose verdicts do not add up, at the end. */
  readonly balance: number;
  /** What was asked of the engine and not done. */
  readonly troubles: readonly string[];
  readonly said: string;
}

export async function soak(bank: Bank, { minutes, seed, say }: SoakOptions): Promise<SoakResult> {
  const site = await Site.create(bank, seed);
  try {
    const run = new Run(site, minutes * 60_000, say);
    return await run.result();
  } finally {
    await site.lab.close();
  }
}

class Run {
  readonly #site: Site;
  readonly #reckoning = new Reckoning();
  readonly #began = Date.now();
  readonly #length: number;
  readonly #say: (line: string) => void;
  readonly #visits = new Set<Promise<void>>();
  #restarts = 0;
  #jumps = 0;
  #memory: number[] = [];

  constructor(site: Site, length: number, say: (line: string) => void) {
    this.#site = site;
    this.#length = length;
    this.#say = say;
  }

  async result(): Promise<SoakResult> {
    const longLived = await this.#openLongLived();
    const visiting = setInterval(() => this.#visit(), VISIT_MS);
    try {
      await this.#disturb();
    } finally {
      clearInterval(visiting);
    }
    await Promise.all(this.#visits);
    const answers = await Promise.all(longLived.map((ask) => ask(VISIT_TIMEOUT_MS)));
    const site = this.#site;
    const memory = { begin: this.#memory[0] ?? 0, end: await site.memory() };
    const balance = await site.balance();
    this.#reckoning.logged(await site.end());
    return {
      sums: this.#reckoning.sums(site.gaps, (kind) => PORTS[kind]),
      unexplained: this.#reckoning.unexplained(site.gaps, (kind) => PORTS[kind]),
      reasons: this.#reckoning.reasons,
      done: Object.fromEntries(site.done),
      longLived: { opened: answers.length, lost: answers.filter(({ outcome }) => outcome !== 'served').length },
      memory,
      balance,
      troubles: this.#troubles,
      said: site.said,
    };
  }

  async #openLongLived(): Promise<((timeout: number) => Promise<VisitOutcome>)[]> {
    const opened = [];
    for (const { kind, version, ip } of COMBINATIONS.filter((one) => one.kind !== 'forged' && !one.isLogging)) {
      opened.push(await this.#site.visitors.open({ kind, version, ip, timeout: VISIT_TIMEOUT_MS }));
    }
    return opened;
  }

  #visit(): void {
    const at = this.#visited++ % COMBINATIONS.length;
    const { isLogging, ...visit } = COMBINATIONS[at]!;
    const one: Visit = { ...visit, timeout: VISIT_TIMEOUT_MS, ...(isLogging ? { keylog: this.#site.keys } : {}) };
    const from = Date.now();
    const visited = this.#site.visitors.visit(one).then((outcome) => {
      this.#reckoning.visited({ ...one, ...outcome, from, until: Date.now() });
      this.#visits.delete(visited);
    });
    this.#visits.add(visited);
  }
  #visited = 0;

  /** One thing after the other, each as often as it is due. */
  async #disturb(): Promise<void> {
    const events: { every: number; due: number; does: () => Promise<void> | void }[] = [
      { every: 2_500, due: 0, does: () => this.#site.changeList() },
      { every: 4_000, due: 0, does: () => this.#site.reload() },
      { every: 15_000, due: 0, does: async () => this.#reckoning.logged(await this.#site.rotate()) },
      { every: 20_000, due: 0, does: () => this.#site.setClock([3_600, -3_600, 0][this.#jumps++ % 3]!) },
      { every: Math.min(60_000, this.#length / 6), due: 0, does: () => this.#restart() },
      { every: 20_000, due: 0, does: () => this.#look() },
    ];
    for (const event of events) event.due = this.#began + event.every;
    while (this.#share < 1) {
      for (const event of events) {
        if (Date.now() < event.due) continue;
        await this.#try(event.does);
        event.due = Date.now() + event.every;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** What an operator could not do is told at the end. */
  async #try(does: () => Promise<void> | void): Promise<void> {
    try {
      if (this.#site.hasEnded) await this.#site.recover();
      await does();
    } catch (error) {
      this.#troubles.push((error as Error).message.slice(0, 300));
    }
  }
  readonly #troubles: string[] = [];

  async #restart(): Promise<void> {
    if (this.#share > 0.5) return;
    const way = WAYS[this.#restarts++ % WAYS.length]!;
    await (way === 'takeover' ? this.#site.takeOver() : this.#site.restart(way));
  }

  async #look(): Promise<void> {
    const memory = await this.#site.memory();
    // Compiled and with its tables, a tenth of the time later.
    if (this.#share > 0.6) this.#memory.push(memory);
    const seconds = Math.round((Date.now() - this.#began) / 1000);
    this.#say(`${seconds} s: ${this.#visited} visits, ${this.#visits.size} under way, ${mebibytes(memory)}`);
  }

  get #share(): number {
    return (Date.now() - this.#began) / this.#length;
  }
}

export function mebibytes(octets: number): string {
  return `${Math.round(octets / 2 ** 20)} MiB`;
}

interface Combination extends Required<Pick<Visit, 'kind' | 'version' | 'ip'>> {
  /** Its secrets are where the engine finds them. */
  readonly isLogging: boolean;
}

const COMBINATIONS: readonly Combination[] = KINDS.flatMap((kind) =>
  ([4, 6] as const).flatMap((ip) =>
    VERSIONS.flatMap((version) =>
      (version === 'TLSv1.3' ? [false, true] : [false]).map((isLogging) => ({ kind, ip, version, isLogging })),
    ),
  ),
);

/** In which an engine comes to its end, and another to its place. */
const WAYS = ['SIGKILL', 'takeover', 'SIGTERM', 'takeover'] as const;
const VISIT_MS = 90;
const VISIT_TIMEOUT_MS = 12_000;
