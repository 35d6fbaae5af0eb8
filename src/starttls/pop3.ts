/** POP3 up to STLS (RFC 2595 §4). Replies have no numbers: they are matched with commands in order. */
import { LinePreamble, beginsWithVerb, verbOf } from './lines.ts';
import type { ClientVerdict, ServerVerdict } from './lines.ts';

export class Pop3Preamble extends LinePreamble {
  readonly protocol = 'pop3';
  #commands: ('list' | 'upgrade' | 'other')[] = [];
  #greeted = false;
  #inList = false;

  protected override clientLine(line: string): ClientVerdict {
    const verb = verbOf(line);
    // AUTH alone lists mechanisms; AUTH with one begins to authenticate in the clear.
    if (!HARMLESS.has(verb) || (verb === 'AUTH' && line.trim().length > 4)) return 'foreign';
    const isList = verb === 'CAPA' || verb === 'AUTH' || line.toUpperCase().trim() === 'LANG';
    this.#commands.push(isList ? 'list' : verb === 'STLS' ? 'upgrade' : 'other');
    if (this.#commands.length > MAX_PIPELINED) return 'foreign';
    return verb === 'STLS' ? 'asked' : 'more';
  }

  protected override clientLineBegins(partial: string): boolean {
    return beginsWithVerb(partial, HARMLESS);
  }

  protected override serverLine(line: string): ServerVerdict {
    if (this.#inList) {
      this.#inList = line !== '.';
      return 'more';
    }
    const positive = /^\+OK\b/i.test(line);
    if (!positive && !/^-ERR\b/i.test(line)) return 'more';
    if (!this.#greeted) {
      this.#greeted = true;
      return 'more';
    }
    const command = this.#commands.shift();
    if (command === 'upgrade') return positive ? 'agreed' : 'refused';
    this.#inList = positive && command === 'list';
    return 'more';
  }
}

const HARMLESS: ReadonlySet<string> = new Set(['CAPA', 'STLS', 'AUTH', 'NOOP', 'QUIT', 'LANG', 'UTF8']);
const MAX_PIPELINED = 256;
