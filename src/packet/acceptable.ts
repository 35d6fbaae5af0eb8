/** Segments that are refused whatever connection they are of. Knows headers; a connection's numbers are for others. */
import { TCP_FLAG, type TcpView } from './tcp.ts';

/**
 * What no receiver takes as it is meant, or takes in more than one way: data without ACK (RFC 9293 §3.10.7.4), no flags
 * at all, an urgent pointer, whose octet is in or out of the stream as the receiver likes and may come in a later segment,
 * data with a reset, which is no part of the stream (RFC 9293 §3.5.3), and segments with a signature whose key the
 * receiver may not have (RFC 2385, RFC 5925).
 */
export function isUnacceptable(tcp: TcpView): boolean {
  if (!tcp.has(TCP_FLAG.ack | TCP_FLAG.rst) || tcp.has(TCP_FLAG.urg)) return true;
  return tcp.dataLength > 0 && (tcp.hasSignature || !tcp.has(TCP_FLAG.ack) || tcp.has(TCP_FLAG.rst));
}
