/** Which connections are probes' with their clients' addresses: whoever dials them says so ahead of their first packet. */
import type { ProbeRole } from '../../judge/ports.ts';

export interface DialledProbe {
  /** Of the client whose question it asks; all else is as the probe's. */
  readonly clientPort: number;
  readonly role: ProbeRole;
}

export interface DialledProbes {
  /** `addresses`: the probe's, and behind it the server's. */
  find(addresses: ArrayLike<number>, probePort: number, serverPort: number): DialledProbe | undefined;
}
