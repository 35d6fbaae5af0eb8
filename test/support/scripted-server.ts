/** A server of TLS 1.3 that sends whatever encrypted messages a test wants: what OpenSSL would not, or cannot, send. */
import type { KeyObject } from 'node:crypto';

import { createKeyShare } from '../../src/probe/key-share.ts';
import { HandshakeTrafficSecrets, tls13SuiteOf } from '../../src/tls/key-schedule.ts';
import { Transcript } from '../../src/tls/transcript.ts';
import { changeCipherSpec, extension, record, serverHello, u16, vector16 } from './tls-bytes.ts';
import { KEY, sealed, type SealOptions, signedMessages } from './tls13-bytes.ts';

export interface Script extends SealOptions {
  /** Before CertificateVerify and Finished. */
  readonly messages: readonly Buffer[];
  /** Signs CertificateVerify. */
  readonly key?: KeyObject;
  /** Asks for another hello first: by a cookie, a group or both. */
  readonly retry?: { readonly cookie?: Uint8Array; readonly group?: number };
}

export class ScriptedServer {
  readonly #script: Script;
  #retry: { helloRetryRequest: Uint8Array; clientHello: Uint8Array } | undefined;
  #firstHello: Uint8Array | undefined;

  constructor(script: Script) {
    this.#script = script;
  }

  /** What it answers to a client's flight. */
  feed(flight: Uint8Array): Buffer {
    const hello = helloOf(Buffer.from(flight));
    if (this.#firstHello === undefined && this.#script.retry !== undefined) return this.#askAgain(hello);
    if (this.#firstHello !== undefined) this.#retry = { ...this.#retry!, clientHello: hello };
    return this.#answer(hello);
  }

  #askAgain(hello: Uint8Array): Buffer {
    this.#firstHello = hello;
    const { cookie, group } = this.#script.retry!;
    const message = serverHello({
      suite: 0x1301,
      selectedVersion: 0x0304,
      sessionId: Buffer.alloc(32),
      random: Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex'),
      extensions: [
        ...(group === undefined ? [] : [extension(51, u16(group))]),
        ...(cookie === undefined ? [] : [extension(44, vector16(cookie))]),
      ],
    });
    this.#retry = { helloRetryRequest: message.subarray(4), clientHello: hello };
    return Buffer.concat([record(22, message), changeCipherSpec]);
  }

  #answer(hello: Uint8Array): Buffer {
    const suite = tls13SuiteOf(0x1301)!;
    const client = firstShare(Buffer.from(hello));
    const own = createKeyShare(client.group)!;
    const share = Buffer.concat([u16(own.group), vector16(own.keyExchange)]);
    const answer = serverHello({ suite: 0x1301, selectedVersion: 0x0304, extensions: [extension(51, share)] });
    const clientHello = this.#firstHello ?? hello;
    const hellos = { clientHello, retry: this.#retry, serverHello: answer.subarray(4) };
    const transcript = Transcript.ofHellos(suite.hash, hellos);
    const { server } = new HandshakeTrafficSecrets(suite, own.agree(client.keyExchange)!, transcript.digest());
    const { messages, key = KEY.privateKey } = this.#script;
    const flight = sealed(suite, server, signedMessages(transcript, messages, key), this.#script);
    return Buffer.concat([record(22, answer), changeCipherSpec, flight]);
  }
}

/** Body of the ClientHello in a flight that may begin with ChangeCipherSpec. */
function helloOf(flight: Buffer): Buffer {
  const at = flight[0] === 20 ? 6 : 0;
  return flight.subarray(at + 9, at + 5 + flight.readUInt16BE(at + 3));
}

/** The hello's body with one more extension, at the end. */
export function withExtension(hello: Buffer, added: Buffer): Buffer {
  let at = 35 + hello[34]!;
  at += 2 + hello.readUInt16BE(at);
  at += 1 + hello[at]!;
  return Buffer.concat([hello.subarray(0, at), vector16(Buffer.concat([hello.subarray(at + 2), added]))]);
}

/** The extension's body, or undefined. */
export function extensionOf(hello: Buffer, type: number): Buffer | undefined {
  let at = 35 + hello[34]!;
  at += 2 + hello.readUInt16BE(at);
  at += 1 + hello[at]! + 2;
  while (at < hello.length) {
    const length = hello.readUInt16BE(at + 2);
    if (hello.readUInt16BE(at) === type) return hello.subarray(at + 4, at + 4 + length);
    at += 4 + length;
  }
  return undefined;
}

/** The first share that is a plain key, as it may be for either side. */
function firstShare(hello: Buffer): { group: number; keyExchange: Buffer } {
  const list = extensionOf(hello, 51)!.subarray(2);
  for (let at = 0; at < list.length; at += 4 + list.readUInt16BE(at + 2)) {
    const keyExchange = list.subarray(at + 4, at + 4 + list.readUInt16BE(at + 2));
    if (keyExchange.length > 1 && keyExchange.length < 200) return { group: list.readUInt16BE(at), keyExchange };
  }
  throw new Error('the hello has no share that can be answered');
}
