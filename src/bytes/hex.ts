/** Octets to hexadecimal text and back. */

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}

/** `AA:BB:…`, as OpenSSL prints fingerprints, in lower case. */
export function toColonHex(bytes: Uint8Array): string {
  return toHex(bytes).replace(/(..)(?=.)/g, '$1:');
}

/** Hexadecimal that may hold colons and blanks, in either case; undefined when it is anything else. */
export function fromHex(text: string): Uint8Array | undefined {
  const digits = text.replace(/[\s:]/g, '');
  if (digits.length === 0 || digits.length % 2 !== 0 || !/^[0-9a-f]+$/i.test(digits)) return undefined;
  return new Uint8Array(Buffer.from(digits, 'hex'));
}
