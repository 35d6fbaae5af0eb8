/**
 * A client's ClientHello as a probe repeats it (RFC 8446 §4.1.2): everything that a server may choose its certificate
 * by stays what and where it is; what belongs to one connection is made anew; what would resume a session is left out.
 *
 *   kept      versions, suites, extensions and their order, GREASE (RFC 8701), padding
 *   anew      random, session id (same length), key_share (same groups), the ciphertext of encrypted_client_hello
 *   left out  pre_shared_key, early_data, cookie, the ticket in session_ticket
 */
import { createHash, randomBytes } from 'node:crypto';

import { type Fault, isFault, malformed } from '../bytes/fault.ts';
import { ByteReader } from '../bytes/reader.ts';
import { type ClientHello, parseClientHello } from '../tls/client-hello.ts';
import { EXTENSION } from '../tls/constants.ts';
import { type Extensions, readExtensions } from '../tls/extensions.ts';
import { canShare, createKeyShare, type OwnKeyShare } from './key-share.ts';

/** What is taken from a client's hello; one of these makes any number of probes. */
export interface Mirror {
  readonly hello: ClientHello;
  readonly extensions: Extensions;
  readonly compressionMethods: Uint8Array;
  /** Equal for hellos to which a server has no cause to answer differently. */
  readonly digest: string;
}

export function mirrorOf(clientHello: Uint8Array): Mirror | Fault {
  const hello = parseClientHello(clientHello);
  if (isFault(hello)) return hello;
  const reader = new ByteReader(hello.body, 34);
  reader.vector8();
  reader.vector16();
  const compressionMethods = reader.vector8().rest();
  const extensions = readExtensions(reader);
  if (extensions === undefined) return malformed('tls.client-hello.syntax', reader.at);
  return { hello, extensions, compressionMethods, digest: digestOf(hello, compressionMethods, extensions) };
}

/** Groups that the client lists and that a probe cannot do. */
export function unusableGroups({ extensions }: Mirror): number[] {
  return listedGroups(extensions, []).filter((group) => !isGrease(group) && !canShare(group));
}

/** One probe's hello: bodies of ClientHello messages, and the keys that go with them. */
export class MirroredHello {
  readonly #mirror: Mirror;
  readonly #withoutGroups: readonly number[];
  readonly #random = randomBytes(32);
  readonly #ech: Uint8Array | undefined;
  readonly sessionId: Uint8Array;
  keyShares: readonly OwnKeyShare[];

  /** `withoutGroups`: groups that the client lists and that this probe does not, since it cannot do them. */
  constructor(mirror: Mirror, withoutGroups: readonly number[] = []) {
    this.#mirror = mirror;
    this.#withoutGroups = withoutGroups;
    this.sessionId = randomBytes(mirror.hello.sessionId.length);
    this.keyShares = ownShares(mirror.extensions, withoutGroups);
    this.#ech = renewEch(mirror.extensions.bodies.get(EXTENSION.encryptedClientHello));
  }

  get random(): Uint8Array {
    return this.#random;
  }

  body(): Uint8Array {
    return this.#body(this.#greaseShares(), undefined);
  }

  /**
   * RFC 8446 §4.1.2, §4.1.4: the second hello, which differs in what was asked for and in nothing else. Undefined when
   * what was asked for is nothing that this hello listed or that this probe can do.
   */
  retryBody(group: number | undefined, cookie: Uint8Array | null): Uint8Array | undefined {
    if (group === undefined) return cookie === null ? undefined : this.#body(this.#greaseShares(), cookie);
    const wasSent = this.keyShares.some((share) => share.group === group);
    const share = wasSent || !this.lists(group) ? undefined : createKeyShare(group);
    if (share === undefined) return undefined;
    this.keyShares = [share];
    return this.#body([], cookie ?? undefined);
  }

  lists(group: number): boolean {
    return listedGroups(this.#mirror.extensions, this.#withoutGroups).includes(group);
  }

  #greaseShares(): Share[] {
    const keyShare = this.#mirror.extensions.bodies.get(EXTENSION.keyShare);
    return keyShare === undefined ? [] : sharesOf(keyShare).filter(({ group }) => isGrease(group));
  }

