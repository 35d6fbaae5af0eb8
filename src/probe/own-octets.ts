/**
 * What a client's next hello says anew, and no probe repeats: its random, its session id and ticket, the octets of its key
 * shares. Hellos that are equal but for these are one question. Knows no digests and no answers.
 */
import { ByteReader } from '../bytes/reader.ts';
import { EXTENSION } from '../tls/constants.ts';
import { readExtensions } from '../tls/extensions.ts';
import { isGrease } from '../tls/grease.ts';
import { sharesOf } from '../tls/key-shares.ts';

/** The octets of a hello's body with zeros for its own, a character each; undefined where it cannot be read. */
export function withoutOwnOctets(clientHello: Uint8Array): string | undefined {
  const octets = Buffer.from(clientHello);
  const reader = new ByteReader(octets);
  // RFC 8446 §4.1.2: legacy_version, random, legacy_session_id, cipher_suites, legacy_compression_methods.
  reader.u16();
  reader.span(32).fill(0);
  reader.vector8().rest().fill(0);
  reader.vector16();
  reader.vector8();
  const extensions = readExtensions(reader);
  if (extensions === undefined) return undefined;
  extensions.get(EXTENSION.preSharedKey)?.fill(0);
  extensions.get(EXTENSION.sessionTicket)?.fill(0);
  // What is GREASE is a choice of the client's.
  for (const { group, keyExchange } of sharesOf(extensions.get(EXTENSION.keyShare) ?? NOTHING)) {
    if (!isGrease(group)) keyExchange.fill(0);
  }
  return octets.toString('latin1');
}

const NOTHING = new Uint8Array(0);
