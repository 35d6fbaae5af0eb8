/**
 * Base64 to octets, where one text stands for one sequence of octets only (RFC 4648 §3.5): padded, of the standard
 * alphabet, and without a bit behind the last octet.
 */

/** Base64 that may hold blanks; undefined when it is anything else, or not the way to write these octets. */
export function fromBase64(text: string): Uint8Array | undefined {
  const characters = text.replace(/\s/g, '');
  const octets = Buffer.from(characters, 'base64');
  return octets.length > 0 && octets.toString('base64') === characters ? new Uint8Array(octets) : undefined;
}

/** What `text` would be in its canonical spelling; undefined where it cannot be known. */
export function inCanonicalBase64(text: string): string | undefined {
  const characters = text.replace(/[\s=]/g, '').replaceAll('-', '+').replaceAll('_', '/');
  const padded = characters.padEnd(Math.ceil(characters.length / 4) * 4, '=');
  return fromBase64(padded) === undefined ? undefined : padded;
}
