/**
 * Other gateways as witnesses of what a server shows: asked with a client's own question, each of them over a topic of its
 * own, and believed by a seal that only gateways can make, over their answer and the question. Who carries may keep
 * questions and answers back, and nothing else: an answer to another question is none. Knows no handshakes.
 */
import { createHmac } from 'node:crypto';

import { z } from 'zod';

import { atMost } from './at-most.ts';
import type { Broker, Subscription } from './port.ts';
import { gateways, type GatewayStatus, isPresent } from './publisher.ts';
import { SealedDialogue } from './sealed-dialogue.ts';

export interface WitnessesOptions {
  readonly broker: Broker;
  readonly fleet: string;
  readonly gateway: string;
  readonly network: string;
  /** Of the seals. */
  readonly key: Uint8Array;
}

/** What a server is asked with. */
export interface WitnessQuestion {
  readonly server: { readonly address: Uint8Array; readonly port: number };
  readonly clientHello: Uint8Array;
  readonly recordVersion: number;
  readonly starttls: string | null;
  readonly patience: number;
}

/** What a gateway was shown: a digest of the key of the server's own certificate. */
export interface Testimony {
  readonly gateway: string;
  readonly network: string;
  readonly shown: string;
}

/** `from`: who asks. Undefined where the server showed nothing. */
export type Witness = (question: WitnessQuestion, from: string) => Promise<string | undefined>;

export class Witnesses {
  readonly #options: WitnessesOptions;
  readonly #dialogue: SealedDialogue<z.infer<typeof questions>, z.infer<typeof testimonies>>;
  #known: readonly GatewayStatus[] = [];
  /** Until when nobody asks anew who there is. */
  #knownUntil = -Infinity;
  #learning: Promise<void> | undefined;

  constructor(options: WitnessesOptions) {
    this.#options = options;
    const { broker, fleet } = options;
    const key = createHmac('sha256', options.key).update(`tlspin witnesses 1 ${fleet}`).digest();
    this.#dialogue = new SealedDialogue({ broker, key, questions, answers: testimonies, mostOctets: MOST_OCTETS });
  }

  /** Has others' questions answered. */
  answer(witness: Witness): Subscription {
    const { gateway, network, fleet } = this.#options;
    return this.#dialogue.answer(topicOf(fleet, gateway), async ({ to, from, server, clientHello, ...rest }) => {
      if (to !== gateway) return undefined;
      const asked = {
        ...rest,
        clientHello: bytesOf(clientHello),
        server: { ...server, address: bytesOf(server.address) },
      };
      // That nothing was shown is said too: whoever asks waits for no more then.
      const shown = (await witness(asked, from)) ?? null;
      return { gateway, network, shown };
    });
  }

  /** As many as have answered in time, of `count` that are asked: gateways of other networks, and no two of one. */
  async ask(question: WitnessQuestion, count: number, patienceMs: number): Promise<readonly Testimony[]> {
    const { fleet, gateway: from } = this.#options;
    const { address, port } = question.server;
    const end = performance.now() + patienceMs;
    const asked = (await this.#choose(count, patienceMs / 2)).map(async ({ gateway: to }) => {
      const put = {
        ...question,
        ...{ from, to },
        clientHello: base64Of(question.clientHello),
        server: { address: base64Of(address), port },
      };
      const testimony = await this.#dialogue.ask(topicOf(fleet, to), put, Math.max(1, end - performance.now()));
      return testimony?.gateway === to ? testimony : undefined;
    });
    const answers = await Promise.allSettled(asked);
    return answers.flatMap((each) => {
      const told = each.status === 'fulfilled' ? each.value : undefined;
      return told === undefined || told.shown === null ? [] : [{ ...told, shown: told.shown }];
    });
  }

  /** Servers that take their time are waited for where too few are known, and no longer than that. */
  async #choose(count: number, patienceMs: number): Promise<readonly GatewayStatus[]> {
    if (performance.now() >= this.#knownUntil) void this.#learn();
    if (this.#others.length < count && this.#learning !== undefined) await atMost(patienceMs, this.#learning);
    return this.#others.slice(0, count);
  }

  #learn(): Promise<void> {
    const { broker, fleet: name } = this.#options;
    this.#learning ??= gateways({ broker, name, trusted: [] })
      .then(
        (known) => this.#take(known, KNOWN_FOR_MS),
        () => this.#take(this.#known, AGAIN_MS),
      )
      .finally(() => (this.#learning = undefined));
    return this.#learning;
  }

  #take(known: readonly GatewayStatus[], forMs: number): void {
    this.#known = known;
    this.#knownUntil = performance.now() + forMs;
  }

  /** One of each other network, by lot. */
  get #others(): GatewayStatus[] {
    const { gateway, network } = this.#options;
    const others = this.#known.filter((each) => each.answers && each.gateway !== gateway && isPresent(each));
    const byNetwork = new Map(shuffled(others).map((each) => [each.network, each]));
    byNetwork.delete(network);
    return [...byNetwork.values()];
  }
}

function topicOf(fleet: string, gateway: string): string {
  return `witness.${fleet}.${gateway}`;
}

function shuffled<T>(values: readonly T[]): T[] {
  const drawn = values.map((value) => [Math.random(), value] as const);
  return drawn.sort(([a], [b]) => a - b).map(([, value]) => value);
}

function base64Of(octets: Uint8Array): string {
  return Buffer.from(octets).toString('base64');
}

function bytesOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, 'base64'));
}

const questions = z.object({
  from: z.string().max(64),
  to: z.string().max(64),
  server: z.object({ address: z.base64().max(24), port: z.int().min(1).max(65_535) }),
  clientHello: z.base64().max(100_000),
  recordVersion: z.int().min(0).max(65_535),
  starttls: z.string().max(20).nullable(),
  patience: z.int().min(0).max(60_000),
});
const testimonies = z.object({
  gateway: z.string().max(64),
  network: z.string().max(64),
  /** Null: nothing. */
  shown: z.string().max(100).nullable(),
});
const MOST_OCTETS = 200_000;
const KNOWN_FOR_MS = 60_000;
const AGAIN_MS = 5_000;