  #body(grease: readonly Share[], cookie: Uint8Array | undefined): Uint8Array {
    const { hello, extensions, compressionMethods } = this.#mirror;
    const blocks: Uint8Array[] = [];
    for (const [type, body] of extensions.bodies) {
      const mirrored = this.#extension(type, body, grease);
      if (mirrored !== undefined) blocks.push(u16(type), vector16(mirrored));
    }
    if (cookie !== undefined) blocks.push(u16(EXTENSION.cookie), vector16(cookie));
    return Buffer.concat([
      u16(hello.legacyVersion),
      this.#random,
      vector8(this.sessionId),
      vector16(Buffer.concat(hello.cipherSuites.map(u16))),
      vector8(compressionMethods),
      ...(extensions.types.length === 0 ? [] : [vector16(Buffer.concat(blocks))]),
    ]);
  }

  /** Undefined for what is left out. */
  #extension(type: number, body: Uint8Array, grease: readonly Share[]): Uint8Array | undefined {
    switch (type) {
      case EXTENSION.preSharedKey:
      case EXTENSION.earlyData:
      case EXTENSION.cookie:
        return undefined;
      case EXTENSION.sessionTicket:
        return EMPTY;
      case EXTENSION.encryptedClientHello:
        return this.#ech;
      case EXTENSION.keyShare:
        return vector16(Buffer.concat(inOrder(body, [...grease, ...this.keyShares]).map(entryOf)));
      case EXTENSION.supportedGroups: {
        if (this.#withoutGroups.length === 0) return body;
        return vector16(Buffer.concat(listedGroups(this.#mirror.extensions, this.#withoutGroups).map(u16)));
      }
      default:
        return body;
    }
  }
}

interface Share {
  readonly group: number;
  readonly keyExchange: Uint8Array;
}

/** The client's groups, as far as they can be done; where it sent a share but none that can be, its best other one. */
function ownShares(extensions: Extensions, withoutGroups: readonly number[]): OwnKeyShare[] {
  const keyShare = extensions.bodies.get(EXTENSION.keyShare);
  const offered = keyShare === undefined ? [] : sharesOf(keyShare).filter(({ group }) => !isGrease(group));
  if (offered.length === 0) return [];
  const usable = (group: number) => canShare(group) && !withoutGroups.includes(group);
  const same = offered.map(({ group }) => group).filter(usable);
  const groups = same.length > 0 ? same : listedGroups(extensions, withoutGroups).filter(usable).slice(0, 1);
  return groups.flatMap((group) => createKeyShare(group) ?? []);
}

/** In the order of the client's own list; what is not on it comes last. */
function inOrder(clientKeyShare: Uint8Array, shares: readonly Share[]): Share[] {
  const order = sharesOf(clientKeyShare).map(({ group }) => group);
  const rank = ({ group }: Share) => (order.includes(group) ? order.indexOf(group) : order.length);
  return [...shares].sort((a, b) => rank(a) - rank(b));
}

function sharesOf(keyShare: Uint8Array): Share[] {
  const list = new ByteReader(keyShare).vector16();
  const shares: Share[] = [];
  while (list.more()) {
    const share = { group: list.u16(), keyExchange: list.vector16().rest() };
    if (list.ok) shares.push(share);
  }
  return shares;
}

function entryOf({ group, keyExchange }: Share): Uint8Array {
  return Buffer.concat([u16(group), vector16(keyExchange)]);
}

function listedGroups(extensions: Extensions, withoutGroups: readonly number[]): number[] {
  const body = extensions.bodies.get(EXTENSION.supportedGroups) ?? EMPTY;
  return u16List(new ByteReader(body).vector16()).filter((group) => !withoutGroups.includes(group));
}

/**
 * RFC 9849 §5, §6.2: where it is GREASE, and nobody but the server can tell, key and payload are random; where it is
 * not, they are worth nothing without the client's random. So both are made anew, in their lengths.
 */
function renewEch(body: Uint8Array | undefined): Uint8Array | undefined {
  if (body === undefined) return undefined;
  const reader = new ByteReader(body);
  const isOuter = reader.u8() === 0;
  reader.skip(2 + 2 + 1); // kdf_id, aead_id, config_id
  const head = body.subarray(0, reader.at);
  const enc = reader.vector16().remaining;
  const payload = reader.vector16().remaining;
  if (!isOuter || !reader.atEnd()) return body;
  return Buffer.concat([head, vector16(randomBytes(enc)), vector16(randomBytes(payload))]);
}

/**
 * Browsers shuffle their extensions for each connection, draw their GREASE (RFC 8701) anew and choose the length of what
 * looks like an encrypted hello: nothing of it is anything to choose a certificate by. Order within a list is.
 */
function digestOf(hello: ClientHello, compressionMethods: Uint8Array, extensions: Extensions): string {
  const hash = createHash('sha256');
  const add = (bytes: Uint8Array) => hash.update(vector16(bytes));
  add(u16(hello.legacyVersion));
  add(withoutGrease(hello.cipherSuites));
  add(compressionMethods);
  const sorted = [...extensions.bodies].sort(([a], [b]) => a - b);
  for (const [type, body] of sorted) {
    if (isGrease(type) || OF_ONE_CONNECTION.has(type)) continue;
    hash.update(u16(type));
    add(significant(type, body));
  }
  return hash.digest('base64');
}

/** What of an extension's body a server may choose by. */
function significant(type: number, body: Uint8Array): Uint8Array {
  switch (type) {
    case EXTENSION.encryptedClientHello:
      return EMPTY;
    case EXTENSION.supportedGroups:
    case EXTENSION.signatureAlgorithms:
    case EXTENSION.signatureAlgorithmsCert:
    case EXTENSION.delegatedCredential:
      return withoutGrease(u16List(new ByteReader(body).vector16()));
    case EXTENSION.supportedVersions:
      return withoutGrease(u16List(new ByteReader(body).vector8()));
    case EXTENSION.alpn:
      return Buffer.concat(protocolNames(body).filter(isNoGreaseName).map(vector8));
    default:
      return body;
  }
}

function protocolNames(body: Uint8Array): Uint8Array[] {
  const list = new ByteReader(body).vector16();
  const names: Uint8Array[] = [];
  while (list.more()) names.push(list.vector8().rest());
  return list.ok ? names : [];
}

/** RFC 8701 §3.1: reserved names are of two octets, as reserved numbers are. */
function isNoGreaseName(name: Uint8Array): boolean {
  return name.length !== 2 || !isGrease((name[0]! << 8) | name[1]!);
}

function u16List(list: ByteReader): number[] {
  const numbers: number[] = [];
  while (list.more()) numbers.push(list.u16());
  return list.ok ? numbers : [];
}

function withoutGrease(numbers: readonly number[]): Uint8Array {
  return Buffer.concat(numbers.filter((number) => !isGrease(number)).map(u16));
}

/** RFC 8701 §2: 0x0a0a, 0x1a1a, … 0xfafa. */
function isGrease(number: number): boolean {
  return (number & 0x0f0f) === 0x0a0a && number >> 8 === (number & 0xff);
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}

function vector8(body: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(body.length), body]);
}

function vector16(body: Uint8Array): Uint8Array {
  return Buffer.concat([u16(body.length), body]);
}

/** What a connection begins with, or resumes, and nothing to choose a certificate by; with GREASE modes among them. */
const OF_ONE_CONNECTION: ReadonlySet<number> = new Set([
  EXTENSION.keyShare,
  EXTENSION.padding,
  EXTENSION.sessionTicket,
  EXTENSION.preSharedKey,
  EXTENSION.pskKeyExchangeModes,
  EXTENSION.earlyData,
  EXTENSION.cookie,
]);
const EMPTY = new Uint8Array(0);
