/** Which connections are probes' with their clients' addresses: whoever dials them says so ahead of their first packet. */
export interface DialledProbe {
  /** Of the client whose question it asks; all else is as the probe's. */
  readonly clientPort: number;
  /** Whether it is begun beside the client's, to be taken for it. */
  readonly isDecoy: boolean;
}

export interface DialledProbes {
  /** `addresses`: the probe's, and behind it the server's. */
  find(addresses: ArrayLike<number>, probePort: number, serverPort: number): DialledProbe | undefined;
}
