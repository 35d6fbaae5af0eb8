/**
 * The Initial packets of one pair of endpoints, both directions: opens them and puts their CRYPTO streams together.
 * Each Destination Connection ID that a client begins with is an attempt with keys of its own: after a Retry or a Version
 * Negotiation the client begins again, and several connections may share two endpoints. Reports octets and what could
 * not be read; knows no TLS and decides nothing.
 *
 *   client ── Initial, DCID of the client's choice ──▶  keys of both directions follow from it, for the whole attempt
 *   server ◀─ Initial, DCID = the client's SCID ─────   the client goes on to the server's SCID, with the same keys
 *   server ◀─ Retry, another SCID ───────────────────   the client begins again with that: an attempt of its own
 */
import { copyOf } from '../bytes/copy.ts';
import type { Fault } from '../bytes/fault.ts';
import { CryptoStream } from './crypto-stream.ts';
import { readInitialFrames } from './frames.ts';
import { initialKeys, InitialProtection } from './initial-protection.ts';
import { isLongHeader, type LongHeader, readLongHeader } from './packet.ts';
import { quicVersion } from './version.ts';

/** What reads an attempt's streams; pieces are valid only during the call. */
export interface InitialConsumer {
  onClientCrypto(bytes: Uint8Array, start: number, end: number): Fault | undefined;
  onServerCrypto(bytes: Uint8Array, start: number, end: number): Fault | undefined;
}

export interface Attempt<C extends InitialConsumer> {
  readonly version: number;
  readonly consumer: C;
  /** The first thing that was wrong with the client's octets; they are read no further. */
  readonly fault: Fault | undefined;
}

/** What a datagram of the client's held. */
export interface InitialDatagram<C extends InitialConsumer> {
  /** Those of whom it had Initial packets that could be opened. */
  readonly attempts: readonly Attempt<C>[];
  /** It began with a long header. */
  readonly isLong: boolean;
  /** Something in it could be another connection's beginning and cannot be read. */
  readonly isUnreadable: boolean;
}

export class InitialReader<C extends InitialConsumer> {
  readonly #begin: (version: number) => C;
  readonly #maxLength: number;
  /** The oldest first. */
  readonly #attempts: OpenAttempt<C>[] = [];

  /** `maxLength`: octets of a CRYPTO stream that are read. */
  constructor(maxLength: number, begin: (version: number) => C) {
    this.#maxLength = maxLength;
    this.#begin = begin;
  }

  feedClient(bytes: Uint8Array, start: number, end: number): InitialDatagram<C> {
    const attempts = new Set<OpenAttempt<C>>();
    const isLong = start < end && isLongHeader(bytes[start]!);
    let isUnreadable = false;
    let hasBegun = false;
    for (let at = start; at < end && isLongHeader(bytes[at]!);) {
      const header = readLongHeader(bytes, at, end);
      if (header === undefined || header.type === 'unknown-version') {
        // Behind a packet of an attempt there may be anything: padding, or what a client sends to be unpredictable.
        isUnreadable ||= attempts.size === 0;
        break;
      }
      at = header.end;
      if (header.type !== 'initial') continue;
      let attempt = this.#attempts.findLast((known) => known.openClient(bytes, header));
      // RFC 9000 §12.2: a datagram is of one connection. Its keys cost more than all the rest of a small packet.
      if (attempt === undefined && !hasBegun) {
        hasBegun = true;
        attempt = this.#beginWith(bytes, header);
      }
      if (attempt === undefined) isUnreadable = true;
      else attempts.add(attempt);
    }
    return { attempts: [...attempts], isLong, isUnreadable };
  }

  /** Of the server only the streams of attempts are read; everything else is passed over. */
  feedServer(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end && isLongHeader(bytes[at]!);) {
      const header = readLongHeader(bytes, at, end);
      if (header === undefined) return;
      at = header.end;
      if (header.type !== 'initial') continue;
      this.#attempts.findLast((attempt) => attempt.openServer(bytes, header));
    }
  }

  #beginWith(bytes: Uint8Array, header: LongHeader): OpenAttempt<C> | undefined {
    const begun = new OpenAttempt(header, this.#maxLength, this.#begin);
    if (!begun.openClient(bytes, header)) return undefined;
    if (this.#attempts.length >= MAX_ATTEMPTS) this.#attempts.shift();
    this.#attempts.push(begun);
    return begun;
  }
}

/** Whether the datagram begins with an Initial packet by which a client begins a connection. */
export function beginsConnection(bytes: Uint8Array, start: number, end: number): boolean {
  const header = readLongHeader(bytes, start, end);
  if (header?.type !== 'initial') return false;
  const keys = initialKeys(quicVersion(header.version)!, header.dcid, 'client');
  return new InitialProtection(keys).open(bytes, header) !== undefined;
}

class OpenAttempt<C extends InitialConsumer> implements Attempt<C> {
  readonly version: number;
  readonly consumer: C;
  fault: Fault | undefined;
  readonly #dcid: Uint8Array;
  readonly #clientStream: CryptoStream;
  readonly #serverStream: CryptoStream;
  /** By version: a server may go on in another one, with the same connection ID (RFC 9368 §2.3). */
  readonly #client = new Map<number, InitialProtection>();
  readonly #server = new Map<number, InitialProtection>();
  #serverFault: Fault | undefined;

  constructor(header: LongHeader, maxLength: number, begin: (version: number) => C) {
    this.version = header.version;
    this.#dcid = copyOf(header.dcid);
    const consumer = begin(header.version);
    this.consumer = consumer;
    this.#clientStream = new CryptoStream(maxLength, (...piece) => consumer.onClientCrypto(...piece));
    this.#serverStream = new CryptoStream(maxLength, (...piece) => consumer.onServerCrypto(...piece));
  }

  /** False when the packet is not this attempt's. */
  openClient(bytes: Uint8Array, header: LongHeader): boolean {
    const payload = this.#protection(this.#client, 'client', header.version)?.open(bytes, header);
    if (payload === undefined) return false;
    this.fault ??= readInitialFrames(payload, quicVersion(header.version)!, (offset, data) =>
      this.#clientStream.add(offset, data),
    );
    return true;
  }

  openServer(bytes: Uint8Array, header: LongHeader): boolean {
    const payload = this.#protection(this.#server, 'server', header.version)?.open(bytes, header);
    if (payload === undefined) return false;
    this.#serverFault ??= readInitialFrames(payload, quicVersion(header.version)!, (offset, data) =>
      this.#serverStream.add(offset, data),
    );
    return true;
  }

  #protection(of: Map<number, InitialProtection>, from: 'client' | 'server', version: number) {
    let protection = of.get(version);
    const known = quicVersion(version);
    if (protection === undefined && known !== undefined && of.size < MAX_VERSIONS) {
      protection = new InitialProtection(initialKeys(known, this.#dcid, from));
      of.set(version, protection);
    }
    return protection;
  }
}

/** Connections between two endpoints that are in their opening at a time. */
const MAX_ATTEMPTS = 4;
const MAX_VERSIONS = 3;
