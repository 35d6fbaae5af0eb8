/**
 * Where a capture begins in the middle of a connection: whether a segment starts a TLS record, and who must have sent
 * it. For captures only; on the live path an unknown connection is a situation.
 */
import type { TcpView } from '../packet/tcp.ts';
import { CONTENT, HANDSHAKE, MAX_CIPHERTEXT } from '../tls/constants.ts';

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
  const isRecord = type >= CONTENT.changeCipherSpec && type <= CONTENT.applicationData && bytes[at + 1] === 3;
  const isSsl2Hello = (bytes[at]! & 0x80) !== 0 && bytes[at + 2] === HANDSHAKE.clientHello && bytes[at + 3]! <= 3;
  if (!isSsl2Hello && (!isRecord || length === 0 || length > MAX_CIPHERTEXT)) return undefined;
  const fromClient = isSsl2Hello || senderIsClient(type, bytes[at + 5]!, tcp);
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

/** By the message, if it is one that only one side sends; else the server has the lower port. */
function senderIsClient(type: number, message: number, tcp: TcpView): boolean {
  if (type === CONTENT.handshake) {
    if (FROM_CLIENT.has(message)) return true;
    if (FROM_SERVER.has(message)) return false;
  }
  return tcp.dstPort < tcp.srcPort;
}

const FROM_CLIENT: ReadonlySet<number> = new Set([HANDSHAKE.clientHello, HANDSHAKE.clientKeyExchange]);
const FROM_SERVER: ReadonlySet<number> = new Set([
  HANDSHAKE.helloRequest,
  HANDSHAKE.serverHello,
  HANDSHAKE.newSessionTicket,
  HANDSHAKE.serverKeyExchange,
  HANDSHAKE.certificateRequest,
  HANDSHAKE.serverHelloDone,
  HANDSHAKE.certificateStatus,
]);
