/**
 * ServerKeyExchange (RFC 5246 §7.4.3, RFC 8422 §5.4): the server's ephemeral parameters and the signature over
 * client_random ‖ server_random ‖ params that proves who chose them. Finds the spans; verifies nothing.
 */
import { type Fault, malformed, unsupported } from '../bytes/fault.ts';
import { ByteReader } from '../bytes/reader.ts';
import type { KeyExchange } from './cipher-suites.ts';
import { VERSION } from './constants.ts';

/** Views of the body. */
export interface ServerKeyExchange {
  /** The octets that are signed after both randoms. */
  readonly params: Uint8Array;
  /** SignatureScheme, or SignatureAndHashAlgorithm, which has the same two octets; 0 before TLS 1.2. */
  readonly scheme: number;
  readonly signature: Uint8Array;
}

export function parseServerKeyExchange(
  body: Uint8Array,
  keyExchange: KeyExchange,
  version: number,
): ServerKeyExchange | Fault {
  const reader = new ByteReader(body);
  if (keyExchange === 'ecdhe') {
    // RFC 8422 §5.4: named_curve is the only curve type that may still be used.
    if (reader.u8() !== NAMED_CURVE) return unsupported('tls.server-key-exchange.curve-type', 0);
    reader.skip(2);
    reader.vector8();
  } else if (keyExchange === 'dhe') {
    for (let i = 0; i < 3; i++) reader.vector16(); // dh_p, dh_g, dh_Ys
  } else if (keyExchange === 'rsa-export') {
    for (let i = 0; i < 2; i++) reader.vector16(); // rsa_modulus, rsa_exponent
  } else {
    return unsupported('tls.server-key-exchange.unexpected', 0);
  }
  const params = body.subarray(0, reader.at);
  const scheme = version >= VERSION.tls12 ? reader.u16() : 0;
  const signature = reader.vector16().rest();
  return reader.atEnd() ? { params, scheme, signature } : malformed('tls.server-key-exchange.syntax', reader.at);
}

const NAMED_CURVE = 3;
