/** FTP's control connection up to AUTH TLS (RFC 4217 §4). USER in the clear shows a client that will not upgrade. */
import { LinePreamble, ReplyQueue, beginsWithVerb, verbOf } from './lines.ts';
import type { ClientVerdict, ServerVerdict } from './lines.ts';

export class FtpPreamble extends LinePreamble {
  readonly protocol = 'ftp';
  readonly #replies = new ReplyQueue();

  protected override clientLine(line: string): ClientVerdict {
    const verb = verbOf(line);
    if (!HARMLESS.has(verb)) return 'foreign';
    const isUpgrade = verb === 'AUTH' && /^AUTH +(TLS|SSL|TLS-C|TLS-P) *$/i.test(line);
    if (!this.#replies.command(isUpgrade)) return 'foreign';
    return isUpgrade ? 'asked' : 'more';
  }

  protected override clientLineBegins(partial: string): boolean {
    return beginsWithVerb(partial, HARMLESS);
  }

  protected override serverLine(line: string): ServerVerdict {
    const code = this.#replies.reply(line);
    if (code === undefined) return 'more';
    return code >= 200 && code < 300 ? 'agreed' : 'refused';
  }
}

const HARMLESS: ReadonlySet<string> = new Set([
  'AUTH',
  'CLNT',
  'FEAT',
  'HELP',
  'HOST',
  'LANG',
  'NOOP',
  'OPTS',
  'QUIT',
  'SYST',
]);
