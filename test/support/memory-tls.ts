/** Node's TLS (OpenSSL) without a network: the hellos that its clients send, and its servers to talk with. */
import { Duplex } from 'node:stream';
import { connect, type ConnectionOptions, createSecureContext, type SecureContextOptions, TLSSocket } from 'node:tls';

import type { Conversation } from '../../src/probe/connection.ts';

/** Body of the ClientHello of a client with these options. */
export function clientHelloOf(options: ConnectionOptions = {}): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _, done) {
        resolve(chunk.subarray(9, 5 + chunk.readUInt16BE(3)));
        done();
        wire.destroy();
      },
    });
    connect({ servername: 'www.example.com', ...options, socket: wire }).on('error', () => {});
  });
}

export interface MemoryServerOptions extends SecureContextOptions {
  readonly requestCert?: boolean;
}

/**
 * Lets a conversation talk with a server until it has its outcome, and the server's octets reach it in pieces of `cut`.
 * Undefined when the server ended first.
 */
export function talk<Outcome>(
  conversation: Conversation<Outcome>,
  { requestCert = false, ...options }: MemoryServerOptions,
  cut = Infinity,
): Promise<{ outcome: Outcome | undefined; sent: Buffer; received: Buffer }> {
  return new Promise((resolve) => {
    const sent: Uint8Array[] = [];
    const received: Uint8Array[] = [];
    const end = () => {
      resolve({ outcome: conversation.outcome, sent: Buffer.concat(sent), received: Buffer.concat(received) });
      wire.destroy();
    };
    const send = (bytes: Uint8Array) => {
      if (bytes.length === 0) return;
      sent.push(bytes);
      wire.push(bytes);
    };
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _, done) {
        received.push(Buffer.from(chunk));
        for (let at = 0; at < chunk.length; at += cut) send(conversation.feed(chunk.subarray(at, at + cut)));
        done();
        if (conversation.outcome !== undefined) end();
      },
    });
    const secureContext = createSecureContext(options);
    const server = new TLSSocket(wire, { isServer: true, secureContext, requestCert, rejectUnauthorized: requestCert });
    server.on('error', end).on('close', end);
    send(conversation.start());
  });
}
