/**
 * What is text on a stream that TLS may follow: everything but NUL and the octets that a record begins with. Without
 * them nothing that was let go as text can be a server's flight, whatever the client makes of it.
 */

/** Offset of the first octet that no text has; the end of the chunk when there is none. */
export function endOfText(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && isText(bytes[at]!)) at++;
  return at;
}

function isText(octet: number): boolean {
  return octet > LAST_CONTENT_TYPE || (octet < FIRST_CONTENT_TYPE && octet !== 0);
}

/** IANA "TLS ContentType": change_cipher_spec to ACK. */
const FIRST_CONTENT_TYPE = 0x14;
const LAST_CONTENT_TYPE = 0x1a;
