/** Hellos as the readers understand them, from the fields that a test gives. */
import { isFault } from '../../src/bytes/fault.ts';
import { type ClientHello, parseClientHello } from '../../src/tls/client-hello.ts';
import { parseServerHello, type ServerHello } from '../../src/tls/server-hello.ts';
import * as tls from './tls-bytes.ts';

export function parsedClientHello(fields: tls.HelloFields = {}): ClientHello {
  const hello = parseClientHello(tls.clientHelloMessage(fields).subarray(HEADER));
  if (isFault(hello)) throw new Error(hello.code);
  return hello;
}

export function parsedServerHello(fields: tls.ServerHelloFields = {}): ServerHello {
  const hello = parseServerHello(tls.serverHello(fields).subarray(HEADER));
  if (isFault(hello)) throw new Error(hello.code);
  return hello;
}

/** Of a handshake message. */
const HEADER = 4;
