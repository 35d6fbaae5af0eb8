/**
 * What a man in the middle does to a server's records before they go on: in clear each handshake message is a unit, else
 * each record, and the moves say what happens to the unit of a number. Keeps what is no TLS as it is.
 */
import * as tls from '../support/tls-bytes.ts';

export type Edit =
  | { readonly edit: 'insert'; readonly at: number; readonly what: Junk }
  | { readonly edit: 'drop'; readonly at: number }
  | { readonly edit: 'repeat'; readonly at: number }
  | { readonly edit: 'swap'; readonly at: number }
  | { readonly edit: 'flip'; readonly at: number; readonly octet: number }
  | { readonly edit: 'records'; readonly at: number; readonly size: number }
  | { readonly edit: 'version'; readonly at: number; readonly version: number }
  | { readonly edit: 'joined' }
  | { readonly edit: 'ticket' }
  | { readonly edit: 'session-id' }
  | { readonly edit: 'retry-random' };

export type Junk = keyof typeof JUNK;

/** The forger's own session, which he puts in the place of the genuine one. */
export interface Planted {
  readonly ticket: Buffer;
  readonly sessionId: Buffer;
}

interface Unit {
  type: number;
  version: number;
  body: Buffer;
}

export class Editor {
  readonly #edits: readonly Edit[];
  readonly #planted: Planted | undefined;
  #buffer = Buffer.alloc(0);
  #message = Buffer.alloc(0);
  #isProtected = false;
  #isForeign = false;
  #count = 0;
  #swapped: Buffer | undefined;

  constructor(edits: readonly Edit[], planted: Planted | undefined) {
    this.#edits = edits;
    this.#planted = planted;
  }

