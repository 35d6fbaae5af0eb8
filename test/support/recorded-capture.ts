/** A connection that was recorded in memory, as the frames that a capture of it has. */
import { TCP_FLAG } from '../../src/packet/tcp.ts';
import type { Fed } from './handshake-recorder.ts';
import { ipv4, tcpSegment } from './ip-bytes.ts';

/** What frames without a link layer have as their type. */
export const LINK_TYPE_RAW = 101;

/** From the SYN to the FIN; a segment for each piece. */
export function frames(fed: readonly Fed[], clientPort = 51_514): Buffer[] {
  const sides = {
    client: { srcPort: clientPort, dstPort: 443, next: 1000 },
    server: { srcPort: 443, dstPort: clientPort, next: 5000 },
  };
  const addresses = { client: '10.1.2.3', server: '198.51.100.7' };
  const frame = (from: 'client' | 'server', flags: number, data: Uint8Array = new Uint8Array()): Buffer => {
    const to = from === 'client' ? 'server' : 'client';
    const { srcPort, dstPort, next: seq } = sides[from];
    const ack = (flags & TCP_FLAG.ack) === 0 ? 0 : sides[to].next;
    sides[from].next += data.length + ((flags & (TCP_FLAG.syn | TCP_FLAG.fin)) === 0 ? 0 : 1);
    const segment = tcpSegment({ srcPort, dstPort, seq, ack, flags, data });
    return ipv4(segment, { source: addresses[from], destination: addresses[to] });
  };
  return [
    frame('client', TCP_FLAG.syn),
    frame('server', TCP_FLAG.syn | TCP_FLAG.ack),
    frame('client', TCP_FLAG.ack),
    ...fed.map(([from, octets]) => frame(from, TCP_FLAG.ack, octets)),
    frame('client', TCP_FLAG.fin | TCP_FLAG.ack),
    frame('server', TCP_FLAG.fin | TCP_FLAG.ack),
  ];
}
