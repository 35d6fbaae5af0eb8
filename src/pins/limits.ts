/**
 * The bounds of everything that grows with what peers send. Each has a name that the configuration's `limits` object
 * uses, a default, a counter of the same name, and a consequence that is stated here.
 */
export const LIMIT_DEFAULTS = {
  /** Flows a queue tracks. Beyond: the oldest half-open flow goes; a pending flow that goes is denied when it speaks again. */
  flows: 65_536,
  /** Octets of one direction that may be read before the decision. Beyond: `limit`. */
  bytesPerDirection: 256 * 1024,
  /** Octets of one handshake message. Beyond: `limit`. (Offline: 512 KiB.) */
  handshakeBytes: 256 * 1024,
  /** Octets ahead of the next expected one that are kept. Beyond: that packet is dropped, TCP sends it again. */
  outOfOrderBytes: 64 * 1024,
  /**
   * Octets of memory that a queue's open TCP connections use: copies, what is gathered of messages, and what keeps account
   * of both. Beyond: connections are given up until an eighth is free, first those whose client has not said its hello,
   * and of each kind the largest; one that goes is denied when it speaks again.
   */
  bufferBytes: 256 * 1024 * 1024,
  /** Gaps in one direction at once. Beyond: that packet is dropped, TCP sends it again. */
  holes: 64,
  /** Handshake records before the decision. Beyond: `limit`. */
  records: 2_048,
  /** Certificates in one message. Beyond: `limit`. */
  certificates: 16,
  /** Milliseconds from the client's SYN to the decision. Beyond: `incomplete`. */
  handshakeTimeout: 10_000,
  /** Packets of the server's first flight that wait for the decision. Beyond: all but the gap-closing one are released. */
  heldAheadPackets: 16,
  /** Octets of the same. */
  heldAheadBytes: 12 * 1024,
  /** Milliseconds that they wait without a new octet from the server. */
  heldAheadTime: 30,
  /** Packets a flow may have held for any cause. Beyond: the packet is dropped. */
  heldPackets: 64,
  /** Packets a queue may have held. Beyond: the packet is dropped. */
  heldPacketsQueue: 1_024,
  /** Milliseconds that anything waits for outside evidence. Beyond: `overload`. */
  holdTime: 3_000,
  /** Milliseconds that an encrypted certificate waits for its secret, once the client has the ServerHello. Beyond: `keylog-missing`. */
  keylogWait: 200,
  /** Log records that wait for the log's reader. Beyond: records are dropped and counted. */
  logBacklog: 10_000,
} as const;

export type LimitName = keyof typeof LIMIT_DEFAULTS;
export type Limits = { readonly [name in LimitName]: number };
