/**
 * Files that people give where a configuration belongs, told by how they begin: what they are, and which command takes
 * them. Knows no configuration, but that its first character is a brace or a comment.
 */

/** A sentence about the octets of `file`; undefined where they may well be a configuration. */
export function whatElse(file: string, bytes: Uint8Array): string | undefined {
  const octets = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const text = octets.toString('latin1', 0, LOOKED_AT);
  if (/^(\xff\xfe|\xfe\xff|\{\0|\0\{)/.test(text)) {
    return `this is UTF-16, and a configuration is UTF-8: iconv -f UTF-16 -t UTF-8 ${file}, into a new file`;
  }
  if (/^(\xef\xbb\xbf)?\s*[{/]/.test(text)) return undefined;
  const label = /-----BEGIN ([A-Z0-9 #]+)-----/.exec(octets.toString('latin1'))?.[1];
  if (label?.endsWith('PRIVATE KEY') === true) {
    return 'this is a private key in PEM and no configuration: its public half is what can be pinned (openssl pkey -pubout)';
  }
  if (label !== undefined) return `this is a ${label.toLowerCase()} in PEM and no configuration: ${pin(file)}`;
  if (/^\x30[\x80-\x84]/.test(text))
    return `this is DER, of a certificate or a key, and no configuration: ${pin(file)}`;
  if (CAPTURES.test(text)) return `this is a capture and no configuration: tlspin inspect ${file} reads it`;
  if (OTHER_PINS.test(text))
    return `these are pins of another program: tlspin import ${file} makes a configuration of them`;
  return undefined;
}

function pin(file: string): string {
  return `tlspin pin --json ${file} prints a pinset of it`;
}

/** pcap of either order and resolution, pcapng, and either in gzip. */
const CAPTURES = /^(\xa1\xb2[\xc3\x3c][\xd4\x4d]|[\xd4\x4d][\xc3\x3c]\xb2\xa1|\x0a\x0d\x0d\x0a|\x1f\x8b)/;
const OTHER_PINS = /^\s*<(\?xml|network-security-config)|-m\s+sslpin\b|public-key-pins|^Listingdate|^# .*SSLBL/im;
const LOOKED_AT = 4_096;
