/**
 * Whoever speaks for the server in a connection: is told what the client's TCP delivered, and says what goes to it. All
 * of the adversary's servers implement it: real ones, handwritten ones, and a preamble ahead of either.
 */
export interface Speaker {
  /** The connection is open: servers that speak first do so now. */
  open(): void;
  hear(octets: Buffer): void;
  /** What was said since the last call. */
  take(): Buffer;
  /** Application data of the client's, as far as this one could read it. */
  readonly heard: Buffer;
  close(): void;
}
