/**
 * LDAP up to StartTLS (RFC 4511 §4.14): an ExtendedRequest whose answer carries the same message id. Before it, clients
 * read the root DSE and the schema; a bind or another search in the clear shows a client that will not upgrade.
 *
 *   LDAPMessage ::= SEQUENCE { messageID INTEGER, protocolOp [APPLICATION n], controls [0] OPTIONAL }
 */
import { FrameBuffer } from './frames.ts';
import { LIMIT, MORE, agreed, ahead, asked, foreign, more, refused } from './preamble.ts';
import type { ClientStep, Preamble, ServerStep } from './preamble.ts';

export class LdapPreamble implements Preamble {
  readonly protocol = 'ldap';
  readonly tunnel = false;
  readonly text = false;
  heard = false;
  readonly #client = new FrameBuffer(messageLength);
  /** Messages of the client's that have not had their last answer. */
  readonly #due = new Set<number>();
  /** Octets that are to come of a message whose beginning was taken. */
  #rest = 0;
  /** Of the StartTLS request that waits for its answer; undefined when there is none. */
  #messageId: number | undefined;

  client(bytes: Uint8Array, at: number): ClientStep {
    const frames = this.#client;
    let start = frames.idle ? at : -1;
    for (let end = frames.take(bytes, at); end >= 0; end = frames.take(bytes, end)) {
      if (frames.overlong) return LIMIT;
      const message = readMessage(frames.frame);
      if (message === undefined || !isHarmless(message)) return foreign(start);
      this.heard = true;
      this.#due.add(message.id);
      if (this.#due.size > MAX_PIPELINED) return LIMIT;
      if (isStartTls(message)) {
        this.#messageId = message.id;
        return asked(end);
      }
      start = end;
    }
    return frames.bad ? foreign(start) : MORE;
  }

  server(bytes: Uint8Array): ServerStep {
    let at = Math.min(this.#rest, bytes.length);
    this.#rest -= at;
    while (at < bytes.length) {
      const length = messageLength(bytes.subarray(at));
      if (length < 0) return ahead(at);
      if (length === 0 || bytes.length - at < Math.min(length, MAX_HEAD)) return more(at);
      const message = readMessage(bytes.subarray(at, at + length));
      if (message === undefined) return ahead(at);
      const end = at + length;
      const isAnswer = message.id === this.#messageId && message.operation === OPERATION.extendedResponse;
      if (isAnswer && end > bytes.length) return more(at);
      if (!this.#isDue(message)) return ahead(at);
      if (isAnswer) {
        this.#messageId = undefined;
        // LDAPResult begins with resultCode ENUMERATED; 0 is success.
        const [tag, size, code] = message.body;
        return tag === 0x0a && size === 1 && code === 0 ? agreed(end) : refused(end);
      }
      at = Math.min(end, bytes.length);
      this.#rest = end - at;
    }
    return more(at);
  }

  /** It answers one of the client's messages, whose last answer it may be. RFC 4511 §4.4: 0 is of no message. */
  #isDue({ id, operation }: Message): boolean {
    if (id === 0 || (PARTIAL_ANSWERS.has(operation) && this.#due.has(id))) return true;
    return this.#due.delete(id);
  }
}

interface Message {
  readonly id: number;
  readonly operation: number;
  readonly body: Uint8Array;
}

/** Definite lengths of up to four octets (RFC 4511 §5.1). */
function messageLength(head: Uint8Array): number {
  if (head[0] !== 0x30) return -1;
  const length = elementLength(head, 1);
  return length === undefined ? 0 : length < 0 ? -1 : length;
}

/** Octets up to the end of the element whose length field is at `at`; undefined: more is needed; -1: not a length. */
function elementLength(bytes: Uint8Array, at: number): number | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  if (first < 0x80) return at + 1 + first;
  const octets = first & 0x7f;
  if (octets === 0 || octets > 4) return -1;
  if (bytes.length < at + 1 + octets) return undefined;
  let length = 0;
  for (let index = 0; index < octets; index++) length = length * 256 + bytes[at + 1 + index]!;
  return at + 1 + octets + length;
}

/** Of a message whose end may be missing. */
function readMessage(frame: Uint8Array): Message | undefined {
  const outer = frame[1]! < 0x80 ? 2 : 2 + (frame[1]! & 0x7f);
  if (frame[outer] !== 0x02) return undefined;
  const idEnd = elementLength(frame, outer + 1) ?? -1;
  if (idEnd < 0 || idEnd - outer < 3 || idEnd - outer > 6 || idEnd >= frame.length) return undefined;
  let id = 0;
  for (let at = outer + 2; at < idEnd; at++) id = id * 256 + frame[at]!;
  const operation = frame[idEnd]!;
  const end = elementLength(frame, idEnd + 1) ?? -1;
  if (end < 0 || end > messageLength(frame)) return undefined;
  const lengthOctets = frame[idEnd + 1]! < 0x80 ? 1 : 1 + (frame[idEnd + 1]! & 0x7f);
  return { id, operation, body: frame.subarray(idEnd + 1 + lengthOctets, end) };
}

function isStartTls(message: Message): boolean {
  const { operation, body } = message;
  if (operation !== OPERATION.extendedRequest || body[0] !== 0x80 || body[1] !== START_TLS.length) return false;
  return Buffer.from(body).toString('latin1', 2, 2 + START_TLS.length) === START_TLS;
}

function isHarmless(message: Message): boolean {
  return message.operation === OPERATION.searchRequest
    ? isOfServerItself(message.body)
    : HARMLESS.has(message.operation);
}

/**
 * A search (RFC 4511 §4.5.1) of the root DSE, whose name is empty, or of the schema (RFC 4512 §4.2): by the name that it
 * mostly has, or of one entry alone that has to be of that class.
 */
function isOfServerItself(searchRequest: Uint8Array): boolean {
  const [base, scope, , , , , filter] = elementsOf(searchRequest, 7);
  if (base?.tag !== 0x04) return false;
  if (/^( *cn *= *subschema *)?$/i.test(latin1(base.value))) return true;
  const [attribute, value] = filter?.tag === FILTER_EQUALITY ? elementsOf(filter.value, 2) : [];
  if (scope?.value[0] !== SCOPE_BASE || attribute === undefined || value === undefined) return false;
  return /^objectClass$/i.test(latin1(attribute.value)) && /^subschema$/i.test(latin1(value.value));
}

/** What stands one behind the other, and whole: as many as that at the most. */
function elementsOf(bytes: Uint8Array, most: number): { tag: number; value: Uint8Array }[] {
  const found = [];
  for (let at = 0; at < bytes.length && found.length < most;) {
    const end = elementLength(bytes, at + 1) ?? -1;
    if (end < 0 || end > bytes.length) break;
    const first = bytes[at + 1]!;
    found.push({ tag: bytes[at]!, value: bytes.subarray(at + (first < 0x80 ? 2 : 2 + (first & 0x7f)), end) });
    at = end;
  }
  return found;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

const SCOPE_BASE = 0;
const FILTER_EQUALITY = 0xa3;
/** Application tags of protocolOp (RFC 4511 appendix B). */
const OPERATION = {
  unbindRequest: 0x42,
  abandonRequest: 0x50,
  searchRequest: 0x63,
  extendedRequest: 0x77,
  extendedResponse: 0x78,
} as const;
const HARMLESS: ReadonlySet<number> = new Set([
  OPERATION.unbindRequest,
  OPERATION.abandonRequest,
  OPERATION.extendedRequest,
]);
/** Those behind which more may come (RFC 4511 §4.5.2, §4.13). */
const PARTIAL_ANSWERS: ReadonlySet<number> = new Set([0x64, 0x73, 0x79]);
/** Octets that tell a message's number and operation, and the length of both. */
const MAX_HEAD = 24;
const MAX_PIPELINED = 256;
const START_TLS = '1.3.6.1.4.1.1466.20037';
