/** What a server says ahead of TLS, honestly or ahead of everything that it was asked. */
import { DIALOGUES, type Protocol } from './dialogues.ts';
import type { Speaker } from './speaker.ts';

/** `ahead`: all of it as the connection opens; `answers`: all that is left with the first answer. */
export type Manner = 'honest' | 'ahead' | 'answers';

export class PreambleSpeaker implements Speaker {
  readonly #inner: Speaker;
  readonly #replies: string[];
  /** What the client will still say. */
  readonly #expected: string[];
  readonly #manner: Manner;
  #heard = Buffer.alloc(0);
  #spoken: Buffer[] = [];
  #isOver = false;

  constructor(protocol: Protocol, manner: Manner, inner: Speaker) {
    this.#inner = inner;
    this.#manner = manner;
    this.#replies = [...DIALOGUES[protocol].hears];
    this.#expected = [...DIALOGUES[protocol].says];
  }

  get heard(): Buffer {
    return this.#inner.heard;
  }

  open(): void {
    this.#reply(this.#manner === 'ahead');
  }

  /** Whatever was said ahead, what the client says in clear is passed over. */
  hear(octets: Buffer): void {
    this.#heard = Buffer.concat([this.#heard, octets]);
    while (this.#expected.length > 0 && this.#heard.length >= this.#expected[0]!.length) {
      this.#heard = this.#heard.subarray(this.#expected.shift()!.length);
      if (!this.#isOver) this.#reply(this.#manner === 'answers');
    }
    if (this.#expected.length > 0 || this.#heard.length === 0) return;
    const rest = this.#heard;
    this.#heard = Buffer.alloc(0);
    this.#inner.hear(rest);
  }

  take(): Buffer {
    return Buffer.concat([...this.#spoken.splice(0), ...(this.#isOver ? [this.#inner.take()] : [])]);
  }

  close(): void {
    this.#inner.close();
  }

  #reply(all: boolean): void {
    for (const reply of all ? this.#replies.splice(0) : this.#replies.splice(0, 1))
      this.#spoken.push(Buffer.from(reply, 'latin1'));
    if (this.#replies.length > 0 || this.#isOver) return;
    this.#isOver = true;
    this.#inner.open();
  }
}
