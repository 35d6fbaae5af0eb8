/** ServerHello and HelloRetryRequest (RFC 8446 §4.1.3-4, RFC 5246 §7.4.1.3): what was negotiated. Knows no policy. */
import { type Fault, malformed } from '../bytes/fault.ts';
import { ByteReader } from '../bytes/reader.ts';
import { shortLivedCopyOf } from '../bytes/short-lived.ts';
import { type ClientHello, offersTls13 } from './client-hello.ts';
import { CERTIFICATE_TYPE, EXTENSION, isTls13 } from './constants.ts';
import { readExtensions } from './extensions.ts';

/** Spans are copies, short-lived ones. */
export interface ServerHello {
  /** The message without its handshake header. */
  readonly body: Uint8Array;
  /** What will be spoken: from supported_versions where present, else the legacy field. */
  readonly version: number;
  readonly isTls13: boolean;
  readonly isHelloRetryRequest: boolean;
  readonly random: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly cipherSuite: number;
  readonly answersSessionTicket: boolean;
  readonly selectsPsk: boolean;
  readonly selectsRawPublicKey: boolean;
  /** Agreed to (RFC 6066 §4): octets that its records have at most. */
  readonly maxFragmentLength: number | null;
  /** Of TLS 1.3: the server's share, or, in a HelloRetryRequest, the group that it asks for; null where none is to be read. */
  readonly keyShare: KeyShare | null;
  /** Of a HelloRetryRequest: what the second ClientHello has to repeat, as the extension's body. */
  readonly cookie: Uint8Array | null;
}

export interface KeyShare {
  /** NamedGroup. */
  readonly group: number;
  /** Empty in a HelloRetryRequest. */
  readonly keyExchange: Uint8Array;
}

export function parseServerHello(body: Uint8Array): ServerHello | Fault {
  const reader = new ByteReader(shortLivedCopyOf(body));
  const legacyVersion = reader.u16();
  const random = reader.span(32);
  // Drafts of TLS 1.3 up to 21 had neither a session id nor a compression method here.
  const isEarlyDraft = isTls13(legacyVersion);
  const sessionId = isEarlyDraft ? EMPTY : reader.vector8().rest();
  const cipherSuite = reader.u16();
  if (!isEarlyDraft) reader.skip(1);
  const extensions = readExtensions(reader);
  if (extensions === undefined || sessionId.length > 32) return malformed('tls.server-hello.syntax', reader.at);
  const selected = extensions.get(EXTENSION.supportedVersions);
  if (selected !== undefined && selected.length !== 2) return malformed('tls.server-hello.syntax', reader.at);
  const version = selected === undefined ? legacyVersion : (selected[0]! << 8) | selected[1]!;
  // RFC 8446 §4.1.3 gives the random its meaning where TLS 1.3 is selected; to older versions it is as good as any.
  const isHelloRetryRequest =
    selected !== undefined && isTls13(version) && random.every((octet, at) => octet === HELLO_RETRY_REQUEST[at]);
  return {
    body: reader.bytes,
    version,
    isTls13: isTls13(version),
    isHelloRetryRequest,
    random,
    sessionId,
    cipherSuite,
    answersSessionTicket: extensions.has(EXTENSION.sessionTicket),
    selectsPsk: extensions.has(EXTENSION.preSharedKey),
    selectsRawPublicKey: extensions.get(EXTENSION.serverCertificateType)?.[0] === CERTIFICATE_TYPE.rawPublicKey,
    maxFragmentLength: readMaxFragmentLength(extensions.get(EXTENSION.maxFragmentLength)),
    keyShare: readKeyShare(extensions.get(EXTENSION.keyShare), isHelloRetryRequest),
    cookie: extensions.get(EXTENSION.cookie) ?? null,
  };
}

function readMaxFragmentLength(body: Uint8Array | undefined): number | null {
  const code = body?.[0] ?? 0;
  return code >= 1 && code <= 4 ? 2 ** (8 + code) : null;
}

/** RFC 8446 §4.2.8. */
function readKeyShare(body: Uint8Array | undefined, isHelloRetryRequest: boolean): KeyShare | null {
  if (body === undefined) return null;
  const reader = new ByteReader(body);
  const group = reader.u16();
  const keyExchange = isHelloRetryRequest ? EMPTY : reader.vector16().rest();
  return reader.atEnd() ? { group, keyExchange } : null;
}

/**
 * Whether the hello selects what changes the meaning of everything after it and what the client did not offer: a client
 * refuses that, or ignores it and reads on in the way that it did offer.
 */
export function isUnsolicited(hello: ServerHello, client: ClientHello): boolean {
  const offers13 = offersTls13(client) || isTls13(client.legacyVersion);
  return (
    (hello.isTls13 && !offers13) ||
    (hello.selectsPsk && !client.offersPsk) ||
    (hello.selectsRawPublicKey && !client.offersRawPublicKey)
  );
}

/** RFC 8446 §4.1.3: SHA-256 of "HelloRetryRequest". */
const HELLO_RETRY_REQUEST = Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex');
const EMPTY = new Uint8Array(0);
