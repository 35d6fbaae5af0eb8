/**
 * What every preamble protocol implements: one small machine that is fed both directions of a stream before TLS begins.
 * It knows its protocol's messages up to the upgrade and nothing of TLS, TCP, ports or policy.
 *
 * Octets are views that are valid during the call; a machine copies the little that it keeps (a line, a frame).
 * Of the client's a machine takes everything from `at` on, or stops at the message that makes a difference and says where
 * it ends. Of the server's it takes what answers the client, and says where that ends: what it leaves comes again.
 */
export interface Preamble {
  readonly protocol: string;
  /** The server's agreement opens a tunnel in which anything may follow, not only TLS. */
  readonly tunnel: boolean;
  /** Of a tunnel that was asked for. */
  readonly target?: Tunnel | undefined;
  /** The client has said a whole message of this protocol. */
  readonly heard: boolean;
  /** Servers of this protocol say nothing but text before TLS. */
  readonly text: boolean;
  /** White space behind the request for TLS, ahead of its answer, belongs to it. */
  readonly blanksFollow?: boolean;
  /** The client's next octets. Not called between `asked` and the server's answer. */
  client(bytes: Uint8Array, at: number): ClientStep;
  /**
   * The server's octets from the first that was not taken. Nothing that a server says makes a flow foreign. Where servers
   * say nothing but text, only text comes here.
   */
  server(bytes: Uint8Array): ServerStep;
}

/** What a client asks a proxy for. */
export interface Tunnel {
  readonly protocol: 'http-connect' | 'socks4' | 'socks5';
  /** As it was written: a name, or an address. */
  readonly host: string;
  /** The same request in words that do not say who asks; null where the proxy was to be told that. */
  readonly request: Uint8Array | null;
}

export type ClientStep =
  /** Everything was taken; the dialogue goes on. */
  | typeof MORE
  /**
   * Not this protocol, or a client that goes on in the clear. `at` is where the message that shows it begins, -1 when
   * that was in an earlier call.
   */
  | { readonly kind: 'foreign'; readonly at: number }
  /** A message longer than any that is kept. */
  | typeof LIMIT
  /** The request for the upgrade ends at `end`: what follows waits for the server's answer. */
  | { readonly kind: 'asked'; readonly end: number }
  /** TLS begins at `end` without an answer. */
  | { readonly kind: 'tls'; readonly end: number };

export type ServerStep =
  /** Everything before `end` was taken; what begins there, if anything, is not whole. */
  | { readonly kind: 'more'; readonly end: number }
  /** The agreeing answer ends at `end`. */
  | { readonly kind: 'agreed'; readonly end: number }
  /** The refusing answer ends at `end`: the dialogue goes on. */
  | { readonly kind: 'refused'; readonly end: number }
  /** What begins at `end` answers nothing that the client has said: it is ahead of it, or none of this protocol. */
  | { readonly kind: 'ahead'; readonly end: number };

export const MORE = { kind: 'more' } as const;
export const LIMIT = { kind: 'limit' } as const;

export const foreign = (at: number): ClientStep => ({ kind: 'foreign', at });
export const asked = (end: number): ClientStep => ({ kind: 'asked', end });
export const agreed = (end: number): ServerStep => ({ kind: 'agreed', end });
export const ahead = (end: number): ServerStep => ({ kind: 'ahead', end });
export const more = (end: number): ServerStep => ({ kind: 'more', end });
export const refused = (end: number): ServerStep => ({ kind: 'refused', end });
