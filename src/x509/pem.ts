/** Certificates and public keys out of files: PEM (RFC 7468) with any number of them, or one in DER. */

export interface PemBlock {
  /** What stands between BEGIN and the dashes. */
  readonly label: string;
  readonly der: Uint8Array;
}

/** Empty when the text holds no block that is whole and in base64. */
export function readPem(bytes: Uint8Array): PemBlock[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  const blocks: PemBlock[] = [];
  for (const [, label, body] of text.matchAll(BLOCK)) {
    const base64 = body!.replace(/^[\w-]+:.*$/gm, '').replace(/\s/g, '');
    if (/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) {
      blocks.push({ label: label!, der: new Uint8Array(Buffer.from(base64, 'base64')) });
    }
  }
  return blocks;
}

/** Every certificate of a PEM file, or the one of a DER file; empty when there is none. */
export function readCertificates(bytes: Uint8Array): Uint8Array[] {
  const blocks = readPem(bytes).filter((block) => CERTIFICATE_LABELS.includes(block.label));
  if (blocks.length > 0) return blocks.map((block) => block.der);
  return bytes[0] === 0x30 ? [new Uint8Array(bytes)] : [];
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \1-----/g;
const CERTIFICATE_LABELS = ['CERTIFICATE', 'X509 CERTIFICATE'];