  /** What goes on of `octets`; what makes no whole unit waits. */
  edit(octets: Buffer): Buffer {
    if (this.#edits.length === 0) return octets;
    const first = this.#buffer[0] ?? octets[0];
    // A greeting ahead of TLS.
    if (first !== undefined && (first < 20 || first > 24)) this.#isForeign = true;
    else this.#isForeign = false;
    if (this.#isForeign) return octets;
    this.#buffer = Buffer.concat([this.#buffer, octets]);
    const out: Buffer[] = [];
    while (this.#buffer.length >= 5 && this.#buffer.length >= 5 + this.#buffer.readUInt16BE(3)) {
      const end = 5 + this.#buffer.readUInt16BE(3);
      const unit = {
        type: this.#buffer[0]!,
        version: this.#buffer.readUInt16BE(1),
        body: this.#buffer.subarray(5, end),
      };
      this.#buffer = this.#buffer.subarray(end);
      if (unit.type === 20) this.#isProtected = true;
      if (unit.type !== 22 || this.#isProtected) out.push(this.#unit(unit));
      else out.push(...this.#messages(unit));
    }
    return this.#joined(out);
  }

  #messages(unit: Unit): Buffer[] {
    const out: Buffer[] = [];
    this.#message = Buffer.concat([this.#message, unit.body]);
    while (this.#message.length >= 4 && this.#message.length >= 4 + this.#message.readUIntBE(1, 3)) {
      const end = 4 + this.#message.readUIntBE(1, 3);
      out.push(this.#unit({ ...unit, body: Buffer.from(this.#message.subarray(0, end)) }));
      this.#message = this.#message.subarray(end);
    }
    return out;
  }

  #unit(unit: Unit): Buffer {
    const count = this.#count++;
    const before: Buffer[] = [];
    const after: Buffer[] = [];
    let size = Infinity;
    let isKept = true;
    for (const edit of this.#edits) {
      if ('at' in edit && edit.at !== count) continue;
      switch (edit.edit) {
        case 'insert':
          before.push(JUNK[edit.what]);
          break;
        case 'drop':
          isKept = false;
          break;
        case 'repeat':
          after.push(tls.record(unit.type, unit.body, unit.version));
          break;
        case 'swap':
          this.#swapped = tls.record(unit.type, unit.body, unit.version);
          return Buffer.concat(before);
        case 'flip':
          if (unit.body.length > 0) unit.body[edit.octet % unit.body.length]! ^= 0x01;
          break;
        case 'records':
          // What is encrypted stays in its records.
          if (unit.type === 22 && !this.#isProtected) size = edit.size;
          break;
        case 'version':
          unit.version = edit.version;
          break;
        case 'ticket':
          if (this.#isMessage(unit, tls.HANDSHAKE.newSessionTicket) && this.#planted !== undefined) {
            unit.body = tls.newSessionTicket(this.#planted.ticket);
          }
          break;
        case 'session-id':
          if (this.#isMessage(unit, tls.HANDSHAKE.serverHello) && this.#planted !== undefined) {
            unit.body = withSessionId(unit.body, this.#planted.sessionId);
          }
          break;
        case 'retry-random':
          if (this.#isMessage(unit, tls.HANDSHAKE.serverHello)) RETRY_RANDOM.copy(unit.body, 6);
          break;
        case 'joined':
          break;
        default:
          edit satisfies never;
      }
    }
    const swapped = this.#swapped;
    this.#swapped = undefined;
    const own = !isKept
      ? []
      : size === Infinity
        ? [tls.record(unit.type, unit.body, unit.version)]
        : [tls.records(unit.type, unit.body, size, unit.version)];
    return Buffer.concat([...before, ...own, ...after, ...(swapped === undefined ? [] : [swapped])]);
  }

  #isMessage(unit: Unit, type: number): boolean {
    return unit.type === 22 && !this.#isProtected && unit.body[0] === type;
  }

  /** All messages of a flight in one record, where that is asked for and nothing but such is there. */
  #joined(out: readonly Buffer[]): Buffer {
    const whole = Buffer.concat(out);
    if (!this.#edits.some(({ edit }) => edit === 'joined') || this.#isProtected) return whole;
    const bodies: Buffer[] = [];
    for (let at = 0; at + 5 <= whole.length; at += 5 + whole.readUInt16BE(at + 3)) {
      if (whole[at] !== 22) return whole;
      bodies.push(whole.subarray(at + 5, at + 5 + whole.readUInt16BE(at + 3)));
    }
    return bodies.length === 0 ? whole : tls.records(22, Buffer.concat(bodies), 16_384);
  }
}

function withSessionId(hello: Buffer, sessionId: Buffer): Buffer {
  const rest = hello.subarray(39 + hello[38]!);
  return tls.handshake(2, Buffer.concat([hello.subarray(4, 38), tls.vector8(sessionId), rest]));
}

const JUNK = {
  warning: tls.alert('warning', 0x70),
  'user-cancelled': tls.alert('warning', 90),
  'no-renegotiation': tls.alert('warning', 100),
  'hello-request': tls.record(22, tls.helloRequest),
  changes: tls.changeCipherSpec,
  'empty-handshake': tls.record(22, Buffer.alloc(0)),
  'empty-alert': tls.record(21, Buffer.alloc(0)),
  'empty-data': tls.record(23, Buffer.alloc(0)),
  data: tls.record(23, Buffer.alloc(40, 0xad)),
  heartbeat: tls.record(24, Buffer.from([1, 0, 0])),
  'half-a-message': tls.record(22, Buffer.from([11, 0, 0x40, 0])),
  status: tls.record(22, tls.handshake(22, Buffer.concat([Buffer.from([1]), tls.vector24(Buffer.alloc(9))]))),
  retry: tls.record(22, tls.helloRetryRequest),
  'server-hello': tls.record(22, tls.serverHello()),
  'server-hello-13': tls.record(22, tls.serverHello13),
  'key-update': tls.record(22, tls.handshake(24, Buffer.from([0]))),
  ssl2: tls.ssl2ServerHello(Buffer.alloc(20, 0x30)),
} as const;
const RETRY_RANDOM = Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex');
export const JUNK_NAMES = Object.keys(JUNK) as Junk[];
