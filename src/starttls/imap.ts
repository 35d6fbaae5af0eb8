/** IMAP up to STARTTLS (RFC 9051 §6.2.1): commands carry tags, and the answer is the line with the command's tag. */
import { LinePreamble, beginsWithVerb } from './lines.ts';
import type { ClientVerdict, ServerVerdict } from './lines.ts';

export class ImapPreamble extends LinePreamble {
  readonly protocol = 'imap';
  #tag = '';

  protected override clientLine(line: string): ClientVerdict {
    const [tag, verb] = line.split(' ', 2);
    if (!TAG.test(tag!) || verb === undefined || !HARMLESS.has(verb.toUpperCase())) return 'foreign';
    if (verb.toUpperCase() !== 'STARTTLS') return 'more';
    this.#tag = tag!;
    return 'asked';
  }

  protected override clientLineBegins(partial: string): boolean {
    const space = partial.indexOf(' ');
    if (space < 0) return TAG.test(partial);
    return TAG.test(partial.slice(0, space)) && beginsWithVerb(partial.slice(space + 1), HARMLESS);
  }

  protected override serverLine(line: string): ServerVerdict {
    if (this.#tag === '' || !line.startsWith(`${this.#tag} `)) return 'more';
    this.#tag = '';
    return /^\S+ OK\b/i.test(line) ? 'agreed' : 'refused';
  }
}

/** RFC 9051 §9: any ASTRING-CHAR but "+"; what clients use is short. */
const TAG = /^[!#$&',\-./0-9:;<=>?@A-Z[\]^_`a-z|}~]{1,32}$/;
const HARMLESS: ReadonlySet<string> = new Set(['CAPABILITY', 'NOOP', 'LOGOUT', 'ID', 'STARTTLS']);
