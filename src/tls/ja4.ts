/**
 * JA4, the fingerprint of a TLS client (FoxIO, technical_details/JA4.md), of the body of a ClientHello:
 * `t13d1516h2_8daaf6152771_e5627efa2ab1`. GREASE (RFC 8701) is left out everywhere. Clients are few and come again, so
 * the fingerprints of what they offer are remembered.
 *
 *   a: t (q over QUIC, d over DTLS), version, d with a server name and i without, number of suites, of extensions, ends of the first ALPN value
 *   b: 12 digits of SHA-256 over the sorted suites
 *   c: 12 digits of SHA-256 over the sorted extensions, without server name and ALPN, and the signature algorithms as sent
 */
import { hash } from 'node:crypto';

import { LRUCache } from 'lru-cache';

import { latin1Of } from '../bytes/latin1.ts';
import { ByteReader } from '../bytes/reader.ts';
import { isGrease } from './grease.ts';

/** Null when the body is not a ClientHello. */
export function ja4(clientHello: Uint8Array, datagrams?: 'quic' | 'dtls'): string | null {
  const offer = offerOf(clientHello);
  if (offer === null) return null;
  const key = `${datagrams ?? ''} ${offer}`;
  let known = recent.get(key);
  if (known === undefined) {
    known = fingerprint(readHello(clientHello), datagrams);
    if (key.length <= LONGEST_KEPT) recent.set(key, known);
  }
  return known;
}

function fingerprint(hello: Hello, datagrams?: 'quic' | 'dtls'): string {
  const { cipherSuites, extensions, signatureAlgorithms } = hello;
  const name = extensions.includes(EXTENSION.serverName) ? 'd' : 'i';
  // Versions of DTLS count downwards.
  const latest = datagrams === 'dtls' ? Math.min : Math.max;
  const offered = hello.supportedVersions.length === 0 ? hello.version : latest(...hello.supportedVersions);
  const version = VERSIONS.get(offered) ?? '00';
  const transport = datagrams === undefined ? 't' : datagrams === 'quic' ? 'q' : 'd';
  const a = `${transport}${version}${name}${count(cipherSuites)}${count(extensions)}${alpnEnds(hello.alpn)}`;
  const kept = extensions.filter((type) => type !== EXTENSION.serverName && type !== EXTENSION.alpn);
  const algorithms = signatureAlgorithms.length === 0 ? '' : `_${list(signatureAlgorithms)}`;
  const b = digest(list(sorted(cipherSuites)));
  const c = digest(kept.length === 0 ? '' : `${list(sorted(kept))}${algorithms}`);
  return `${a}_${b}_${c}`;
}

/** Everything of a hello that a fingerprint is made of, one character an octet or a type; null for what is no hello. */
function offerOf(body: Uint8Array): string | null {
  const reader = new ByteReader(body);
  let offer = String.fromCharCode(reader.u16());
  reader.skip(32);
  reader.skip(reader.u8());
  offer += vectorOf(reader);
  reader.skip(reader.u8());
  // Hellos without extensions end here.
  const extensions = reader.more() ? reader.vector16() : NOTHING;
  while (extensions.more()) {
    const type = extensions.u16();
    offer += String.fromCharCode(type);
    if (FINGERPRINTED.has(type)) offer += vectorOf(extensions);
    else extensions.skip(extensions.u16());
  }
  return reader.ok && extensions.ok ? offer : null;
}

/** With its length, so that what follows cannot be taken for a part of it. */
function vectorOf(reader: ByteReader): string {
  const length = reader.u16();
  const start = reader.at;
  reader.skip(length);
  return String.fromCharCode(length) + latin1Of(reader.bytes, start, reader.at);
}

interface Hello {
  readonly version: number;
  supportedVersions: number[];
  readonly cipherSuites: number[];
  readonly extensions: number[];
  readonly signatureAlgorithms: number[];
  /** The first value that the client offers; empty when there is none. */
  alpn: Uint8Array;
}

/** RFC 8446 §4.1.2, which earlier versions agree with. */
function readHello(body: Uint8Array): Hello {
  const reader = new ByteReader(body);
  const version = reader.u16();
  reader.skip(32);
  reader.vector8();
  const hello: Hello = {
    version,
    supportedVersions: [],
    cipherSuites: numbers(reader.vector16()),
    extensions: [],
    signatureAlgorithms: [],
    alpn: new Uint8Array(0),
  };
  reader.vector8();
  const extensions = reader.more() ? reader.vector16() : NOTHING;
  while (extensions.more()) {
    const type = extensions.u16();
    const data = extensions.vector16();
    if (isGrease(type)) continue;
    hello.extensions.push(type);
    if (type === EXTENSION.signatureAlgorithms) hello.signatureAlgorithms.push(...numbers(data.vector16()));
    else if (type === EXTENSION.alpn) hello.alpn = data.vector16().vector8().rest();
    else if (type === EXTENSION.supportedVersions) hello.supportedVersions = numbers(data.vector8());
  }
  return hello;
}

function numbers(reader: ByteReader): number[] {
  const read: number[] = [];
  while (reader.remaining >= 2) {
    const value = reader.u16();
    if (!isGrease(value)) read.push(value);
  }
  return read;
}

function count(values: readonly number[]): string {
  return String(Math.min(values.length, 99)).padStart(2, '0');
}

/** The first and last characters, or those of the hexadecimal form where either is not alphanumeric. */
function alpnEnds(alpn: Uint8Array): string {
  if (alpn.length === 0) return '00';
  const text = Buffer.from(alpn).toString('latin1');
  const ends = `${text[0]!}${text[text.length - 1]!}`;
  if (/^[0-9A-Za-z]{2}$/.test(ends)) return ends;
  const hex = Buffer.from(alpn).toString('hex');
  return `${hex[0]!}${hex[hex.length - 1]!}`;
}

function list(values: readonly number[]): string {
  return values.map((value) => value.toString(16).padStart(4, '0')).join(',');
}

function sorted(values: readonly number[]): number[] {
  return values.toSorted((a, b) => a - b);
}

function digest(text: string): string {
  return text === '' ? '000000000000' : hash('sha256', text, 'hex').slice(0, 12);
}

const recent = new LRUCache<string, string>({ max: 1024 });
/** Characters; what honest clients offer is a third of it. */
const LONGEST_KEPT = 1024;
const NOTHING = new ByteReader(new Uint8Array(0));
const EXTENSION = { serverName: 0, signatureAlgorithms: 13, alpn: 16, supportedVersions: 43 } as const;
const FINGERPRINTED: ReadonlySet<number> = new Set([
  EXTENSION.signatureAlgorithms,
  EXTENSION.alpn,
  EXTENSION.supportedVersions,
]);
const VERSIONS: ReadonlyMap<number, string> = new Map([
  [0x0304, '13'],
  [0x0303, '12'],
  [0x0302, '11'],
  [0x0301, '10'],
  [0x0300, 's3'],
  [0x0002, 's2'],
  [0xfeff, 'd1'],
  [0xfefd, 'd2'],
  [0xfefc, 'd3'],
]);
