/**
 * Frames of Initial packets (RFC 9000 §12.4): PADDING, PING, ACK, CRYPTO, CONNECTION_CLOSE; nothing else is allowed
 * there. Hands on what CRYPTO frames carry. Knows no streams.
 */
import { type Fault, malformed, unsupported } from '../bytes/fault.ts';
import { ByteReader } from '../bytes/reader.ts';
import { readVarint } from './varint.ts';
import type { QuicVersion } from './version.ts';

/** `data` is a view of the payload. */
export type CryptoFrameConsumer = (offset: number, data: Uint8Array) => Fault | undefined;

export function readInitialFrames(
  payload: Uint8Array,
  version: QuicVersion,
  onCrypto: CryptoFrameConsumer,
): Fault | undefined {
  const reader = new ByteReader(payload);
  while (reader.more()) {
    const at = reader.at;
    const type = readVarint(reader);
    if (type === version.cryptoFrame) {
      const offset = readVarint(reader);
      const data = reader.span(readVarint(reader));
      if (!reader.ok) break;
      const fault = onCrypto(offset, data);
      if (fault !== undefined) return fault;
    } else if (!skipFrame(reader, type)) {
      return unsupported('quic.frame.type', at);
    }
  }
  return reader.ok ? undefined : malformed('quic.frame.syntax', reader.at);
}

/** False for a type that an Initial packet may not have. */
function skipFrame(reader: ByteReader, type: number): boolean {
  switch (type) {
    case FRAME.padding:
    case FRAME.ping:
      return true;
    case FRAME.ack:
    case FRAME.ackEcn:
      skipAck(reader, type === FRAME.ackEcn);
      return true;
    case FRAME.connectionClose:
      readVarint(reader); // error code
      readVarint(reader); // frame type
      reader.skip(readVarint(reader)); // reason phrase
      return true;
    default:
      return false;
  }
}

/** RFC 9000 §19.3. The count is a promise; what is there ends it. */
function skipAck(reader: ByteReader, hasEcn: boolean): void {
  readVarint(reader); // largest acknowledged
  readVarint(reader); // delay
  const ranges = readVarint(reader);
  readVarint(reader); // first range
  for (let i = 0; i < ranges * 2 && reader.ok; i++) readVarint(reader);
  if (hasEcn) for (let i = 0; i < 3; i++) readVarint(reader);
}

/** IANA "QUIC Frame Types". */
const FRAME = { padding: 0x00, ping: 0x01, ack: 0x02, ackEcn: 0x03, connectionClose: 0x1c } as const;
