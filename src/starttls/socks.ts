/**
 * SOCKS 4 and 4a (NEC's and OpenSSH's documents), and 5 (RFC 1928) with user name and password (RFC 1929): a CONNECT that
 * succeeds opens a tunnel.
 *
 *   4: 04 01 port 2, address 4, user … 00 [, host … 00]       → 00 5a port 2, address 4
 *   5: 05 n methods                                            → 05 method
 *      01 length user length password                          → 01 status
 *      05 01 00 type address port 2                            → 05 reply 00 type address port 2
 */
import { copyOf } from '../bytes/copy.ts';
import { FrameBuffer } from './frames.ts';
import { LIMIT, MORE, agreed, ahead, asked, foreign, more, refused } from './preamble.ts';
import type { ClientStep, Preamble, ServerStep, Tunnel } from './preamble.ts';

export class SocksPreamble implements Preamble {
  readonly protocol = 'socks';
  readonly tunnel = true;
  readonly text = false;
  heard = false;
  #clientAwaits: 'greeting' | 'request' = 'greeting';
  #serverAwaits: 'method' | 'authentication' | 'reply' = 'method';
  readonly #client = new FrameBuffer((head) => this.#clientLength(head));
  #version = 0;
  /** Messages of the client's that have no answer yet. */
  #due = 0;
  #request: Uint8Array | undefined;
  /** The proxy wanted to know who asks. */
  #isAuthenticated = false;

  get target(): Tunnel | undefined {
    const request = this.#request;
    if (request === undefined) return undefined;
    const isAnonymous = this.#version === 4 ? request[8] === 0 : !this.#isAuthenticated;
    const protocol = this.#version === 4 ? 'socks4' : 'socks5';
    return { protocol, host: hostOf(request), request: isAnonymous ? request : null };
  }

  client(bytes: Uint8Array, at: number): ClientStep {
    const frames = this.#client;
    let start = frames.idle ? at : -1;
    for (let end = frames.take(bytes, at); end >= 0; end = frames.take(bytes, end)) {
      if (frames.overlong) return LIMIT;
      this.heard = true;
      this.#due++;
      const [first] = frames.frame;
      if (this.#clientAwaits === 'greeting') {
        this.#version = first!;
        this.#clientAwaits = 'request';
        if (first === 4) return this.#ask(end);
      } else if (first === 5) {
        return this.#ask(end);
      }
      start = end;
    }
    return frames.bad ? foreign(start) : MORE;
  }

  server(bytes: Uint8Array): ServerStep {
    let at = 0;
    while (this.#due > 0 && at < bytes.length) {
      const length = this.#serverLength(bytes.subarray(at));
      if (length < 0) return ahead(at);
      const end = at + length;
      if (length === 0 || end > bytes.length) return more(at);
      this.#due--;
      const second = bytes[at + 1];
      if (this.#version === 4) return second === GRANTED ? agreed(end) : refused(end);
      switch (this.#serverAwaits) {
        case 'method':
          this.#serverAwaits = second === METHOD_PASSWORD ? 'authentication' : 'reply';
          this.#isAuthenticated = second !== METHOD_NONE;
          break;
        case 'authentication':
          this.#serverAwaits = 'reply';
          break;
        case 'reply':
          return second === SUCCEEDED ? agreed(end) : refused(end);
        default:
          this.#serverAwaits satisfies never;
      }
      at = end;
    }
    return at < bytes.length ? ahead(at) : more(at);
  }

  #ask(end: number): ClientStep {
    this.#request = copyOf(this.#client.frame);
    return asked(end);
  }

  #clientLength(head: Uint8Array): number {
    const [version, second, third, type] = head;
    if (this.#clientAwaits === 'greeting' && version === 4) return socks4Length(head);
    if (this.#clientAwaits === 'greeting') {
      if (version !== 5 || second === 0) return -1;
      return second === undefined ? 0 : 2 + second;
    }
    if (this.#version !== 5) return -1;
    if (version === 1) {
      // User name and password, each behind its length.
      const password = second === undefined ? undefined : head[2 + second];
      return password === undefined ? 0 : 3 + second! + password;
    }
    if (version !== 5 || (second ?? COMMAND_CONNECT) !== COMMAND_CONNECT || (third ?? 0) !== 0) return -1;
    return type === undefined ? 0 : addressedLength(type, head[4]);
  }

  #serverLength(head: Uint8Array): number {
    const [first] = head;
    if (this.#version === 4) return first === 0 ? 8 : -1;
    if (first !== (this.#serverAwaits === 'authentication' ? 1 : 5)) return -1;
    if (this.#serverAwaits !== 'reply') return 2;
    return head.length < 5 ? 0 : addressedLength(head[3]!, head[4]);
  }
}

/** The header is 8 octets; behind it a user name ends with 0, and for addresses 0.0.0.x a host name does too. */
function socks4Length(head: Uint8Array): number {
  if ((head[1] ?? COMMAND_CONNECT) !== COMMAND_CONNECT) return -1;
  const userEnd = head.length < 9 ? -1 : head.indexOf(0, 8);
  if (userEnd < 0) return head.length > MAX_SOCKS4 ? -1 : 0;
  const isName = head[4] === 0 && head[5] === 0 && head[6] === 0 && head[7] !== 0;
  if (!isName) return userEnd + 1;
  const nameEnd = head.indexOf(0, userEnd + 1);
  return nameEnd < 0 ? (head.length > MAX_SOCKS4 ? -1 : 0) : nameEnd + 1;
}

/** Octets of a request or reply of version 5 by its address type; `first` is the first octet of the address. */
function addressedLength(type: number, first: number | undefined): number {
  if (type === ADDRESS.ipv4) return 10;
  if (type === ADDRESS.ipv6) return 22;
  if (type !== ADDRESS.name) return -1;
  return first === undefined ? 0 : 7 + first;
}

/** Of a whole request. */
function hostOf(request: Uint8Array): string {
  const text = Buffer.from(request).toString('latin1');
  if (request[0] === 4) {
    const [, name = ''] = text.slice(8).split('\0');
    return name === '' ? request.subarray(4, 8).join('.') : name;
  }
  if (request[3] === ADDRESS.name) return text.slice(5, 5 + request[4]!);
  return request[3] === ADDRESS.ipv4 ? request.subarray(4, 8).join('.') : '';
}

const COMMAND_CONNECT = 1;
const GRANTED = 0x5a;
const SUCCEEDED = 0x00;
const METHOD_NONE = 0x00;
const METHOD_PASSWORD = 0x02;
const ADDRESS = { ipv4: 1, name: 3, ipv6: 4 } as const;
const MAX_SOCKS4 = 1024;
