/**
 * The secrets with which a capture's handshakes can be read: of key log files, and of the capture's own Decryption
 * Secrets Blocks, which may come after the packets that need them. Kept to the end, since a capture has its own time,
 * and since nothing is gained by forgetting what a file says. Bounded by the files.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import type { KeylogSource } from '../../judge/ports.ts';
import { type HandshakeSecret, KeyLogReader, type KeyLogSink, parseKeyLog } from '../key-log.ts';
import { unreadable } from '../unreadable.ts';
import { Gunzip } from './gunzip.ts';
import { PcapngReader } from './pcapng.ts';
import type { CaptureReader, RecordSink } from './record.ts';
import { isFile, readCapture } from './stream.ts';

/** By client random, as latin1. */
export type Secrets = ReadonlyMap<string, Uint8Array>;

export class CaptureSecrets implements KeylogSource {
  readonly #given: Secrets;
  readonly #own = new Map<string, Uint8Array>();
  readonly #listeners: ((clientRandom: Uint8Array, secret: Uint8Array) => void)[] = [];

  /** `given`, of key logs: it counts before what the capture itself says. */
  constructor(given: Secrets = NONE) {
    this.#given = given;
  }

  /** Takes what one reading of the capture finds in its Decryption Secrets Blocks. */
  reader(): KeyLogSink {
    return new KeyLogReader((secret) => this.#add(secret));
  }

  secretFor(clientRandom: Uint8Array): Uint8Array | undefined {
    const key = keyOf(clientRandom);
    return this.#given.get(key) ?? this.#own.get(key);
  }

  onSecret(listener: (clientRandom: Uint8Array, secret: Uint8Array) => void): void {
    this.#listeners.push(listener);
  }

  /** Another connection of the capture may have the same random. */
  forget(): void {}

  /** What is known already is not told again, as when a capture is read a second time. */
  #add({ clientRandom, secret }: HandshakeSecret): void {
    if (this.secretFor(clientRandom) !== undefined) return;
    this.#own.set(keyOf(clientRandom), secret);
    for (const listener of this.#listeners) listener(clientRandom, secret);
  }
}

/** Reads key log files. Throws an error that names the file that cannot be read; `warn` is told of one without use. */
export function readKeyLogs(paths: readonly string[], warn: (sentence: string) => void): Secrets {
  const secrets = new Map<string, Uint8Array>();
  for (const path of paths) {
    const found = parseKeyLog(keyLogOctets(path));
    if (found.length === 0) warn(`key log ${path}: no line of it is a SERVER_HANDSHAKE_TRAFFIC_SECRET of TLS 1.3`);
    for (const { clientRandom, secret } of found) secrets.set(keyOf(clientRandom), secret);
  }
  return secrets;
}

/**
 * Reads a capture for its Decryption Secrets Blocks alone. What cannot be read twice, such as a pipe, is left alone;
 * damage ends the reading and is not told, since it will be met again.
 */
export async function readSecretsBlocks(path: string, secrets: CaptureSecrets): Promise<void> {
  if (!isFile(path)) return;
  const abort = new AbortController();
  const keyLog = secrets.reader();
  let reader: CaptureReader | undefined;
  const write = (chunk: Buffer): void => {
    if (abort.signal.aborted) return;
    if (reader === undefined && !PcapngReader.recognises(chunk)) return abort.abort();
    reader ??= new PcapngReader(NO_RECORDS, keyLog);
    reader.write(chunk);
  };
  await readCapture(path, { write }, { signal: abort.signal }).catch(() => {});
}

/** The text of a key log, also where it is compressed or, as Windows' shells write it, of UTF-16. */
function keyLogOctets(path: string): Uint8Array {
  let octets: Buffer;
  try {
    octets = readFileSync(path);
    if (Gunzip.recognises(octets)) octets = gunzipSync(octets, { maxOutputLength: MOST_OCTETS });
  } catch (cause) {
    throw new Error(`key log ${path}: ${unreadable(cause) ?? (cause as Error).message}`, { cause });
  }
  const mark = octets.toString('hex', 0, 2);
  if (mark === 'feff') octets = octets.subarray(0, octets.length & ~1).swap16();
  return mark === 'feff' || mark === 'fffe' ? Buffer.from(octets.toString('utf16le', 2), 'latin1') : octets;
}

function keyOf(clientRandom: Uint8Array): string {
  return Buffer.from(clientRandom.buffer, clientRandom.byteOffset, clientRandom.length).toString('latin1');
}

const NONE: Secrets = new Map();
const NO_RECORDS: RecordSink = { onRecord: () => {}, onChunkEnd: () => {} };
/** No key log is that long; what says so is something else. */
const MOST_OCTETS = 1 << 30;
