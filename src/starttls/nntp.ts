/**
 * NNTP up to STARTTLS (RFC 4642 §2.2): 382 agrees. Replies have three digits (RFC 3977 §3.2) and some of them lines behind,
 * up to a dot. AUTHINFO and whatever asks for articles shows a client that stays in the clear.
 */
import { LinePreamble, beginsWithVerb, verbOf } from './lines.ts';
import type { ClientVerdict, ServerVerdict } from './lines.ts';

export class NntpPreamble extends LinePreamble {
  readonly protocol = 'nntp';
  /** Of each command without a reply, whether it asks for TLS; the first reply is the greeting. */
  readonly #commands: boolean[] = [false];
  #inList = false;

  protected override clientLine(line: string): ClientVerdict {
    const verb = verbOf(line);
    const isForeign = !HARMLESS.has(verb) || (verb === 'LIST' && !/^LIST +EXTENSIONS *$/i.test(line));
    if (isForeign || this.#commands.length > MAX_PIPELINED) return 'foreign';
    this.#commands.push(verb === 'STARTTLS');
    return verb === 'STARTTLS' ? 'asked' : 'more';
  }

  protected override clientLineBegins(partial: string): boolean {
    return beginsWithVerb(partial, HARMLESS);
  }

  protected override serverLine(line: string): ServerVerdict {
    if (this.#inList) {
      this.#inList = line !== '.';
      return 'more';
    }
    const code = /^(\d{3})( |$)/.exec(line)?.[1];
    if (code === undefined) return 'more';
    const asksForTls = this.#commands.shift() === true;
    this.#inList = LISTS.has(code);
    return !asksForTls ? 'more' : code === '382' ? 'agreed' : 'refused';
  }
}

const HARMLESS: ReadonlySet<string> = new Set(['CAPABILITIES', 'DATE', 'HELP', 'LIST', 'MODE', 'QUIT', 'STARTTLS']);
/** Help, capabilities, and extensions as they were listed before RFC 3977. */
const LISTS: ReadonlySet<string> = new Set(['100', '101', '202']);
const MAX_PIPELINED = 256;
