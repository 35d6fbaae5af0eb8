/**
 * The lists of this gateway that its fleet shares: what is changed here is told to the others, and what others have changed
 * is done here, as `tlspin list` would do it. Owns the comparison of what is in force with what the fleet has; how words get
 * about is fleet/shared-list.ts.
 *
 *   in force has changed, not by us  ->  our word    (a command, a file that was edited and loaded)
 *   others have changed it           ->  changed here, a moment later, many at once
 */
import { SharedList } from '../../fleet/shared-list.ts';
import type { Broker } from '../../fleet/port.ts';
import type { Policy } from '../../pins/policy.ts';
import type { ListAnswer } from '../control/configuration.ts';
import type { Protection } from '../protection/protection.ts';

export interface FleetListsOptions {
  readonly broker: Broker;
  readonly fleet: string;
  readonly gateway: string;
  /** Of the seals. */
  readonly key: Uint8Array;
  readonly lists: readonly string[];
  readonly configuration: {
    readonly policy: Policy;
    changeList(by: string, id: string, change: EntriesChange): Promise<ListAnswer>;
  };
  readonly protection: Pick<Protection, 'begin' | 'end'>;
  /** For tests. */
  readonly againMs?: number | undefined;
}

export class FleetLists {
  readonly #lists: readonly FleetList[];

  constructor(options: FleetListsOptions) {
    this.#lists = options.lists.map((id) => new FleetList(id, options));
  }

  start(): void {
    for (const list of this.#lists) list.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#lists.map((list) => list.stop()));
  }

  /** Told of each policy that has come into force. */
  adopt(policy: Policy): void {
    for (const list of this.#lists) list.adopt(policy);
  }
}

interface EntriesChange {
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

class FleetList {
  readonly #id: string;
  readonly #options: FleetListsOptions;
  readonly #shared: SharedList;
  /** What is in force here. */
  #inForce: ReadonlySet<string>;
  /** What we are about to change: no word of this gateway. */
  #asked: { readonly add: ReadonlySet<string>; readonly remove: ReadonlySet<string> } = NOTHING;
  #doing: NodeJS.Timeout | undefined;
  /** What could not be changed is tried again: a disk that was full may have room by then. */
  #again: NodeJS.Timeout | undefined;
  #isDoing = false;
  #isStopped = false;

  constructor(id: string, options: FleetListsOptions) {
    this.#id = id;
    this.#options = options;
    this.#inForce = entriesOf(options.configuration.policy, id);
    const { broker, fleet, gateway, key } = options;
    this.#shared = new SharedList({
      ...{ broker, fleet, list: id, gateway, key, entries: this.#inForce },
      onChange: () => this.#doSoon(),
      onTrouble: (why) => this.#tell('carried', why),
    });
  }

  start(): void {
    this.#shared.start();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#doing);
    clearTimeout(this.#again);
    await this.#shared.stop();
  }

  adopt(policy: Policy): void {
    const before = this.#inForce;
    const now = entriesOf(policy, this.#id);
    this.#inForce = now;
    const { add, remove } = this.#asked;
    const added = [...now].filter((entry) => !before.has(entry) && !add.has(entry));
    const removed = [...before].filter((entry) => !now.has(entry) && !remove.has(entry));
    if (added.length + removed.length > 0) this.#shared.change({ added, removed });
  }

  /** Others' words come one part of the list after the other. */
  #doSoon(): void {
    if (this.#isStopped) return;
    this.#doing ??= setTimeout(() => {
      this.#doing = undefined;
      void this.#do();
    }, TOGETHER_MS).unref();
  }

  async #do(): Promise<void> {
    if (this.#isDoing) return this.#doSoon();
    clearTimeout(this.#again);
    const wanted = new Set(this.#shared);
    const add = [...wanted].filter((entry) => !this.#inForce.has(entry));
    const remove = [...this.#inForce].filter((entry) => !wanted.has(entry));
    if (add.length + remove.length === 0) return this.#tell('applied', null);
    this.#isDoing = true;
    this.#asked = { add: new Set(add), remove: new Set(remove) };
    try {
      await this.#options.configuration.changeList(`fleet ${this.#options.fleet}`, this.#id, { add, remove });
      this.#tell('applied', null);
    } catch (error) {
      this.#tell('applied', (error as Error).message);
      this.#again = setTimeout(() => this.#doSoon(), this.#options.againMs ?? AGAIN_MS).unref();
    }
    this.#asked = NOTHING;
    this.#isDoing = false;
  }

  readonly #troubles = new Map<string, string>();

  #tell(about: string, why: string | null): void {
    const { protection } = this.#options;
    if (why === null && !this.#troubles.has(about)) return;
    if (why === null) this.#troubles.delete(about);
    else this.#troubles.set(about, why);
    const [first] = this.#troubles.values();
    if (first === undefined) protection.end('fleet.list', this.#id, `the list "${this.#id}" is shared again`);
    else protection.begin('fleet.list', this.#id, first);
  }
}

function entriesOf({ lists }: Policy, id: string): Set<string> {
  const list = lists.find((each) => each.id === id);
  return new Set((list?.entries ?? []).map(({ canonical }) => canonical));
}

const NOTHING = { add: new Set<string>(), remove: new Set<string>() };
const TOGETHER_MS = 100;
const AGAIN_MS = 10_000;
