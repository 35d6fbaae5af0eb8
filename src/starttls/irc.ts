/**
 * IRC up to STARTTLS (ircv3.net/specs/deprecated/tls): the answer is numeric 670, a refusal 691, or 421 and 451 from
 * servers that do not know the command or want registration first. Registration may be under way meanwhile.
 */
import { LinePreamble, beginsWithVerb, verbOf } from './lines.ts';
import type { ClientVerdict, ServerVerdict } from './lines.ts';

export class IrcPreamble extends LinePreamble {
  readonly protocol = 'irc';
  #asked = false;

  protected override clientLine(line: string): ClientVerdict {
    const verb = verbOf(line);
    if (verb === '') return 'more';
    if (!HARMLESS.has(verb) || (verb === 'USER' && !/^USER( +[^ :][^ ]*){3} +\S/i.test(line))) return 'foreign';
    if (verb !== 'STARTTLS') return 'more';
    this.#asked = true;
    return 'asked';
  }

  protected override clientLineBegins(partial: string): boolean {
    return beginsWithVerb(partial, HARMLESS);
  }

  protected override serverLine(line: string): ServerVerdict {
    if (!this.#asked) return 'more';
    const [, numeric, parameters] = /^(?::\S+ +)?(\d{3}) +(.*)$/.exec(line) ?? [];
    if (numeric === undefined) return 'more';
    const refusal = numeric === '691' || (UNKNOWN.has(numeric) && /\bSTARTTLS\b/i.test(parameters!));
    if (numeric !== '670' && !refusal) return 'more';
    this.#asked = false;
    return refusal ? 'refused' : 'agreed';
  }
}

const HARMLESS: ReadonlySet<string> = new Set(['CAP', 'NICK', 'PASS', 'PING', 'PONG', 'QUIT', 'STARTTLS', 'USER']);
/** ERR_UNKNOWNCOMMAND and ERR_NOTREGISTERED. */
const UNKNOWN: ReadonlySet<string> = new Set(['421', '451']);
