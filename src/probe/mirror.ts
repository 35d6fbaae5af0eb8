/**
 * A client's ClientHello as a probe repeats it (RFC 8446 §4.1.2): everything that a server may choose its certificate
 * by stays what and where it is; what belongs to one connection is made anew; a session that it offers is one that nobody
 * has, of the same form, so that nothing is resumed and nobody sees that it is none (RFC 8446 §4.2.11: what a server does
 * not know it passes over).
 * Which hellos are one question is read off the same octets, so that whatever of the client's reaches the wire counts.
 *
 *   kept      versions, suites, extensions and their order, padding
 *   anew      random, session id (same length), key_share (same groups), GREASE (RFC 8701; what was equal stays equal),
 *             key and ciphertext of encrypted_client_hello; identities and binders in pre_shared_key, the ticket in
 *             session_ticket, the session id of a client up to TLS 1.2, none of which makes a question another one
 *   left out  early_data, cookie
 */
import { createHash } from 'node:crypto';

import { type Fault, isFault, malformed } from '../bytes/fault.ts';
import { ByteReader } from '../bytes/reader.ts';
import { type ClientHello, offersTls13, parseClientHello } from '../tls/client-hello.ts';
import { EXTENSION } from '../tls/constants.ts';
import { type Extensions, readExtensions } from '../tls/extensions.ts';
import { isGrease } from '../tls/grease.ts';
import { type Share, sharesOf } from '../tls/key-shares.ts';
import { CanonicalOctets, type OwnOctets, RandomOctets } from './grease.ts';
import { canShare, type OwnKeyShare } from './key-share.ts';

/** What is taken from a client's hello; one of these makes any number of probes. */
export class Mirror implements HelloParts {
  readonly hello: ClientHello;
  readonly extensions: Extensions;
  readonly compressionMethods: Uint8Array;
  readonly #digests: HelloDigests;

  constructor({ hello, extensions, compressionMethods }: HelloParts, digests: HelloDigests) {
    this.hello = hello;
    this.extensions = extensions;
    this.compressionMethods = compressionMethods;
    this.#digests = digests;
  }

  /** Equal where probes differ in nothing that the client chose. */
  get digest(): string {
    return this.#digests.exact;
  }

  /** The same but for the order of extensions, which browsers shuffle for each connection, and which GREASE is equal. */
  get digestInAnyOrder(): string {
    return this.#digests.inAnyOrder;
  }
}

/** Made when they are asked for: of most hellos nobody wants the exact one. */
export class HelloDigests {
  readonly #parts: HelloParts;
  #exact: string | undefined;
  #inAnyOrder: string | undefined;

  constructor(parts: HelloParts) {
    this.#parts = parts;
  }

