/** A server that is OpenSSL (node:tls), with keys and tickets of its own, over octets that somebody carries. */
import { Duplex } from 'node:stream';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';

import { identities, type KeyKind, type Whose } from '../identities.ts';
import type { Speaker } from './speaker.ts';

export interface RealScript {
  readonly whose: Whose;
  readonly kind: KeyKind;
  readonly version: 'TLSv1.2' | 'TLSv1.3' | 'any';
  readonly tickets: boolean;
}

export class RealServer implements Speaker {
  readonly #wire: Duplex;
  readonly #socket: TLSSocket;
  readonly #heard: Buffer[] = [];
  #spoken: Buffer[] = [];

  /** `active` is called whenever something happens. */
  constructor(script: RealScript, active: () => void) {
    this.#wire = new Duplex({
      read() {},
      write: (chunk: Buffer, _, done) => {
        this.#spoken.push(Buffer.from(chunk));
        active();
        done();
      },
    });
    this.#socket = new TLSSocket(this.#wire, { isServer: true, secureContext: contextOf(script) });
    this.#socket.on('error', active).on('close', active);
    this.#socket.on('data', (data: Buffer) => {
      this.#heard.push(data);
      active();
      this.#socket.write(`${script.whose} page`);
    });
  }

  get heard(): Buffer {
    return Buffer.concat(this.#heard);
  }

  open(): void {}

  hear(octets: Buffer): void {
    if (!this.#wire.destroyed) this.#wire.push(octets);
  }

  take(): Buffer {
    return Buffer.concat(this.#spoken.splice(0));
  }

  close(): void {
    this.#socket.destroy();
    this.#wire.destroy();
  }
}

function contextOf({ whose, kind, version, tickets }: RealScript): SecureContext {
  const key = `${whose} ${kind} ${version} ${tickets}`;
  let context = contexts.get(key);
  if (context === undefined) {
    const { keyPem, chainPem } = identities()[whose][kind];
    context = createSecureContext({
      key: keyPem,
      cert: chainPem,
      ticketKeys: whose === 'genuine' ? Buffer.alloc(48, 0x61) : Buffer.alloc(48, 0x0f),
      minVersion: version === 'any' ? 'TLSv1.2' : version,
      maxVersion: version === 'any' ? 'TLSv1.3' : version,
      secureOptions: tickets ? 0 : NO_TICKET,
    });
    contexts.set(key, context);
  }
  return context;
}

const contexts = new Map<string, SecureContext>();
/** SSL_OP_NO_TICKET. */
const NO_TICKET = 0x4000;
