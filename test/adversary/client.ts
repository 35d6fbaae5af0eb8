/**
 * The judge: a client that is OpenSSL (node:tls) and takes any certificate, over octets that somebody carries, with the
 * dialogue that its protocol has ahead of TLS. Whom it believed is asked of it and of nobody else.
 */
import { Duplex } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';

import { HOST } from '../support/flows.ts';
import type { Dialogue } from './forger/dialogues.ts';

export interface ClientScript {
  readonly version: 'TLSv1.2' | 'TLSv1.3' | 'any';
  readonly session: Buffer | undefined;
  readonly sni: boolean;
  /** What comes ahead of TLS: each word is said once the server's to the one before is there. */
  readonly dialogue: Dialogue | undefined;
  readonly ciphers: string | undefined;
}

export interface Believed {
  readonly leaf: Buffer;
  readonly version: string | null;
  readonly isResumed: boolean;
}

export const SECRET = 'the client’s secret';

export class Client {
  /** Set once the handshake is over for the client. */
  believed: Believed | undefined;
  session: Buffer | undefined;
  error: Error | undefined;
  /** What it logged, in the order of RFC 9850. */
  readonly secrets: { clientRandom: Buffer; secret: Buffer }[] = [];
  readonly #script: ClientScript;
  readonly #active: () => void;
  readonly #page: Buffer[] = [];
  #wire: Duplex | undefined;
  #socket: TLSSocket | undefined;
  #spoken: Buffer[] = [];
  #said = 0;
  #clear = Buffer.alloc(0);
  readonly #tls: Buffer[] = [];

  constructor(script: ClientScript, active: () => void) {
    this.#script = script;
    this.#active = active;
  }

  /** Application data. */
  get page(): Buffer {
    return Buffer.concat(this.#page);
  }

  /** Everything that its TLS was given. */
  get received(): Buffer {
    return Buffer.concat(this.#tls);
  }

  /** The connection is open. */
  open(): void {
    if (this.#script.dialogue === undefined) this.#begin();
    else this.#converse(this.#script.dialogue);
  }

  take(): Buffer {
    return Buffer.concat(this.#spoken.splice(0));
  }

  hear(octets: Buffer): void {
    if (this.#wire !== undefined) return this.#give(octets);
    this.#clear = Buffer.concat([this.#clear, octets]);
    this.#converse(this.#script.dialogue!);
  }

  /** The connection ended, or was reset. */
  end(): void {
    if (this.#wire !== undefined && !this.#wire.destroyed) this.#wire.push(null);
  }

  close(): void {
    this.session ??= this.believed === undefined ? undefined : this.#socket?.getSession();
    this.#socket?.destroy();
    this.#wire?.destroy();
  }

  /** One answer at a time, as a client that reads no further than it must. */
  #converse(dialogue: Dialogue): void {
    const { says } = dialogue;
    for (let end = this.#answerEnd(dialogue); end >= 0 && this.#wire === undefined; end = this.#answerEnd(dialogue)) {
      this.#clear = this.#clear.subarray(end);
      if (this.#said === says.length) this.#begin();
      else this.#spoken.push(Buffer.from(says[this.#said++]!, 'latin1'));
    }
    if (this.#wire !== undefined && this.#clear.length > 0) this.#give(this.#clear);
  }

  /** Where the answer ends that is awaited; -1 while it is not whole. */
  #answerEnd({ hears, isByLine }: Dialogue): number {
    const clear = this.#clear;
    const { length } = hears[this.#said]!;
    if (!isByLine) return clear.length < length ? -1 : length;
    for (let at = 0, end = clear.indexOf('\n'); end >= 0; at = end + 1, end = clear.indexOf('\n', at)) {
      if (!/^\d{3}-/.test(clear.subarray(at, end).toString('latin1'))) return end + 1;
    }
    return -1;
  }

  #give(octets: Buffer): void {
    this.#tls.push(octets);
    if (!this.#wire!.destroyed) this.#wire!.push(octets);
  }

  #begin(): void {
    const { version, session, sni, ciphers } = this.#script;
    const wire = new Duplex({
      read() {},
      write: (chunk: Buffer, _, done) => {
        this.#spoken.push(Buffer.from(chunk));
        this.#active();
        done();
      },
    });
    this.#wire = wire;
    const socket = connect({
      socket: wire,
      ...(sni ? { servername: HOST } : {}),
      minVersion: version === 'any' ? 'TLSv1.2' : version,
      maxVersion: version === 'any' ? 'TLSv1.3' : version,
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ...(session === undefined ? {} : { session }),
      ...(ciphers === undefined ? {} : { ciphers }),
    });
    this.#socket = socket;
    socket.on('error', (error) => {
      this.error ??= error;
      this.#active();
    });
    socket.on('close', this.#active);
    socket.on('session', (given: Buffer) => {
      this.session = given;
    });
    socket.on('keylog', (line: Buffer) => this.#onSecret(line.toString('latin1')));
    socket.on('data', (data: Buffer) => {
      this.#page.push(data);
      this.#active();
    });
    socket.on('secureConnect', () => {
      const leaf = socket.getPeerCertificate().raw ?? Buffer.alloc(0);
      this.believed = { leaf, version: socket.getProtocol(), isResumed: socket.isSessionReused() };
      socket.write(SECRET);
      this.#active();
    });
  }

  #onSecret(line: string): void {
    const [label, clientRandom, secret] = line.trim().split(' ');
    if (label !== 'SERVER_HANDSHAKE_TRAFFIC_SECRET') return;
    this.secrets.push({ clientRandom: Buffer.from(clientRandom!, 'hex'), secret: Buffer.from(secret!, 'hex') });
    this.#active();
  }
}