  get exact(): string {
    return (this.#exact ??= digestOf(this.#parts, false));
  }

  get inAnyOrder(): string {
    return (this.#inAnyOrder ??= digestOf(this.#parts, true));
  }
}

export interface HelloParts {
  readonly hello: ClientHello;
  readonly extensions: Extensions;
  readonly compressionMethods: Uint8Array;
}

export function mirrorOf(clientHello: Uint8Array): Mirror | Fault {
  const parts = readHelloParts(clientHello);
  return isFault(parts) ? parts : new Mirror(parts, new HelloDigests(parts));
}

export function readHelloParts(clientHello: Uint8Array): HelloParts | Fault {
  const hello = parseClientHello(clientHello);
  if (isFault(hello)) return hello;
  const reader = new ByteReader(hello.body, 34);
  reader.vector8();
  reader.vector16();
  const compressionMethods = reader.vector8().rest();
  const extensions = readExtensions(reader);
  if (extensions === undefined) return malformed('tls.client-hello.syntax', reader.at);
  // RFC 8446 §4.2.8: not several for one group; no server answers that, and each would cost a key.
  const groups = sharesOf(extensions.get(EXTENSION.keyShare) ?? EMPTY).map(({ group }) => group);
  if (new Set(groups).size < groups.length) return malformed('tls.client-hello.key-share', reader.at);
  return { hello, extensions, compressionMethods };
}

/** Groups that the client lists and that a probe cannot do. */
export function unusableGroups({ extensions }: Mirror): number[] {
  return listedGroups(extensions, []).filter((group) => !isGrease(group) && !canShare(group));
}

/** One probe's hello: bodies of ClientHello messages, and the keys that go with them. */
export class MirroredHello {
  readonly #mirror: HelloParts;
  readonly #withoutGroups: readonly number[];
  readonly #own: OwnOctets;
  readonly #ech: Uint8Array | undefined;
  readonly #sessions: Uint8Array | undefined;
  readonly random: Uint8Array;
  readonly sessionId: Uint8Array;
  keyShares: readonly OwnKeyShare[];

  /** `withoutGroups`: groups that the client lists and that this probe does not, since it cannot do them. */
  constructor(mirror: HelloParts, withoutGroups: readonly number[] = [], own: OwnOctets = new RandomOctets()) {
    this.#mirror = mirror;
    this.#withoutGroups = withoutGroups;
    this.#own = own;
    this.random = own.octets(32);
    const { length } = mirror.hello.sessionId;
    // Of a client that does not offer TLS 1.3 it names a session, or comes with a ticket (RFC 5077 §3.4).
    this.sessionId = offersTls13(mirror.hello) ? own.octets(length) : own.session(length);
    this.keyShares = groupsToShare(mirror.extensions, withoutGroups).flatMap((group) => own.share(group) ?? []);
    this.#ech = renewEch(mirror.extensions.get(EXTENSION.encryptedClientHello), own);
    this.#sessions = renewSessions(mirror.extensions.get(EXTENSION.preSharedKey), own);
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
    const share = wasSent || !this.lists(group) ? undefined : this.#own.share(group);
    if (share === undefined) return undefined;
    this.keyShares = [share];
    return this.#body([], cookie ?? undefined);
  }

  lists(group: number): boolean {
    return listedGroups(this.#mirror.extensions, this.#withoutGroups).includes(group);
  }

  #greaseShares(): Share[] {
    const keyShare = this.#mirror.extensions.get(EXTENSION.keyShare);
    return keyShare === undefined ? [] : sharesOf(keyShare).filter(({ group }) => isGrease(group));
  }

  #body(grease: readonly Share[], cookie: Uint8Array | undefined): Uint8Array {
    const { hello, extensions, compressionMethods } = this.#mirror;
    const blocks: Uint8Array[] = [];
    for (const [type, body] of extensions) {
      // RFC 8446 §4.2.11: it is the last one.
      if (type === EXTENSION.preSharedKey) continue;
      const mirrored = this.#extension(type, body, grease);
      if (mirrored !== undefined) blocks.push(numbered16(this.#renew(type), mirrored));
    }
    if (cookie !== undefined) blocks.push(numbered16(EXTENSION.cookie, cookie));
    const sessions = this.#sessions;
    if (sessions !== undefined) blocks.push(numbered16(EXTENSION.preSharedKey, sessions));
    return Buffer.concat([
      u16(hello.legacyVersion),
      this.random,
      vector8(this.sessionId),
      this.#list16(hello.cipherSuites),
      vector8(compressionMethods),
      ...(extensions.types.length === 0 ? [] : [vector16(Buffer.concat(this.#own.inOrder(blocks)))]),
    ]);
  }

  /** Undefined for what is left out. */
  #extension(type: number, body: Uint8Array, grease: readonly Share[]): Uint8Array | undefined {
    switch (type) {
      case EXTENSION.earlyData:
      case EXTENSION.cookie:
        return undefined;
      case EXTENSION.sessionTicket:
        return this.#own.session(body.length);
      case EXTENSION.encryptedClientHello:
        return this.#ech;
      case EXTENSION.keyShare:
        return vector16(
          Buffer.concat(inOrder(body, [...grease, ...this.keyShares]).map((share) => this.#entry(share))),
        );
      case EXTENSION.supportedGroups: {
        if (this.#withoutGroups.length === 0) return this.#renewList16(body);
        const groups = listedGroups(this.#mirror.extensions, this.#withoutGroups);
        return this.#list16(groups);
      }
      case EXTENSION.signatureAlgorithms:
      case EXTENSION.signatureAlgorithmsCert:
      case EXTENSION.delegatedCredential:
        return this.#renewList16(body);
      case EXTENSION.supportedVersions: {
        const reader = new ByteReader(body);
        const versions = u16List(reader.vector8());
        if (!reader.atEnd() || versions.length === 0) return body;
        return vector8(Buffer.concat(versions.map((version) => u16(this.#renew(version)))));
      }
      case EXTENSION.pskKeyExchangeModes:
        return isVector8(body) ? body.map((mode, at) => (at === 0 ? mode : this.#own.greaseMode(mode))) : body;
      case EXTENSION.alpn: {
        const names = protocolNames(body);
        if (names === undefined) return body;
        return vector16(Buffer.concat(names.map((name) => vector8(this.#protocolName(name)))));
      }
      default:
        return body;
    }
  }

  #entry({ group, keyExchange }: Share): Uint8Array {
    return numbered16(this.#renew(group), keyExchange);
  }

  #renewList16(body: Uint8Array): Uint8Array {
    const reader = new ByteReader(body);
    const numbers = u16List(reader.vector16());
    if (!reader.atEnd() || numbers.length === 0) return body;
    return this.#list16(numbers);
  }

  #list16(numbers: readonly number[]): Uint8Array {
    const list = Buffer.allocUnsafe(2 + 2 * numbers.length);
    list.writeUInt16BE(2 * numbers.length);
    for (let at = 0; at < numbers.length; at++) list.writeUInt16BE(this.#renew(numbers[at]!), 2 + 2 * at);
    return list;
  }

  /** RFC 8701 §3.1: reserved names are of two octets, as reserved numbers are. */
  #protocolName(name: Uint8Array): Uint8Array {
    return name.length === 2 ? u16(this.#renew((name[0]! << 8) | name[1]!)) : name;
  }

  #renew(number: number): number {
    return isGrease(number) ? this.#own.grease(number) : number;
  }
}

/** Of the hello that a probe would send, with everything in one form that the probe draws for itself. */
function digestOf(parts: HelloParts, isInAnyOrder: boolean): string {
  const hello = new MirroredHello(parts, [], new CanonicalOctets(isInAnyOrder));
  return createHash('sha256').update(hello.body()).digest('base64');
}

/** The client's groups, as far as they can be done; where it sent a share but none that can be, its best other one. */
function groupsToShare(extensions: Extensions, withoutGroups: readonly number[]): number[] {
  const keyShare = extensions.get(EXTENSION.keyShare);
  const offered = keyShare === undefined ? [] : sharesOf(keyShare).filter(({ group }) => !isGrease(group));
  if (offered.length === 0) return [];
  const usable = (group: number) => canShare(group) && !withoutGroups.includes(group);
  const same = offered.map(({ group }) => group).filter(usable);
  return same.length > 0 ? same : listedGroups(extensions, withoutGroups).filter(usable).slice(0, 1);
}

/** In the order of the client's own list; what is not on it comes last. */
function inOrder(clientKeyShare: Uint8Array, shares: readonly Share[]): Share[] {
  const order = sharesOf(clientKeyShare).map(({ group }) => group);
  const rank = ({ group }: Share) => (order.includes(group) ? order.indexOf(group) : order.length);
  return [...shares].sort((a, b) => rank(a) - rank(b));
}

function listedGroups(extensions: Extensions, withoutGroups: readonly number[]): number[] {
  const body = extensions.get(EXTENSION.supportedGroups) ?? EMPTY;
  return u16List(new ByteReader(body).vector16()).filter((group) => !withoutGroups.includes(group));
}

/**
 * RFC 9849 §5, §6.2: where it is GREASE, and nobody but the server can tell, key, payload and configuration are random,
 * and of BoringSSL's the payload's length; where it is not, they are worth nothing without the client's random. So they
 * are made anew.
 */
function renewEch(body: Uint8Array | undefined, own: OwnOctets): Uint8Array | undefined {
  if (body === undefined) return undefined;
  const reader = new ByteReader(body);
  const isOuter = reader.u8() === 0;
  reader.skip(2 + 2); // kdf_id, aead_id
  const head = body.subarray(0, reader.at);
  reader.skip(1); // config_id
  const enc = reader.vector16().remaining;
  const payload = reader.vector16().remaining;
  if (!isOuter || !reader.atEnd()) return body;
  const length = GREASE_ECH_LENGTHS.includes(payload) ? own.oneOf(GREASE_ECH_LENGTHS) : payload;
  return Buffer.concat([head, own.octets(1), vector16(own.octets(enc)), vector16(own.octets(length))]);
}

/** RFC 8446 §4.2.11. Undefined where none are offered. */
function renewSessions(body: Uint8Array | undefined, own: OwnOctets): Uint8Array | undefined {
  if (body === undefined) return undefined;
  const reader = new ByteReader(body);
  const [offered, proofs] = [reader.vector16(), reader.vector16()];
  const [identities, binders]: [Uint8Array[], Uint8Array[]] = [[], []];
  while (offered.more()) {
    identities.push(vector16(own.session(offered.vector16().remaining)), own.octets(4));
    offered.skip(4); // obfuscated_ticket_age
  }
  while (proofs.more()) binders.push(vector8(own.octets(proofs.vector8().remaining)));
  const isWhole = offered.ok && proofs.ok && reader.atEnd() && identities.length > 0;
  if (!isWhole || !own.offersSessions) return undefined;
  return Buffer.concat([vector16(Buffer.concat(identities)), vector16(Buffer.concat(binders))]);
}

/** Undefined for what is no list of names. */
function protocolNames(body: Uint8Array): Uint8Array[] | undefined {
  const reader = new ByteReader(body);
  const list = reader.vector16();
  const names: Uint8Array[] = [];
  while (list.more()) names.push(list.vector8().rest());
  return list.ok && reader.atEnd() ? names : undefined;
}

function isVector8(body: Uint8Array): boolean {
  return body.length > 0 && body[0] === body.length - 1;
}

function u16List(list: ByteReader): number[] {
  const numbers: number[] = [];
  while (list.more()) numbers.push(list.u16());
  return list.ok ? numbers : [];
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

/** An extension, or an entry of key_share. */
function numbered16(number: number, body: Uint8Array): Uint8Array {
  const octets = Buffer.allocUnsafe(4 + body.length);
  octets.writeUInt16BE(number);
  octets.writeUInt16BE(body.length, 2);
  octets.set(body, 4);
  return octets;
}

/** BoringSSL's, of which it draws one for each connection. */
const GREASE_ECH_LENGTHS: readonly number[] = [144, 176, 208, 240];
const EMPTY = new Uint8Array(0);
