/**
 * IEEE 802.11 data frames (802.11-2020 §9.3.2), with or without a radiotap header (radiotap.org): where the LLC header
 * begins. Frames that are encrypted, fragmented, empty, or that gather several payloads (A-MSDU) carry none for us.
 */

/** Offset of the LLC header in the frame `at`–`end`; -1 when there is none. */
export function findWirelessPayload(radiotap: boolean, bytes: Uint8Array, at: number, end: number): number {
  let mac = at;
  let padded = false;
  if (radiotap) {
    if (end - at < 8) return -1;
    mac = at + (bytes[at + 2]! | (bytes[at + 3]! << 8));
    padded = (radiotapFlags(bytes, at, Math.min(mac, end)) & RADIOTAP_FLAG_DATA_PAD) !== 0;
  }
  if (mac < at || end - mac < 24) return -1;
  const [type, flags] = [bytes[mac]!, bytes[mac + 1]!];
  if ((type & 0x0c) !== TYPE_DATA || (type & SUBTYPE_NO_DATA) !== 0) return -1;
  const fragmented = (flags & FLAG_MORE_FRAGMENTS) !== 0 || (bytes[mac + 22]! & 0x0f) !== 0;
  if (fragmented || (flags & FLAG_PROTECTED) !== 0) return -1;
  let length = 24;
  if ((flags & FLAG_TO_AND_FROM_DS) === FLAG_TO_AND_FROM_DS) length += 6;
  if ((type & SUBTYPE_QOS) !== 0) {
    if (end - mac < length + 2 || (bytes[mac + length]! & QOS_A_MSDU) !== 0) return -1;
    length += 2;
    if ((flags & FLAG_ORDER) !== 0) length += 4;
  }
  return mac + (padded ? (length + 3) & ~3 : length);
}

/** The flags field, behind the presence words and (when present) the 8-octet timestamp. */
function radiotapFlags(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 8) return 0;
  const present = bytes[at + 4]!;
  if ((present & RADIOTAP_PRESENT_FLAGS) === 0) return 0;
  let field = at + 4;
  while (end - field >= 4 && (bytes[field + 3]! & 0x80) !== 0) field += 4;
  field += 4;
  if ((present & RADIOTAP_PRESENT_TSFT) !== 0) field = at + ((field - at + 7) & ~7) + 8;
  return field < end ? bytes[field]! : 0;
}

const TYPE_DATA = 0x08;
const SUBTYPE_NO_DATA = 0x40;
const SUBTYPE_QOS = 0x80;
const FLAG_TO_AND_FROM_DS = 0x03;
const FLAG_MORE_FRAGMENTS = 0x04;
const FLAG_PROTECTED = 0x40;
const FLAG_ORDER = 0x80;
const QOS_A_MSDU = 0x80;
const RADIOTAP_PRESENT_TSFT = 0x01;
const RADIOTAP_PRESENT_FLAGS = 0x02;
const RADIOTAP_FLAG_DATA_PAD = 0x20;
