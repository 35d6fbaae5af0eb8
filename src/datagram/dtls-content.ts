/**
 * What a datagram of DTLS holds, as far as headers tell: whether a receiver could make anything of it that nobody here
 * has read, whose it must be, whether a client begins anew or goes on. Remembers nothing and decides nothing.
 */
import { ByteReader } from '../bytes/reader.ts';
import { CONTENT, HANDSHAKE, VERSION } from '../tls/constants.ts';
import { type DtlsRecord, type DtlsRecords, readDtlsRecords } from '../tls/dtls-record.ts';

/**
 * `flight`: handshake messages in clear, and nothing worse; `protected`: what is encrypted, or begins to be; `sealed`: the
 * same in the form of DTLS 1.3, of which others read something else; `unread`: octets that are no record, or one that has
 * no business in clear, which receivers pass over or do not.
 */
export type Content = 'alerts' | 'flight' | 'protected' | 'sealed' | 'unread';

export function contentOf({ records, isWhole }: DtlsRecords): Content {
  if (!isWhole || records.some(isUnread)) return 'unread';
  if (records.some(({ version }) => version === VERSION.dtls13)) return 'sealed';
  if (records.some((record) => isProtected(record) || record.contentType === CONTENT.changeCipherSpec)) {
    return 'protected';
  }
  return records.some(isClearHandshake) ? 'flight' : 'alerts';
}

/** RFC 6347 §4.1, RFC 5246 §6.2.1: no other data in clear, and none without octets. */
function isUnread(record: DtlsRecord): boolean {
  const length = record.end - record.start;
  if (isProtected(record)) return false;
  switch (record.contentType) {
    case CONTENT.handshake:
      return length === 0;
    case CONTENT.alert:
      return length !== 2;
    case CONTENT.changeCipherSpec:
      // What OpenSSL spoke before there was a standard has two octets of message_seq in it.
      return length !== 1 && (length !== 3 || record.version !== VERSION.dtls10OpenSsl);
    default:
      return true;
  }
}

function isProtected({ epoch }: DtlsRecord): boolean {
  return epoch > 0;
}

export function isClearHandshake({ epoch, contentType, start, end }: DtlsRecord): boolean {
  return epoch === 0 && contentType === CONTENT.handshake && start < end;
}

export function hasProtected(records: readonly DtlsRecord[]): boolean {
  return records.some(isProtected);
}

/** Of a client's datagram: nothing but what it asks with. */
export function onlyAsks(bytes: Uint8Array, datagram: DtlsRecords): boolean {
  const content = contentOf(datagram);
  const types = clearTypes(bytes, datagram.records);
  return content === 'alerts' || (content === 'flight' && types.every((type) => type === HANDSHAKE.clientHello));
}

/** Of a client's datagram: it has had an answer that it goes on with. */
export function goesOn(bytes: Uint8Array, records: readonly DtlsRecord[]): boolean {
  return hasProtected(records) || clearTypes(bytes, records).some((type) => type > HANDSHAKE.clientHello);
}

/** What the endpoint that sent the datagram must be, by its messages in clear; undefined where they do not tell. */
export function dtlsRole(bytes: Uint8Array, start: number, end: number): 'client' | 'server' | undefined {
  const types = clearTypes(bytes, readDtlsRecords(bytes, start, end).records);
  if (types.some((type) => CLIENT_MESSAGES.has(type))) return 'client';
  return types.some((type) => SERVER_MESSAGES.has(type)) ? 'server' : undefined;
}

/** The random of a ClientHello with message_seq 0, from its first fragment. */
export function firstHelloRandom(bytes: Uint8Array, record: DtlsRecord): Uint8Array | undefined {
  if (!isClearHandshake(record)) return undefined;
  const reader = new ByteReader(bytes, record.start, record.end);
  const type = reader.u8();
  reader.skip(3);
  const seq = reader.u16();
  const offset = reader.u24();
  const body = reader.vector24();
  body.skip(2);
  const random = body.span(32);
  return body.ok && type === HANDSHAKE.clientHello && seq === 0 && offset === 0 ? random : undefined;
}

/** Of each record in clear, the type of the message that it begins with. */
function clearTypes(bytes: Uint8Array, records: readonly DtlsRecord[]): number[] {
  return records.filter(isClearHandshake).map(({ start }) => bytes[start]!);
}

/** A Certificate may be either's. */
const CLIENT_MESSAGES: ReadonlySet<number> = new Set([HANDSHAKE.clientHello, HANDSHAKE.clientKeyExchange]);
const SERVER_MESSAGES: ReadonlySet<number> = new Set([
  HANDSHAKE.serverHello,
  HANDSHAKE.serverKeyExchange,
  HANDSHAKE.serverHelloDone,
]);
