/**
 * Long headers of QUIC packets (RFC 9000 §17.2, RFC 8999 §5.1): versions, connection IDs, and where a packet ends and the
 * next one in the same datagram begins. Short headers have nothing to show. Knows no keys.
 *
 *   | 1 fixed type type-specific | version 32 | DCID length 8 | DCID | SCID length 8 | SCID | by type |
 *   Initial: token length (i), token; all but Retry: length (i), packet number 8..32, payload
 */
import { ByteReader } from '../bytes/reader.ts';
import { readVarint } from './varint.ts';
import { quicVersion, VERSION_NEGOTIATION } from './version.ts';

export type LongPacketType = 'initial' | '0-rtt' | 'handshake' | 'retry' | 'version-negotiation' | 'unknown-version';

/** Views of the datagram. */
export interface LongHeader {
  readonly type: LongPacketType;
  readonly version: number;
  readonly dcid: Uint8Array;
  readonly scid: Uint8Array;
  readonly start: number;
  /** Where the protected packet number begins; 0 where there is none. */
  readonly packetNumberAt: number;
  /** One past the packet's last octet. */
  readonly end: number;
}

/** RFC 8999 §5.1: the header form. */
export function isLongHeader(firstOctet: number): boolean {
  return (firstOctet & HEADER_FORM) !== 0;
}

/** Undefined where the octets are no long header, or one whose lengths do not fit. */
export function readLongHeader(bytes: Uint8Array, start: number, end: number): LongHeader | undefined {
  const reader = new ByteReader(bytes, start, end);
  const first = reader.u8();
  const version = reader.u32();
  const dcid = reader.vector8().rest();
  const scid = reader.vector8().rest();
  if (!reader.ok || !isLongHeader(first)) return undefined;
  const whole = { version, dcid, scid, start, packetNumberAt: 0, end };
  if (version === VERSION_NEGOTIATION) return { ...whole, type: 'version-negotiation' };
  const known = quicVersion(version);
  if (known === undefined) return { ...whole, type: 'unknown-version' };
  // RFC 9000 §17.2: in these versions connection IDs have at most 20 octets.
  if (dcid.length > MAX_CID || scid.length > MAX_CID) return undefined;
  const { types } = known;
  const type = first & LONG_PACKET_TYPE;
  if (type === types.retry) return { ...whole, type: 'retry' };
  if (type === types.initial) reader.skip(readVarint(reader)); // token
  const length = readVarint(reader);
  const packetNumberAt = reader.at;
  reader.skip(length);
  if (!reader.ok) return undefined;
  const name = type === types.initial ? 'initial' : type === types.zeroRtt ? '0-rtt' : 'handshake';
  return { ...whole, type: name, packetNumberAt, end: reader.at };
}

const HEADER_FORM = 0x80;
const LONG_PACKET_TYPE = 0x30;
const MAX_CID = 20;
