/**
 * The tlspin that runs, as the one that is to take its place speaks with it: over a connection of its own to the control
 * socket, which is read octet by octet here, because the queues' sockets come with them and libuv would lose those. See
 * handed.ts for who says what.
 */
import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { getSystemErrorName } from 'node:util';

import type { NativeBinding } from '../../source/binding.ts';
import type { Released } from '../daemon.ts';
import {
  type AddedLists,
  differingTerms,
  type Forerunner,
  readRemembered,
  type Remembered,
  TAKEOVER_VERSION,
  type Terms,
} from './handed.ts';

type Descriptors = Pick<NativeBinding, 'connectUnix' | 'sendDescriptors' | 'receiveDescriptors'>;

/** One that runs. */
export class Predecessor implements Forerunner {
  readonly #binding: Descriptors;
  readonly #path: string;
  #descriptor: number;
  readonly #buffer = Buffer.alloc(65_536);
  #octets: Buffer[] = [];
  #descriptors: number[] = [];
  #terms!: Terms;
  added: AddedLists = [];

  /** Undefined where none runs; rejects with a sentence where it does, and will not give place. */
  static async find(path: string, binding: Descriptors): Promise<Predecessor | undefined> {
    let descriptor: number;
    try {
      descriptor = binding.connectUnix(path);
    } catch (cause) {
      const name = getSystemErrorName(-(cause as { errno?: number }).errno! || -1);
      if (name === 'ENOENT' || name === 'ECONNREFUSED') return undefined;
      throw new Error(`control socket ${path}: ${name}: whoever takes over has to be of the same user, or root`, {
        cause,
      });
    }
    const found = new Predecessor(path, descriptor, binding);
    try {
      const answer = await found.#ask({ command: 'takeover', version: TAKEOVER_VERSION });
      if (answer['ok'] !== true) throw new Error(String(answer['error']));
      found.#terms = answer['terms'] as Terms;
      found.added = answer['added'] as AddedLists;
      return found;
    } catch (error) {
      found.close();
      throw new Error(`cannot take over from the tlspin at ${path}: ${(error as Error).message}`, { cause: error });
    }
  }

  private constructor(path: string, descriptor: number, binding: Descriptors) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.#binding = binding;
  }

  agree(terms: Terms): void {
    const differing = differingTerms(this.#terms, terms);
    if (differing.length === 0) return;
    const what = differing.join(', ');
    throw new Error(`cannot take over from the tlspin at ${this.#path}: ${what} changed, which takes a restart`);
  }

  /** It reads on where this connection ends. */
  async release(): Promise<Released> {
    this.#send({ command: 'takeover', version: TAKEOVER_VERSION, release: true });
    const line = await this.#line();
    const { queues, probes, added, ok, error } = readRemembered(line) as Remembered & { ok?: boolean; error?: string };
    if (ok === false) throw new Error(`cannot take over from the tlspin at ${this.#path}: ${error}`);
    if (JSON.stringify(added) !== JSON.stringify(this.added))
      throw new Error('a list was changed meanwhile: try again');
    await this.#until(() => this.#descriptors.length >= queues.length);
    const here = queues.map(([queueNum, { handed, memory }], i) => {
      return [queueNum, { handed: { ...handed, descriptor: this.#descriptors[i]! }, memory }] as const;
    });
    return { queues: new Map(here), probes };
  }

  /** It ends now. */
  running(): void {
    this.#send({ running: true });
    this.close();
  }

  /** Where nothing was said of running, it goes on. */
  close(): void {
    if (this.#descriptor >= 0) closeSync(this.#descriptor);
    this.#descriptor = -1;
  }

  async #ask(request: object): Promise<Record<string, unknown>> {
    this.#send(request);
    return JSON.parse(await this.#line()) as Record<string, unknown>;
  }

  #send(message: object): void {
    const line = Buffer.from(`${JSON.stringify(message)}\n`);
    if (this.#binding.sendDescriptors(this.#descriptor, line, []) !== line.length) throw new Error('it is gone');
  }

  async #line(): Promise<string> {
    await this.#until(() => this.#octets.at(-1)?.includes('\n') ?? false);
    const all = Buffer.concat(this.#octets);
    const end = all.indexOf('\n');
    this.#octets = [all.subarray(end + 1)];
    return all.toString('utf8', 0, end);
  }

  async #until(isThere: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!isThere()) {
      const { octets, descriptors } = this.#binding.receiveDescriptors(this.#descriptor, this.#buffer);
      this.#descriptors.push(...descriptors);
      if (octets > 0) this.#octets.push(Buffer.from(this.#buffer.subarray(0, octets)));
      else if (octets !== -EAGAIN) throw new Error('it has ended the conversation');
      else if (performance.now() > deadline) throw new Error(`it has not answered within ${PATIENCE_MS / 1000} s`);
      else await sleep(LOOK_MS);
    }
  }
}

const EAGAIN = 11;
const LOOK_MS = 2;
const PATIENCE_MS = 15_000;
