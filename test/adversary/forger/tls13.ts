/**
 * A server of TLS 1.3 (RFC 8446) written by hand: encrypted records of any size, padding, retries, chains of any length,
 * ChangeCipherSpecs without number. Its keys, transcript and Finished are right, so that a client that is not protected
 * believes it.
 */
import { createHmac, hash as digest, type KeyObject } from 'node:crypto';

import { createKeyShare } from '../../../src/probe/key-share.ts';
import { deriveSecret, expandLabel, tls13SuiteOf, type Tls13Suite } from '../../../src/tls/key-schedule.ts';
import { RecordProtection } from '../../../src/tls/record-protection.ts';
import { Transcript } from '../../../src/tls/transcript.ts';
import { extensionOf } from '../../support/scripted-server.ts';
import * as tls from '../../support/tls-bytes.ts';
import {
  certificateBody13,
  certificateVerify,
  encryptedExtensions,
  certificateRequest,
} from '../../support/tls13-bytes.ts';
import type { Speaker } from './speaker.ts';

export interface Hand13Script {
  readonly key: KeyObject;
  readonly chain: readonly Uint8Array[];
  /** Octets of content in an encrypted record. */
  readonly recordSize: number;
  readonly padding: number;
  /** ChangeCipherSpec records behind ServerHello. */
  readonly changes: number;
  readonly retries: boolean;
  readonly asksForCertificate: boolean;
  /** A message that does not belong, ahead of Certificate. */
  readonly inserted: 'none' | 'genuine-certificate' | 'padding' | 'unknown';
  /** An alert record in clear behind ServerHello. */
  readonly alert: boolean;
}

export class Hand13 implements Speaker {
  readonly heard = Buffer.alloc(0);
  readonly #script: Hand13Script;
  readonly #genuineChain: readonly Uint8Array[];
  #spoken: Buffer[] = [];
  #buffer = Buffer.alloc(0);
  #handshake = Buffer.alloc(0);
  #first: Buffer | undefined;
  #retry: { helloRetryRequest: Uint8Array; clientHello: Uint8Array } | undefined;
  #isDone = false;

  constructor(script: Hand13Script, genuineChain: readonly Uint8Array[]) {
    this.#script = script;
    this.#genuineChain = genuineChain;
  }

  open(): void {}
  close(): void {}

