/** What a server says ahead of TLS, honestly or ahead of everything that it was asked. */
import type { Speaker } from './speaker.ts';

export type Protocol = 'smtp' | 'imap' | 'pop3' | 'ftp';
/** `ahead`: all of it as the connection opens; `answers`: all that is left with the first answer. */
export type Manner = 'honest' | 'ahead' | 'answers';

export const DIALOGUES: Readonly<Record<Protocol, { says: readonly string[]; hears: readonly string[] }>> = {
  smtp: {
    says: ['EHLO me\r\n', 'STARTTLS\r\n'],
    hears: ['220 mail\r\n', '250-mail\r\n250 STARTTLS\r\n', '220 ready\r\n'],
  },
  imap: { says: ['a1 STARTTLS\r\n'], hears: ['* OK mail\r\n', 'a1 OK begin\r\n'] },
  pop3: { says: ['STLS\r\n'], hears: ['+OK mail\r\n', '+OK begin\r\n'] },
  ftp: { says: ['AUTH TLS\r\n'], hears: ['220 files\r\n', '234 begin\r\n'] },
};

export class PreambleSpeaker implements Speaker {
  readonly #inner: Speaker;
  readonly #replies: string[];
  readonly #manner: Manner;
  #line = Buffer.alloc(0);
  #spoken: Buffer[] = [];
  #isOver = false;
  /** Lines that the client will still say. */
  #expected: number;

  constructor(protocol: Protocol, manner: Manner, inner: Speaker) {
    this.#inner = inner;
    this.#manner = manner;
    this.#replies = [...DIALOGUES[protocol].hears];
    this.#expected = DIALOGUES[protocol].says.length;
  }

  get heard(): Buffer {
    return this.#inner.heard;
  }

  open(): void {
    this.#reply(this.#manner === 'ahead');
  }

  hear(octets: Buffer): void {
    let rest = octets;
    // Whatever was said ahead, what the client says in clear is to be passed over.
    if (!this.#isOver || this.#expected > 0) {
      this.#line = Buffer.concat([this.#line, rest]);
      rest = Buffer.alloc(0);
      for (let end = this.#line.indexOf('\n'); end >= 0 && this.#expected > 0; end = this.#line.indexOf('\n')) {
        this.#line = this.#line.subarray(end + 1);
        this.#expected--;
        if (!this.#isOver) this.#reply(this.#manner === 'answers');
      }
      if (this.#expected === 0) [rest, this.#line] = [this.#line, Buffer.alloc(0)];
    }
    if (rest.length > 0) this.#inner.hear(rest);
  }

  take(): Buffer {
    return Buffer.concat([...this.#spoken.splice(0), ...(this.#isOver ? [this.#inner.take()] : [])]);
  }

  close(): void {
    this.#inner.close();
  }

  #reply(all: boolean): void {
    for (const reply of all ? this.#replies.splice(0) : this.#replies.splice(0, 1))
      this.#spoken.push(Buffer.from(reply));
    if (this.#replies.length > 0 || this.#isOver) return;
    this.#isOver = true;
    this.#inner.open();
  }
}
