/**
 * A view of one UDP header (RFC 768): ports, and where the data lies. One reused object a worker. Knows no flow.
 */
import type { IpView } from './ip.ts';

export const PROTOCOL_UDP = 17;
export const UDP_HEADER_LENGTH = 8;

export class UdpView {
  bytes: Uint8Array = EMPTY;
  start = 0;
  srcPort = 0;
  dstPort = 0;
  /** First octet of the data and one past the last, by UDP's own length: receivers never see what lies behind. */
  dataStart = 0;
  dataEnd = 0;

  /** False when the header does not fit its bytes. */
  parse(ip: IpView): boolean {
    const b = ip.bytes;
    const at = ip.transport;
    if (ip.end - at < UDP_HEADER_LENGTH) return false;
    // 0: a packet that the device will split still has no length, as one that is too long for one (RFC 2675 §4).
    const length = (b[at + 4]! << 8) | b[at + 5]! || ip.end - at;
    if (length < UDP_HEADER_LENGTH || at + length > ip.end) return false;
    this.bytes = b;
    this.start = at;
    this.srcPort = (b[at]! << 8) | b[at + 1]!;
    this.dstPort = (b[at + 2]! << 8) | b[at + 3]!;
    this.dataStart = at + UDP_HEADER_LENGTH;
    this.dataEnd = at + length;
    return true;
  }

  get dataLength(): number {
    return this.dataEnd - this.dataStart;
  }
}

const EMPTY = new Uint8Array(0);
