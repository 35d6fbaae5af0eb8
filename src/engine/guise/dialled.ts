/** Which connections are probes' with their clients' addresses: whoever dials them says so ahead of their first packet. */
import type { ProbeRole } from '../../judge/ports.ts';
import type { Headers } from './guise.ts';

export interface DialledProbe {
  /** Of the client whose question it asks; all else is as the probe's. */
  readonly clientPort: number;
  readonly role: ProbeRole;
}

export interface DialledProbes {
  /** `addresses`: the probe's, and behind it the server's. */
  find(addresses: ArrayLike<number>, probePort: number, serverPort: number): DialledProbe | undefined;
}

export function dialledOf(dialled: DialledProbes, { ip, tcp }: Headers, isLeaving: boolean): DialledProbe | undefined {
  const [middle, length] = [ip.addresses + ip.addressLength, ip.addressLength];
  const source = ip.bytes.subarray(middle - length, middle);
  const destination = ip.bytes.subarray(middle, middle + length);
  if (isLeaving) return dialled.find([...source, ...destination], tcp.srcPort, tcp.dstPort);
  return dialled.find([...destination, ...source], tcp.dstPort, tcp.srcPort);
}
