/** What connections and their ends are looked up by where packets are given a guise: short strings, made of headers. Knows no probes. */
import type { Headers } from './guise.ts';

/** Of the connection whose packet it is, from its client's side. `port`: another client's port than its own. */
export function nameOf({ ip, tcp }: Headers, isFromClient: boolean, port?: number): string {
  const { bytes, addresses, addressLength: length } = ip;
  const [client, server] = isFromClient ? [addresses, addresses + length] : [addresses + length, addresses];
  const [clientPort, serverPort] = isFromClient ? [tcp.srcPort, tcp.dstPort] : [tcp.dstPort, tcp.srcPort];
  const ends = text(bytes, client, length) + text(bytes, server, length);
  return ends + String.fromCharCode(port ?? clientPort, serverPort);
}

/** Of the client's address and its server. */
export function pairOf({ ip: { bytes, addresses, addressLength: length }, tcp }: Headers): string {
  return text(bytes, addresses, 2 * length) + String.fromCharCode(tcp.dstPort);
}

/** Of the client's. */
export function addressOf({ bytes, addresses, addressLength }: Headers['ip']): string {
  return text(bytes, addresses, addressLength);
}

/** A character for each octet pair. */
function text(bytes: Uint8Array, from: number, length: number): string {
  let all = '';
  for (let at = from; at < from + length; at += 2) all += String.fromCharCode((bytes[at]! << 8) | bytes[at + 1]!);
  return all;
}
