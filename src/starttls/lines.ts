/**
 * Protocols whose messages are lines: cuts both directions into lines (without CR LF; a bare LF ends one too, as it does
 * for most peers) and leaves their meaning to the protocol. A client's line beyond the limit is `LIMIT`; a server's is
 * passed over.
 */
import { LIMIT, MORE, agreed, asked, foreign, more, refused } from './preamble.ts';
import type { ClientStep, Preamble, ServerStep } from './preamble.ts';

export type ClientVerdict = 'more' | 'asked' | 'foreign';
export type ServerVerdict = 'more' | 'agreed' | 'refused';

export abstract class LinePreamble implements Preamble {
  abstract readonly protocol: string;
  readonly tunnel: boolean = false;
  readonly text = true;
  heard = false;
  readonly #client = new LineBuffer();
  readonly #server = new LineBuffer();

  /** The meaning of a whole line. */
  protected abstract clientLine(line: string): ClientVerdict;
  protected abstract serverLine(line: string): ServerVerdict;
  /** Whether a line that begins like this can still be one of the protocol: foreign clients are known by few octets. */
  protected abstract clientLineBegins(partial: string): boolean;

  client(bytes: Uint8Array, at: number): ClientStep {
    const buffer = this.#client;
    let start = buffer.partial === '' ? at : -1;
    for (let end = buffer.take(bytes, at); end >= 0; end = buffer.take(bytes, end)) {
      if (buffer.overlong) return LIMIT;
      const verdict = this.clientLine(buffer.line);
      if (verdict === 'foreign') return foreign(start);
      this.heard = true;
      if (verdict === 'asked') return asked(end);
      start = end;
    }
    if (buffer.overlong) return LIMIT;
    return buffer.partial === '' || this.clientLineBegins(buffer.partial) ? MORE : foreign(start);
  }

  server(bytes: Uint8Array): ServerStep {
    const buffer = this.#server;
    for (let end = buffer.take(bytes, 0); end >= 0; end = buffer.take(bytes, end)) {
      if (buffer.overlong) continue;
      const verdict = this.serverLine(buffer.line);
      if (verdict === 'agreed') return agreed(end);
      if (verdict === 'refused') return refused(end);
    }
    return more(bytes.length);
  }
}

/** Gathers one line at a time across chunks. */
class LineBuffer {
  /** The line that `take` completed, without its end. */
  line = '';
  /** What is there of the next line. */
  partial = '';
  /** The line that `take` completed, or the partial one, is longer than is kept. */
  overlong = false;

  /** Reads from `at`; the offset behind the line's end, -1 when the chunk ends before it. */
  take(bytes: Uint8Array, at: number): number {
    if (this.partial === '') this.overlong = false;
    const newline = bytes.indexOf(LF, at);
    const isFull = this.partial.length > MAX_LINE;
    const text = isFull ? '' : latin1(bytes, at, newline < 0 ? bytes.length : newline);
    const line = this.partial + text.slice(0, MAX_LINE + 1);
    if (line.length > MAX_LINE) this.overlong = true;
    if (newline < 0) {
      this.partial = line.slice(0, MAX_LINE + 1);
      return -1;
    }
    this.line = line.endsWith('\r') ? line.slice(0, -1) : line;
    this.partial = '';
    return newline + 1;
  }
}

/** The first word in upper case, and whether it is whole, i.e. something follows it. */
export function verbOf(line: string): string {
  const space = line.indexOf(' ');
  return (space < 0 ? line : line.slice(0, space)).toUpperCase();
}

/** Whether a partial line can still become one that begins with one of `verbs`. */
export function beginsWithVerb(partial: string, verbs: ReadonlySet<string>): boolean {
  const text = partial.endsWith('\r') ? partial.slice(0, -1) : partial;
  const verb = verbOf(text);
  if (text.length > verb.length) return verbs.has(verb);
  for (const known of verbs) if (known.startsWith(verb)) return true;
  return false;
}

/**
 * Replies of three digits (RFC 5321 §4.2, RFC 959 §4.2), of one line or several, matched with commands in order. The
 * first reply is the greeting, whatever commands were sent ahead of it.
 */
export class ReplyQueue {
  readonly #commands: boolean[] = [];
  #greeted = false;
  #multiline = '';

  /** False when a client has sent more commands than it could expect answers for. */
  command(isUpgrade: boolean): boolean {
    this.#commands.push(isUpgrade);
    return this.#commands.length <= MAX_PIPELINED;
  }

  /** The code of the reply to the upgrade that this line ends; undefined for every other line. */
  reply(line: string): number | undefined {
    const match = /^(\d{3})(?:([ -])|$)/.exec(line);
    if (match === null) return undefined;
    const code = match[1]!;
    if (this.#multiline !== '' && code !== this.#multiline) return undefined;
    this.#multiline = match[2] === '-' ? code : '';
    // A preliminary reply announces another one.
    if (this.#multiline !== '' || code.startsWith('1')) return undefined;
    if (!this.#greeted) {
      this.#greeted = true;
      return undefined;
    }
    return this.#commands.shift() === true ? Number(code) : undefined;
  }
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
}

const LF = 0x0a;
/** Octets of a line: twice what IRCv3 allows (8,191 of tags), far above the others' limits. */
const MAX_LINE = 16_384;
const MAX_PIPELINED = 256;
