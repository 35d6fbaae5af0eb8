/** SMTP and LMTP up to STARTTLS (RFC 3207). A transaction or AUTH in the clear shows a client that will not upgrade. */
import { LinePreamble, ReplyQueue, beginsWithVerb, verbOf } from './lines.ts';
import type { ClientVerdict, ServerVerdict } from './lines.ts';

export class SmtpPreamble extends LinePreamble {
  readonly protocol = 'smtp';
  readonly #replies = new ReplyQueue();
  /** RFC 5321 §4.1.1.1: a client begins with EHLO or HELO (LMTP: LHLO). */
  #hello = false;

  protected override clientLine(line: string): ClientVerdict {
    const verb = verbOf(line);
    if (!this.#verbs().has(verb)) return 'foreign';
    if (HELLO.has(verb)) this.#hello = true;
    const isUpgrade = verb === 'STARTTLS';
    if (!this.#replies.command(isUpgrade)) return 'foreign';
    return isUpgrade ? 'asked' : 'more';
  }

  protected override clientLineBegins(partial: string): boolean {
    return beginsWithVerb(partial, this.#verbs());
  }

  protected override serverLine(line: string): ServerVerdict {
    const code = this.#replies.reply(line);
    if (code === undefined) return 'more';
    return code >= 200 && code < 300 ? 'agreed' : 'refused';
  }

  #verbs(): ReadonlySet<string> {
    return this.#hello ? HARMLESS : HELLO;
  }
}

const HELLO: ReadonlySet<string> = new Set(['EHLO', 'HELO', 'LHLO']);
const HARMLESS: ReadonlySet<string> = new Set([...HELLO, 'STARTTLS', 'NOOP', 'RSET', 'HELP', 'QUIT', 'XCLIENT']);
