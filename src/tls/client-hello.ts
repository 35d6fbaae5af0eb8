/**
 * ClientHello (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2). Says what the client wants and offers; knows no policy. Unknown
 * values stay numbers.
 */
import { copyOf } from '../bytes/copy.ts';
import { type Fault, isFault, malformed } from '../bytes/fault.ts';
import { latin1Of } from '../bytes/latin1.ts';
import { ByteReader } from '../bytes/reader.ts';
import { shortLivedCopyOf } from '../bytes/short-lived.ts';
import { CERTIFICATE_TYPE, EXTENSION, isTls13 } from './constants.ts';
import { type Extensions, readExtensions } from './extensions.ts';
import { type HelloPattern, HelloPatterns } from './hello-patterns.ts';
import { effectiveName, MAX_SERVER_NAME } from './server-name.ts';

/** Plain and immutable; spans are copies, short-lived ones. */
export interface ClientHello {
  /** The message without its handshake header; for an SSLv2 hello, the record without its length. */
  readonly body: Uint8Array;
  readonly legacyVersion: number;
  readonly random: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly cipherSuites: readonly number[];
  readonly extensionTypes: readonly number[];
  /** As sent, one character an octet; null when there is none. */
  readonly serverName: string | null;
  /** By which pinsets are selected: what a host may be called. */
  readonly name: string | null;
  /** False where server_name holds anything else than one host_name, as long as names are: what counts is anybody's guess. */
  readonly isServerNameValid: boolean;
  readonly alpns: readonly string[];
  readonly supportedVersions: readonly number[];
  /** Null when the extension is absent; empty when support is announced and no ticket is at hand (RFC 5077 §3.2). */
  readonly sessionTicket: Uint8Array | null;
  readonly offersPsk: boolean;
  readonly offersEarlyData: boolean;
  readonly offersEch: boolean;
  readonly offersRawPublicKey: boolean;
  readonly isSsl2: boolean;
  /** Undefined until it has come before. */
  readonly pattern: HelloPattern<ClientHello> | undefined;
}

export function offersTls13(hello: ClientHello): boolean {
  return hello.supportedVersions.some(isTls13);
}

/** `body` is the message without its header. */
export function parseClientHello(body: Uint8Array): ClientHello | Fault {
  const pattern = patterns.find(body);
  if (pattern !== undefined) return alike(pattern, shortLivedCopyOf(body));
  const octets = copyOf(body);
  const hello = readHello(octets);
  if (!isFault(hello)) patterns.add(octets, hello);
  return hello;
}

/** The same but for its own octets. */
function alike(pattern: HelloPattern<ClientHello>, body: Uint8Array): ClientHello {
  const { read } = pattern;
  const placed = (span: Uint8Array) => {
    const start = span.byteOffset - read.body.byteOffset;
    return body.subarray(start, start + span.length);
  };
  return {
    body,
    legacyVersion: read.legacyVersion,
    random: placed(read.random),
    sessionId: placed(read.sessionId),
    cipherSuites: read.cipherSuites,
    extensionTypes: read.extensionTypes,
    serverName: read.serverName,
    name: read.name,
    isServerNameValid: read.isServerNameValid,
    alpns: read.alpns,
    supportedVersions: read.supportedVersions,
    sessionTicket: read.sessionTicket === null ? null : placed(read.sessionTicket),
    offersPsk: read.offersPsk,
    offersEarlyData: read.offersEarlyData,
    offersEch: read.offersEch,
    offersRawPublicKey: read.offersRawPublicKey,
    isSsl2: false,
    pattern,
  };
}

function readHello(body: Uint8Array): ClientHello | Fault {
  const reader = new ByteReader(body);
  const legacyVersion = reader.u16();
  const random = reader.span(32);
  const sessionId = reader.vector8().rest();
  const cipherSuites = reader.vector16();
  const compressionMethods = reader.vector8().rest();
  const extensions = readExtensions(reader);
  if (sessionId.length > 32 || cipherSuites.remaining % 2 !== 0 || cipherSuites.remaining === 0) return invalid(reader);
  if (extensions === undefined || compressionMethods.length === 0) return invalid(reader);
  const named = readServerName(extensions.get(EXTENSION.serverName));
  const alpns = readAlpns(extensions.get(EXTENSION.alpn));
  const supportedVersions = readVersions(extensions.get(EXTENSION.supportedVersions));
  if (alpns === undefined || supportedVersions === undefined) return invalid(reader);
  return {
    body,
    legacyVersion,
    random,
    sessionId,
    cipherSuites: readNumbers(cipherSuites),
    extensionTypes: extensions.types,
    serverName: named === undefined ? '' : named,
    name: effectiveName(named ?? null),
    isServerNameValid: named !== undefined,
    alpns,
    supportedVersions,
    sessionTicket: extensions.get(EXTENSION.sessionTicket) ?? null,
    offersPsk: extensions.has(EXTENSION.preSharedKey),
    offersEarlyData: extensions.has(EXTENSION.earlyData),
    offersEch: extensions.has(EXTENSION.encryptedClientHello),
    offersRawPublicKey: offersRawPublicKey(extensions),
    isSsl2: false,
    pattern: undefined,
  };
}

function invalid(reader: ByteReader): Fault {
  return malformed('tls.client-hello.syntax', reader.at);
}

/** RFC 6066 §3: one host_name; undefined where the list is anything else, or that is longer than any name. */
function readServerName(body: Uint8Array | undefined): string | null | undefined {
  if (body === undefined) return null;
  const reader = new ByteReader(body);
  const list = reader.vector16();
  const type = list.u8();
  const name = readText(list, list.u16());
  if (!list.atEnd() || !reader.atEnd() || type !== 0 || name.length > MAX_SERVER_NAME) return undefined;
  return name;
}

function readAlpns(body: Uint8Array | undefined): string[] | undefined {
  const alpns: string[] = [];
  if (body === undefined) return alpns;
  const reader = new ByteReader(body);
  const list = reader.vector16();
  while (list.more()) alpns.push(readText(list, list.u8()));
  return list.ok && reader.atEnd() ? alpns : undefined;
}

/** The next `length` octets, one character each; empty after an overrun. */
function readText(list: ByteReader, length: number): string {
  const start = list.at;
  list.skip(length);
  return list.ok ? latin1Of(list.bytes, start, list.at) : '';
}

function readVersions(body: Uint8Array | undefined): number[] | undefined {
  if (body === undefined) return [];
  const reader = new ByteReader(body);
  const list = reader.vector8();
  return reader.atEnd() && list.remaining % 2 === 0 ? readNumbers(list) : undefined;
}

function readNumbers(list: ByteReader): number[] {
  const numbers = new Array<number>(list.remaining >> 1);
  for (let i = 0; list.more(); i++) numbers[i] = list.u16();
  return numbers;
}

/** RFC 7250 §3. */
function offersRawPublicKey(extensions: Extensions): boolean {
  return extensions.get(EXTENSION.serverCertificateType)?.subarray(1).includes(CERTIFICATE_TYPE.rawPublicKey) ?? false;
}

const patterns = new HelloPatterns<ClientHello>();
