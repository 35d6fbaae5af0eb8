/** Does to a server's datagrams what a program says; knows records and fragments (RFC 6347 §4), and nobody's keys. */
import { dtlsRecord, fragment, helloVerifyRequest, fragments } from '../../support/dtls-bytes.ts';
import type { DatagramEdit, DatagramProgram, Junk } from './moves.ts';

export class DatagramEditor {
  readonly #edits: readonly DatagramEdit[];
  readonly #sessionId: () => Buffer;
  #count = 0;
  #swapped: Buffer[] = [];
  #joined: Buffer | undefined;

  /** `sessionId`: what the client's hello offers. */
  constructor(program: DatagramProgram, sessionId: () => Buffer) {
    this.#edits = program.edits;
    this.#sessionId = sessionId;
  }

  /** How many datagrams have been edited. */
  get count(): number {
    return this.#count;
  }

  /** What goes to the client for a datagram; `genuine`: what the genuine server said last. */
  edit(datagram: Buffer, genuine: readonly Buffer[]): Buffer[] {
    const count = this.#count++;
    let out = [datagram];
    if (this.#joined !== undefined) {
      out = [Buffer.concat([this.#joined, datagram])];
      this.#joined = undefined;
    }
    for (const edit of this.#edits) if (edit.at === null || edit.at === count) out = this.#one(edit, out, genuine);
    if (out.length > 0) out = [...out, ...this.#swapped.splice(0)];
    return out;
  }

  #one(edit: DatagramEdit, out: Buffer[], genuine: readonly Buffer[]): Buffer[] {
    switch (edit.edit) {
      case 'drop':
        return [];
      case 'repeat':
        return [...out, ...out];
      case 'swap':
        this.#swapped = out;
        return [];
      case 'apart':
        return out.flatMap(recordsOf);
      case 'joined':
        this.#joined = Buffer.concat(out);
        return [];
      case 'cut':
        return out.map((datagram) => datagram.subarray(0, Math.max(1, datagram.length - 5)));
      case 'genuine-ahead':
        return [...genuine, ...out];
      case 'genuine-behind':
        return [...out, ...genuine];
      case 'junk':
        return withJunk(out, junk(edit.what), edit.where);
      case 'refragment':
        return out.map((datagram) =>
          Buffer.concat(recordsOf(datagram).flatMap((record) => refragment(record, edit.size, edit.order))),
        );
      case 'retry-random':
        return out.map((datagram) => withHello(datagram, (hello) => RETRY_RANDOM.copy(hello, 2)));
      case 'echo-session':
        return out.map((datagram) =>
          withHello(datagram, (hello) => {
            const id = this.#sessionId();
            if (id.length === hello[34]) id.copy(hello, 35);
          }),
        );
      case 'version':
        return out.map((datagram) => withRecords(datagram, (record) => record.writeUInt16BE(edit.version, 1)));
      case 'epoch':
        return out.map((datagram) => withRecords(datagram, (record) => record.writeUInt16BE(edit.epoch, 3)));
      case 'type':
        return out.map((datagram) => withRecords(datagram, (record) => record.writeUInt8(edit.type, 0)));
      case 'length':
        return out.map((datagram) =>
          withRecords(datagram, (record) => {
            record.writeUInt16BE(Math.min(0xffff, Math.max(0, record.readUInt16BE(11) + edit.by)), 11);
          }),
        );
      default:
        return edit satisfies never;
    }
  }
}

/** Records of a datagram; what makes none is the last one. */
export function recordsOf(datagram: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at < datagram.length;) {
    const end = at + 13 <= datagram.length ? at + 13 + datagram.readUInt16BE(at + 11) : datagram.length;
    records.push(Buffer.from(datagram.subarray(at, end)));
    at = end;
  }
  return records;
}

function withRecords(datagram: Buffer, change: (record: Buffer) => void): Buffer {
  const records = recordsOf(datagram).filter(({ length }) => length >= 13);
  records.forEach(change);
  return Buffer.concat(records);
}

/** `change` gets the body of a ServerHello that is whole in its record. */
function withHello(datagram: Buffer, change: (hello: Buffer) => void): Buffer {
  return withRecords(datagram, (record) => {
    if (record[0] === 22 && record[13] === 2 && record.length > 13 + 12 + 70) change(record.subarray(25));
  });
}

function refragment(record: Buffer, size: number, order: 'forwards' | 'backwards' | 'overlapping'): Buffer[] {
  const isWhole = record[0] === 22 && record.length >= 25 && record.readUInt16BE(3) === 0;
  if (!isWhole || record.readUIntBE(19, 3) !== 0 || record.readUIntBE(14, 3) !== record.readUIntBE(22, 3))
    return [record];
  const body = record.subarray(25, 25 + record.readUIntBE(22, 3));
  const step = Math.max(size, Math.ceil(body.length / 30));
  const pieces: Buffer[] = [];
  for (let at = 0; at === 0 || at < body.length; at += step) {
    const [from, to] = order === 'overlapping' ? [Math.max(0, at - 3), at + step + 3] : [at, at + step];
    pieces.push(dtlsRecord(22, fragment(record[13]!, record.readUInt16BE(17), body, from, to)));
  }
  // A receiver drops what has a number that it had before (RFC 6347 §4.1.2.6).
  pieces.forEach((piece, index) => piece.writeUIntBE(record.readUIntBE(5, 6) * 64 + index, 5, 6));
  return order === 'backwards' ? pieces.reverse() : pieces;
}

function withJunk(out: readonly Buffer[], octets: Buffer, where: 'ahead' | 'within' | 'behind' | 'alone'): Buffer[] {
  switch (where) {
    case 'ahead':
      return out.map((datagram) => Buffer.concat([octets, datagram]));
    case 'within':
      return out.map((datagram) => Buffer.concat(recordsOf(datagram).flatMap((record) => [record, octets])));
    case 'behind':
      return out.map((datagram) => Buffer.concat([datagram, octets]));
    case 'alone':
      return [octets, ...out];
    default:
      return where satisfies never;
  }
}

function junk(what: Junk): Buffer {
  switch (what) {
    case 'bad-version':
      return dtlsRecord(22, Buffer.alloc(0), { version: 0x7f7f });
    case 'bad-type':
      return dtlsRecord(99, Buffer.alloc(4));
    case 'empty-connection-id':
      return dtlsRecord(25, Buffer.alloc(0));
    case 'connection-id':
      return dtlsRecord(25, Buffer.alloc(20));
    case 'long': {
      const record = dtlsRecord(22, Buffer.alloc(4));
      record.writeUInt16BE(0x4800, 11);
      return record;
    }
    case 'empty-handshake':
      return dtlsRecord(22, Buffer.alloc(0));
    case 'empty-alert':
      return dtlsRecord(21, Buffer.alloc(0));
    case 'warning':
      return dtlsRecord(21, Buffer.of(1, 90));
    case 'change-cipher-spec':
      return dtlsRecord(20, Buffer.of(1));
    case 'hello-verify-request':
      return dtlsRecord(22, fragments(helloVerifyRequest(Buffer.alloc(16, 7)), 0)[0]!);
    case 'hello-request':
      return dtlsRecord(22, Buffer.alloc(12));
    case 'application-data':
      return dtlsRecord(23, Buffer.alloc(30));
    case 'next-epoch':
      return dtlsRecord(22, Buffer.alloc(40), { epoch: 1 });
    case 'unified-header':
      return Buffer.concat([Buffer.of(0x2f, 0, 1, 0, 20), Buffer.alloc(20)]);
    case 'zeros':
      return Buffer.alloc(13);
    case 'one-octet':
      return Buffer.of(22);
    case 'twelve-octets':
      return dtlsRecord(22, Buffer.alloc(0)).subarray(0, 12);
    case 'stun':
      return Buffer.concat([Buffer.from('010100002112442a', 'hex'), Buffer.alloc(12)]);
    default:
      return what satisfies never;
  }
}

const RETRY_RANDOM = Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex');
