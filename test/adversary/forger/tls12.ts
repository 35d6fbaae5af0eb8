/**
 * A server of TLS 1.2 (RFC 5246) written by hand, so that a forger can say what no stack would: any random, any session
 * id and ticket, messages that do not belong, his whole flight ahead of the ClientHello. What can be coherent is: hashes
 * of the transcript, Finished and records are right, so that a client that is not protected believes him.
 */
import {
  constants,
  createCipheriv,
  createDecipheriv,
  createECDH,
  createHash,
  createHmac,
  privateDecrypt,
  randomBytes,
  sign,
} from 'node:crypto';

import * as tls from '../../support/tls-bytes.ts';
import type { Identity, KeyKind } from '../identities.ts';
import type { Speaker } from './speaker.ts';

/** A session that a client and the forger share. */
export interface SharedSession {
  readonly master: Buffer;
  readonly ticket: Buffer;
  readonly sessionId: Buffer;
  readonly suite: number;
  readonly extendedMasterSecret: boolean;
}

export interface Hand12Script {
  readonly identity: Identity;
  readonly kind: KeyKind;
  /** DER that is shown, the leaf first. */
  readonly chain: readonly Uint8Array[];
  readonly random: Random;
  readonly exchange: 'ecdhe' | 'rsa';
  /** Whom the signature of ServerKeyExchange is made with. */
  readonly signer: Identity;
  readonly sessionId: 'none' | 'fresh' | 'echo';
  readonly ticket: boolean;
  readonly resumes: SharedSession | undefined;
  /** The first octets of each explicit nonce: what a reader in the clear would take for a message. */
  readonly nonce: Nonce;
  /** Whether the flight waits for the ClientHello. */
  readonly isEarly: boolean;
  /** Messages that do not belong, each ahead of the message of that index, in the transcript as clients count them. */
  readonly inserted: readonly Insertion[];
}

export type Random = 'fresh' | 'hrr' | 'downgrade' | 'zero';
export type Nonce = 'zero' | 'random' | 'server-hello' | 'certificate' | 'hello-request' | 'done' | 'finished';

export interface Insertion {
  readonly at: number;
  readonly message:
    'genuine-certificate' | 'forged-certificate' | 'status' | 'ticket' | 'done' | 'hello-request' | 'empty';
}

export class Hand12 implements Speaker {
  /** Set once the handshake is over. */
  session: SharedSession | undefined;
  readonly #script: Hand12Script;
  readonly #genuineChain: readonly Uint8Array[];
  readonly #random: Buffer;
  readonly #ecdh = createECDH('prime256v1');
  readonly #ticket = randomBytes(64);
  #transcript: Buffer[] = [];
  #clientHello: Buffer | undefined;
  #spoken: Buffer[] = [];
  #buffer = Buffer.alloc(0);
  #handshake = Buffer.alloc(0);
  #heard: Buffer[] = [];
  #keys: Keys | undefined;
  #master: Buffer | undefined;
  #isClientProtected = false;
  #sessionId: Uint8Array = new Uint8Array(0);
  #hasSpoken = false;
  #usesExtendedMasterSecret = false;

  constructor(script: Hand12Script, genuineChain: readonly Uint8Array[]) {
    this.#script = script;
    this.#genuineChain = genuineChain;
    this.#ecdh.generateKeys();
    this.#random = randomOf(script.random);
  }

