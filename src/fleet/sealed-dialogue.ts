/**
 * Questions from gateway to gateway whose answers only gateways can make: each is sealed, and an answer is for its question
 * alone. Who carries them can keep them back, and nothing else. Knows not what is asked.
 */
import { createHash } from 'node:crypto';

import type { z } from 'zod';

import type { Broker, Subscription } from './port.ts';
import { seal, unseal } from './sealed.ts';

export interface DialogueOptions<Question, Answer> {
  readonly broker: Broker;
  /** Of this dialogue alone. */
  readonly key: Uint8Array;
  readonly questions: z.ZodType<Question>;
  readonly answers: z.ZodType<Answer>;
  /** Of what is sealed. */
  readonly mostOctets: number;
}

export class SealedDialogue<Question extends object, Answer extends object> {
  readonly #options: DialogueOptions<Question, Answer>;

  constructor(options: DialogueOptions<Question, Answer>) {
    this.#options = options;
  }

  /** Undefined: by silence. */
  answer(topic: string, reply: (question: Question) => Promise<Answer | undefined>): Subscription {
    const { broker, questions } = this.#options;
    return broker.answer(topic, async (octets) => {
      const question = this.#open(octets, QUESTION, questions);
      const answer = question === undefined ? undefined : await reply(question);
      return answer === undefined ? undefined : this.#seal(answer, answerTo(octets));
    });
  }

  /** Undefined where what came is no answer to it. */
  async ask(topic: string, question: Question, patienceMs: number): Promise<Answer | undefined> {
    const { broker, answers } = this.#options;
    const octets = this.#seal(question, QUESTION);
    return this.#open(await broker.ask(topic, octets, patienceMs), answerTo(octets), answers);
  }

  #seal(value: object, beside: Uint8Array): Uint8Array {
    return seal(Buffer.from(JSON.stringify(value)), this.#options.key, beside);
  }

  #open<T>(octets: Uint8Array, beside: Uint8Array, shape: z.ZodType<T>): T | undefined {
    const { key, mostOctets } = this.#options;
    if (octets.length > mostOctets) return undefined;
    const text = unseal(octets, key, beside)?.toString('utf8');
    try {
      return text === undefined ? undefined : shape.parse(JSON.parse(text));
    } catch {
      return undefined;
    }
  }
}

/** The question itself, with the nonce of its seal, is part of what an answer is sealed for. */
function answerTo(question: Uint8Array): Buffer {
  return Buffer.concat([ANSWER, createHash('sha256').update(question).digest()]);
}

const QUESTION = Buffer.from('question');
const ANSWER = Buffer.from('answer');