  take(): Buffer {
    return Buffer.concat(this.#spoken.splice(0));
  }

  hear(octets: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, octets]);
    while (this.#buffer.length >= 5 && this.#buffer.length >= 5 + this.#buffer.readUInt16BE(3)) {
      const end = 5 + this.#buffer.readUInt16BE(3);
      if (this.#buffer[0] === 22) this.#handshake = Buffer.concat([this.#handshake, this.#buffer.subarray(5, end)]);
      this.#buffer = this.#buffer.subarray(end);
    }
    while (this.#handshake.length >= 4 && this.#handshake.length >= 4 + this.#handshake.readUIntBE(1, 3)) {
      const end = 4 + this.#handshake.readUIntBE(1, 3);
      const body = Buffer.from(this.#handshake.subarray(4, end));
      const type = this.#handshake[0];
      this.#handshake = this.#handshake.subarray(end);
      if (type === 1 && !this.#isDone) this.#onHello(body);
    }
  }

  #onHello(body: Buffer): void {
    if (extensionOf(body, 51) === undefined) return;
    if (this.#script.retries && this.#first === undefined) return this.#askAgain(body);
    if (this.#first !== undefined) this.#retry = { ...this.#retry!, clientHello: body };
    this.#answer(body);
  }

  #askAgain(body: Buffer): void {
    this.#first = body;
    const request = tls.serverHello({
      suite: SUITE,
      selectedVersion: 0x0304,
      sessionId: sessionIdOf(body),
      random: Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex'),
      extensions: [tls.extension(44, tls.vector16(Buffer.from('a cookie')))],
    });
    this.#retry = { helloRetryRequest: request.subarray(4), clientHello: body };
    this.#spoken.push(tls.record(22, request));
  }

  #answer(body: Buffer): void {
    const share = shareOf(body);
    if (share === undefined) return;
    this.#isDone = true;
    const script = this.#script;
    const suite = tls13SuiteOf(SUITE)!;
    const own = createKeyShare(share.group)!;
    const keyShare = tls.extension(51, Buffer.concat([tls.u16(own.group), tls.vector16(own.keyExchange)]));
    const hello = tls.serverHello({
      suite: SUITE,
      selectedVersion: 0x0304,
      sessionId: sessionIdOf(body),
      extensions: [keyShare],
    });
    const clientHello = this.#first ?? body;
    const hellos = { clientHello, retry: this.#retry, serverHello: hello.subarray(4) };
    const transcript = Transcript.ofHellos(suite.hash, hellos);
    const secret = serverSecret(suite, own.agree(share.keyExchange)!, transcript.digest());
    const messages = [encryptedExtensions()];
    if (script.asksForCertificate) messages.push(certificateRequest());
    if (script.inserted === 'genuine-certificate')
      messages.push(tls.handshake(11, certificateBody13(this.#genuineChain)));
    if (script.inserted === 'unknown') messages.push(tls.handshake(99, Buffer.alloc(10)));
    messages.push(tls.handshake(11, certificateBody13(script.chain)));
    for (const message of messages) transcript.add(message[0]!, message.subarray(4));
    const scheme = script.key.asymmetricKeyType === 'rsa' ? 0x0804 : 0x0403;
    const verify = certificateVerify(transcript.digest(), script.key, scheme);
    transcript.add(verify[0]!, verify.subarray(4));
    const finishedKey = expandLabel(suite, secret, 'finished', NOTHING, suite.hashLength);
    const finished = tls.handshake(20, createHmac(suite.hash, finishedKey).update(transcript.digest()).digest());
    const stream = Buffer.concat([...messages, verify, finished]);
    this.#spoken.push(tls.record(22, hello));
    if (script.alert) this.#spoken.push(tls.alert('warning', 0x70));
    for (let i = 0; i < script.changes; i++) this.#spoken.push(tls.changeCipherSpec);
    const protection = new RecordProtection(suite, secret);
    if (script.inserted === 'padding') this.#spoken.push(Buffer.from(protection.seal(22, stream.subarray(0, 1), 300)));
    for (let at = script.inserted === 'padding' ? 1 : 0; at < stream.length; at += script.recordSize) {
      const piece = stream.subarray(at, at + script.recordSize);
      this.#spoken.push(Buffer.from(protection.seal(22, piece, script.padding)));
    }
  }
}

/** RFC 8446 §7.1. */
function serverSecret(suite: Tls13Suite, shared: Uint8Array, helloHash: Uint8Array): Uint8Array {
  const extract = (salt: Uint8Array, key: Uint8Array) => createHmac(suite.hash, salt).update(key).digest();
  const zeros = new Uint8Array(suite.hashLength);
  const derived = deriveSecret(suite, extract(zeros, zeros), 'derived', digest(suite.hash, '', 'buffer'));
  return deriveSecret(suite, extract(derived, shared), 's hs traffic', helloHash);
}

function sessionIdOf(hello: Buffer): Buffer {
  return Buffer.from(hello.subarray(35, 35 + hello[34]!));
}

/** The first share that is a plain key: of X25519 or a curve. */
function shareOf(hello: Buffer): { group: number; keyExchange: Buffer } | undefined {
  const list = extensionOf(hello, 51)!.subarray(2);
  for (let at = 0; at + 4 <= list.length; at += 4 + list.readUInt16BE(at + 2)) {
    const keyExchange = list.subarray(at + 4, at + 4 + list.readUInt16BE(at + 2));
    if (keyExchange.length > 1 && keyExchange.length < 200) return { group: list.readUInt16BE(at), keyExchange };
  }
  return undefined;
}

const SUITE = 0x1301;
const NOTHING = new Uint8Array(0);