  get heard(): Buffer {
    return Buffer.concat(this.#heard);
  }

  open(): void {
    if (this.#script.isEarly && this.#script.resumes === undefined && this.#script.exchange === 'rsa') this.#speak();
  }

  hear(octets: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, octets]);
    while (this.#buffer.length >= 5 && this.#buffer.length >= 5 + this.#buffer.readUInt16BE(3)) {
      const end = 5 + this.#buffer.readUInt16BE(3);
      const [type, body] = [this.#buffer[0]!, this.#buffer.subarray(5, end)];
      this.#buffer = this.#buffer.subarray(end);
      this.#onRecord(type, body);
    }
  }

  take(): Buffer {
    return Buffer.concat(this.#spoken.splice(0));
  }

  close(): void {}

  #onRecord(type: number, body: Buffer): void {
    if (type === tls.CONTENT.changeCipherSpec) {
      this.#isClientProtected = true;
      return;
    }
    if (this.#isClientProtected) return this.#onProtected(type, body);
    if (type !== tls.CONTENT.handshake) return;
    this.#handshake = Buffer.concat([this.#handshake, body]);
    while (this.#handshake.length >= 4 && this.#handshake.length >= 4 + this.#handshake.readUIntBE(1, 3)) {
      const end = 4 + this.#handshake.readUIntBE(1, 3);
      const message = this.#handshake.subarray(0, end);
      this.#handshake = this.#handshake.subarray(end);
      this.#onMessage(message);
    }
  }

  #onMessage(message: Buffer): void {
    if (message[0] === tls.HANDSHAKE.clientHello && this.#clientHello === undefined) {
      this.#clientHello = message;
      this.#transcript.unshift(message);
      if (!this.#hasSpoken) this.#speak();
      return;
    }
    this.#transcript.push(message);
    if (message[0] === 16) this.#onClientKeyExchange(message.subarray(4));
  }

  #speak(): void {
    this.#hasSpoken = true;
    const { resumes } = this.#script;
    const hello = this.#hello();
    const messages = resumes === undefined ? [hello, ...this.#flight()] : [hello];
    const sent: Buffer[] = [];
    messages.forEach((message, index) => {
      for (const { at, message: what } of this.#script.inserted) {
        if (at !== index) continue;
        const added = this.#added(what);
        sent.push(added);
        if (added[0] !== tls.HANDSHAKE.helloRequest) this.#transcript.push(added);
      }
      sent.push(message);
      // OpenSSL counts a hello with this random as a HelloRetryRequest, which it leaves out here.
      if (message !== hello || this.#script.random !== 'hrr') this.#transcript.push(message);
    });
    for (const message of sent) this.#spoken.push(tls.record(22, message));
    if (resumes === undefined) return;
    this.#master = resumes.master;
    this.#keys = this.#makeKeys();
    this.#finish();
  }

  #hello(): Buffer {
    const { sessionId, ticket, resumes } = this.#script;
    const offered = this.#clientHello === undefined ? Buffer.alloc(0) : offeredSessionId(this.#clientHello);
    if (sessionId === 'fresh' && resumes === undefined) this.#sessionId = randomBytes(32);
    else if (sessionId === 'echo' || resumes !== undefined) this.#sessionId = offered;
    const offersExtended = this.#clientHello !== undefined && offers(this.#clientHello, EXTENDED_MASTER_SECRET);
    this.#usesExtendedMasterSecret = resumes?.extendedMasterSecret ?? offersExtended;
    const extensions = [tls.extension(0xff01, Buffer.from([0]))];
    if (this.#usesExtendedMasterSecret) extensions.push(tls.extension(EXTENDED_MASTER_SECRET, Buffer.alloc(0)));
    return tls.serverHello({
      suite: this.#suite,
      random: this.#random,
      sessionId: this.#sessionId,
      extensions,
      ticket: ticket && this.#clientHello !== undefined && offers(this.#clientHello, 35),
    });
  }

  get #suite(): number {
    const { resumes, exchange, kind } = this.#script;
    if (resumes !== undefined) return resumes.suite;
    return exchange === 'rsa' ? 0x009c : kind === 'rsa' ? 0xc02f : 0xc02b;
  }

  #flight(): Buffer[] {
    const certificate = tls.certificateMessageOf(...this.#script.chain);
    if (this.#script.exchange === 'rsa') return [certificate, tls.serverHelloDone];
    const { signer } = this.#script;
    const point = this.#ecdh.getPublicKey();
    const params = Buffer.concat([Buffer.from([3, 0, 23]), tls.vector8(point)]);
    const clientRandom = this.#clientHello?.subarray(6, 38) ?? Buffer.alloc(32);
    const signed = Buffer.concat([clientRandom, this.#random, params]);
    const scheme = signer.key.asymmetricKeyType === 'rsa' ? 0x0401 : 0x0403;
    const signature = sign('sha256', signed, signer.key);
    const exchange = Buffer.concat([params, tls.u16(scheme), tls.vector16(signature)]);
    return [certificate, tls.handshake(tls.HANDSHAKE.serverKeyExchange, exchange), tls.serverHelloDone];
  }

  #added(what: Insertion['message']): Buffer {
    switch (what) {
      case 'genuine-certificate':
        return tls.certificateMessageOf(...this.#genuineChain);
      case 'forged-certificate':
        return tls.certificateMessageOf(...this.#script.identity.chain);
      case 'status':
        return tls.handshake(22, Buffer.concat([Buffer.from([1]), tls.vector24(Buffer.alloc(20, 0x5a))]));
      case 'ticket':
        return tls.newSessionTicket(this.#ticket);
      case 'done':
        return tls.serverHelloDone;
      case 'hello-request':
        return tls.helloRequest;
      case 'empty':
        return tls.certificateMessageOf();
      default:
        return what satisfies never;
    }
  }

  #onClientKeyExchange(body: Buffer): void {
    const secret = this.#premaster(body);
    if (secret === undefined) return;
    const clientRandom = this.#clientHello!.subarray(6, 38);
    this.#master = this.#usesExtendedMasterSecret
      ? prf(secret, 'extended master secret', this.#hash(), 48)
      : prf(secret, 'master secret', Buffer.concat([clientRandom, this.#random]), 48);
    this.#keys = this.#makeKeys();
  }

  #premaster(body: Buffer): Buffer | undefined {
    try {
      if (this.#script.exchange === 'ecdhe') return this.#ecdh.computeSecret(body.subarray(1, 1 + body[0]!));
      const { key } = this.#script.identity;
      return privateDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, body.subarray(2));
    } catch {
      return undefined;
    }
  }

  #makeKeys(): Keys {
    const clientRandom = this.#clientHello!.subarray(6, 38);
    const block = prf(this.#master!, 'key expansion', Buffer.concat([this.#random, clientRandom]), 40);
    const at = (from: number, to: number) => block.subarray(from, to);
    return { clientKey: at(0, 16), serverKey: at(16, 32), clientIv: at(32, 36), serverIv: at(36, 40), sent: 0, got: 0 };
  }

  #hash(): Buffer {
    return createHash('sha256').update(Buffer.concat(this.#transcript)).digest();
  }

  #onProtected(type: number, body: Buffer): void {
    const plain = this.#keys && openRecord(this.#keys, type, body);
    if (plain === undefined) return;
    if (type === tls.CONTENT.applicationData) {
      this.#heard.push(plain);
      this.#spoken.push(this.#seal(23, Buffer.from('forged page')));
    }
    if (type !== tls.CONTENT.handshake || this.#script.resumes !== undefined) return;
    this.#transcript.push(plain);
    if (this.#script.ticket && offers(this.#clientHello!, 35)) {
      const ticket = tls.newSessionTicket(this.#ticket);
      this.#transcript.push(ticket);
      this.#spoken.push(tls.record(22, ticket));
    }
    this.session = {
      master: this.#master!,
      ticket: this.#ticket,
      sessionId: Buffer.from(this.#sessionId),
      suite: this.#suite,
      extendedMasterSecret: this.#usesExtendedMasterSecret,
    };
    this.#finish();
  }

  #finish(): void {
    this.#spoken.push(tls.changeCipherSpec);
    const finished = tls.handshake(20, prf(this.#master!, 'server finished', this.#hash(), 12));
    this.#transcript.push(finished);
    this.#spoken.push(this.#seal(22, finished));
  }

  #seal(type: number, plain: Buffer): Buffer {
    const keys = this.#keys!;
    const explicit = Buffer.concat([NONCES[this.#script.nonce] ?? randomBytes(4), tls.u16(0), tls.u16(keys.sent)]);
    const cipher = createCipheriv('aes-128-gcm', keys.serverKey, Buffer.concat([keys.serverIv, explicit]));
    cipher.setAAD(additionalData(keys.sent++, type, plain.length));
    const body = Buffer.concat([explicit, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    return tls.record(type, body);
  }
}

interface Keys {
  readonly clientKey: Buffer;
  readonly serverKey: Buffer;
  readonly clientIv: Buffer;
  readonly serverIv: Buffer;
  sent: number;
  got: number;
}

function openRecord(keys: Keys, type: number, body: Buffer): Buffer | undefined {
  if (body.length < 24) return undefined;
  const nonce = Buffer.concat([keys.clientIv, body.subarray(0, 8)]);
  const decipher = createDecipheriv('aes-128-gcm', keys.clientKey, nonce);
  decipher.setAAD(additionalData(keys.got++, type, body.length - 24));
  decipher.setAuthTag(body.subarray(body.length - 16));
  try {
    return Buffer.concat([decipher.update(body.subarray(8, body.length - 16)), decipher.final()]);
  } catch {
    return undefined;
  }
}

function additionalData(sequence: number, type: number, length: number): Buffer {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(sequence, 4);
  data.set([type, 3, 3, length >> 8, length & 0xff], 8);
  return data;
}

/** RFC 5246 §5. */
function prf(secret: Buffer, label: string, seed: Buffer, length: number): Buffer {
  const labelled = Buffer.concat([Buffer.from(label, 'latin1'), seed]);
  const hmac = (data: Buffer) => createHmac('sha256', secret).update(data).digest();
  const parts: Buffer[] = [];
  let a = labelled;
  for (let have = 0; have < length; have += 32) {
    a = hmac(a);
    parts.push(hmac(Buffer.concat([a, labelled])));
  }
  return Buffer.concat(parts).subarray(0, length);
}

function randomOf(random: Random): Buffer {
  const fresh = randomBytes(32);
  if (random === 'hrr') return Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex');
  if (random === 'zero') return Buffer.alloc(32);
  // RFC 8446 §4.1.3.
  if (random === 'downgrade') fresh.set(Buffer.from('444f574e47524401', 'hex'), 24);
  return fresh;
}

/** Of a ClientHello message. */
function offeredSessionId(message: Buffer): Buffer {
  return Buffer.from(message.subarray(39, 39 + message[38]!));
}

function offers(message: Buffer, type: number): boolean {
  let at = 39 + message[38]!;
  at += 2 + message.readUInt16BE(at);
  at += 1 + message[at]! + 2;
  for (; at + 4 <= message.length; at += 4 + message.readUInt16BE(at + 2)) {
    if (message.readUInt16BE(at) === type) return true;
  }
  return false;
}

const EXTENDED_MASTER_SECRET = 23;
const NONCES: Readonly<Partial<Record<Nonce, Buffer>>> = {
  zero: Buffer.alloc(4),
  'server-hello': Buffer.from([2, 0, 0x40, 0]),
  certificate: Buffer.from([11, 0, 0x40, 0]),
  'hello-request': Buffer.from([0, 0, 0, 0]),
  done: Buffer.from([14, 0, 0, 0]),
  finished: Buffer.from([20, 0, 0, 12]),
};
