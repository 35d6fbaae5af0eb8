/**
 * Where a capture begins in the middle of a connection: whether a segment starts a TLS record, and who must have sent
 * it. For captures only; on the live path an unknown connection is a situation.
 */
import type { TcpView } from '../packet/tcp.ts';
import { CONTENT, HANDSHAKE, MAX_CIPHERTEXT } from '../tls/constants.ts';
import { isSsl2Hello, SSL2, SSL2_TELLING } from '../tls/ssl2.ts';

export interface MidStreamStart {
  readonly fromClient: boolean;
  /** Sequence numbers from which both streams are read. */
  readonly clientFirst: number;
  readonly serverFirst: number;
}

/** Undefined where no record begins. */
export function startsMidStream(tcp: TcpView): MidStreamStart | undefined {
  const { bytes, dataStart: at } = tcp;
  if (tcp.dataLength < 6) return undefined;
  const type = bytes[at]!;
  const length = (bytes[at + 3]! << 8) | bytes[at + 4]!;
  const isVersion = bytes[at + 1] === 3 && bytes[at + 2]! <= 4;
  const isRecord = type >= CONTENT.changeCipherSpec && type <= CONTENT.applicationData && isVersion;
  const isSsl2 = tcp.dataLength >= SSL2_TELLING && isSsl2Hello(bytes, at, SSL2.clientHello);
  if (!isSsl2 && (!isRecord || length === 0 || length > MAX_CIPHERTEXT)) return undefined;
  const fromClient = isSsl2 || senderIsClient(tcp);
  return fromClient
    ? { fromClient, clientFirst: tcp.seq, serverFirst: tcp.ack }
    : { fromClient, clientFirst: tcp.ack, serverFirst: tcp.seq };
}

/** Whether the segment's data begins with a record that holds a ClientHello from its first octet. */
export function beginsClientHello({ bytes, dataStart: at, dataLength }: TcpView): boolean {
  return (
    dataLength > 10 &&
    bytes[at] === CONTENT.handshake &&
    bytes[at + 1] === 3 &&
    bytes[at + 5] === HANDSHAKE.clientHello &&
    bytes[at + 6] === 0 &&
    bytes[at + 9] === 3
  );
}

/** By the first message that only one side sends; else the server has the lower port. */
function senderIsClient(tcp: TcpView): boolean {
  for (const message of messagesOf(tcp)) {
    if (FROM_CLIENT.has(message)) return true;
    if (FROM_SERVER.has(message)) return false;
  }
  return tcp.dstPort < tcp.srcPort;
}

/** Types of the handshake messages that begin in the segment, which begins with a record. */
function* messagesOf({ bytes, dataStart, dataEnd }: TcpView): Iterable<number> {
  for (let at = dataStart; at + 9 <= dataEnd && bytes[at] === CONTENT.handshake;) {
    const end = at + 5 + ((bytes[at + 3]! << 8) | bytes[at + 4]!);
    for (at += 5; at + 4 <= Math.min(end, dataEnd);) {
      yield bytes[at]!;
      at += 4 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!);
    }
    at = Math.max(at, end);
  }
}

const FROM_CLIENT: ReadonlySet<number> = new Set([
  HANDSHAKE.clientHello,
  HANDSHAKE.clientKeyExchange,
  HANDSHAKE.certificateVerify,
]);
const FROM_SERVER: ReadonlySet<number> = new Set([
  HANDSHAKE.helloRequest,
  HANDSHAKE.serverHello,
  HANDSHAKE.newSessionTicket,
  HANDSHAKE.serverKeyExchange,
  HANDSHAKE.certificateRequest,
  HANDSHAKE.serverHelloDone,
  HANDSHAKE.certificateStatus,
]);
