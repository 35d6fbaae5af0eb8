/**
 * XMPP up to STARTTLS (RFC 6120 §5): the client opens a stream and asks with <starttls/>, the server says <proceed/> or
 * <failure/>. Any other stanza of the client shows one that goes on in the clear. Tags are all that is read of XML.
 */
import { LIMIT, MORE, agreed, asked, foreign, more, refused } from './preamble.ts';
import type { ClientStep, Preamble, ServerStep } from './preamble.ts';

export class XmppPreamble implements Preamble {
  readonly protocol = 'xmpp';
  readonly tunnel = false;
  readonly text = true;
  readonly blanksFollow = true;
  heard = false;
  readonly #client = new TagBuffer();
  readonly #server = new TagBuffer();
  #streamOpen = false;
  #asked = false;
  /** The element of the server's answer that has begun and not ended. */
  #answer = '';

  client(bytes: Uint8Array, at: number): ClientStep {
    const buffer = this.#client;
    let start = buffer.partial === '' ? at : -1;
    for (let end = buffer.take(bytes, at); end >= 0; end = buffer.take(bytes, end)) {
      const tag = buffer.tag;
      const name = nameOf(tag);
      if (buffer.text || !CLIENT_TAGS.has(name) || (!this.#streamOpen && !OPENING_TAGS.has(name)))
        return foreign(start);
      this.heard = true;
      this.#streamOpen = true;
      if (name === '/starttls' || (name === 'starttls' && isEmpty(tag))) {
        this.#asked = true;
        return asked(end);
      }
      start = end;
    }
    if (buffer.overlong) return LIMIT;
    return buffer.text || !mayBegin(buffer.partial) ? foreign(start) : MORE;
  }

  server(bytes: Uint8Array): ServerStep {
    const buffer = this.#server;
    for (let end = buffer.take(bytes, 0); end >= 0; end = buffer.take(bytes, end)) {
      if (!this.#asked) continue;
      const name = nameOf(buffer.tag);
      if (name === 'proceed' || name === 'failure') this.#answer = name;
      const ended = name === `/${this.#answer}` || (name === this.#answer && isEmpty(buffer.tag));
      if (this.#answer === '' || !ended) continue;
      const positive = this.#answer === 'proceed';
      this.#asked = false;
      this.#answer = '';
      return positive ? agreed(end) : refused(end);
    }
    return more(bytes.length);
  }
}

/** Gathers one tag at a time, from '<' to the '>' that no quotation mark encloses. */
class TagBuffer {
  /** The tag that `take` completed, with its brackets. */
  tag = '';
  partial = '';
  /** Something other than blanks stood before the tag that `take` completed, or before the next one. */
  text = false;
  overlong = false;
  #quote = '';

  take(bytes: Uint8Array, from: number): number {
    if (this.partial === '') this.text = false;
    for (let at = from; at < bytes.length; at++) {
      const character = String.fromCharCode(bytes[at]!);
      if (this.partial === '') {
        if (character !== '<') {
          this.text ||= !BLANKS.has(character);
          continue;
        }
        this.overlong = false;
      }
      if (this.partial.length <= MAX_TAG) this.partial += character;
      else this.overlong = true;
      if (this.#quote !== '') {
        if (character === this.#quote) this.#quote = '';
      } else if (character === '"' || character === "'") {
        this.#quote = character;
      } else if (character === '>') {
        this.tag = this.overlong ? '<>' : this.partial;
        this.partial = '';
        return at + 1;
      }
    }
    return -1;
  }
}

function nameOf(tag: string): string {
  return /^<(\/?[^\s/>]*)/.exec(tag)?.[1] ?? '';
}

function isEmpty(tag: string): boolean {
  return tag.endsWith('/>');
}

/** Whether a partial tag can still become one of a client before TLS. */
function mayBegin(partial: string): boolean {
  for (const name of CLIENT_TAGS) {
    const begin = `<${name}`;
    if (begin.startsWith(partial) || partial.startsWith(begin)) return true;
  }
  return partial === '';
}

const OPENING_TAGS: ReadonlySet<string> = new Set(['?xml', 'stream:stream']);
const CLIENT_TAGS: ReadonlySet<string> = new Set([...OPENING_TAGS, '/stream:stream', 'starttls', '/starttls']);
/** White space of XML. */
const BLANKS: ReadonlySet<string> = new Set([' ', '\t', '\r', '\n']);
const MAX_TAG = 8192;
