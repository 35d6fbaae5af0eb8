/**
 * ManageSieve up to STARTTLS (RFC 5804 §2.2): the server opens with its capabilities, and ends each answer with a line OK,
 * NO or BYE. Answers have no tags: they are matched with commands in order. AUTHENTICATE shows a client that stays clear.
 */
import { LinePreamble, beginsWithVerb, verbOf } from './lines.ts';
import type { ClientVerdict, ServerVerdict } from './lines.ts';

export class SievePreamble extends LinePreamble {
  readonly protocol = 'sieve';
  /** Of each command without an answer, whether it asks for TLS; the first answer is the greeting. */
  readonly #commands: boolean[] = [false];
  /** Octets that are to come of a literal (RFC 5804 §4), which may hold lines of its own. */
  #literal = 0;
  #answer: string | undefined;

  protected override clientLine(line: string): ClientVerdict {
    const verb = verbOf(line);
    if (!HARMLESS.has(verb) || this.#commands.length > MAX_PIPELINED) return 'foreign';
    this.#commands.push(verb === 'STARTTLS');
    return verb === 'STARTTLS' ? 'asked' : 'more';
  }

  protected override clientLineBegins(partial: string): boolean {
    return beginsWithVerb(partial, HARMLESS);
  }

  protected override serverLine(line: string): ServerVerdict {
    if (this.#literal > line.length) {
      this.#literal = Math.max(0, this.#literal - line.length - 2);
      return 'more';
    }
    const rest = line.slice(this.#literal);
    this.#literal = Number(/\{(\d{1,6})\+?\}$/.exec(rest)?.[1] ?? 0);
    this.#answer ??= /^(OK|NO|BYE)\b/i.exec(rest)?.[1];
    if (this.#literal > 0 || this.#answer === undefined) return 'more';
    const agrees = this.#answer.toUpperCase() === 'OK';
    this.#answer = undefined;
    return this.#commands.shift() === true ? (agrees ? 'agreed' : 'refused') : 'more';
  }
}

const HARMLESS: ReadonlySet<string> = new Set(['CAPABILITY', 'NOOP', 'LOGOUT', 'STARTTLS']);
const MAX_PIPELINED = 256;
