/**
 * Certificate up to TLS 1.2 (RFC 5246 §7.4.2), where it travels in clear, and of TLS 1.3 (RFC 8446 §4.4.2). The bytes
 * stay what they are: no X.509 here.
 */
import { type Fault, malformed, misbehaved } from '../bytes/fault.ts';
import { ByteReader } from '../bytes/reader.ts';
import { EXTENSION } from './constants.ts';
import { readExtensionList } from './extensions.ts';

/** DER as sent, in wire order; views of `body`. An empty list is a client's way to have none. */
export function parseCertificateList(body: Uint8Array, maxCertificates: number): Uint8Array[] | Fault {
  const reader = new ByteReader(body);
  const list = reader.vector24();
  const certificates: Uint8Array[] = [];
  while (list.more()) {
    if (certificates.length === maxCertificates) return misbehaved(TOO_MANY_CERTIFICATES, list.at);
    const der = list.vector24().rest();
    if (der.length === 0) return malformed('tls.certificate.empty', list.at);
    certificates.push(der);
  }
  return list.ok && reader.atEnd() ? certificates : malformed('tls.certificate.syntax', reader.at);
}

/** CertificateList of TLS 1.3; views of the body. */
export interface Certificate13 {
  /** Empty in a handshake; otherwise it repeats that of a CertificateRequest. */
  readonly requestContext: Uint8Array;
  /** DER as sent, in wire order; a raw public key (RFC 7250) stands in the same place, alone. */
  readonly certificates: readonly Uint8Array[];
  /** RFC 9345 §4: what the leaf's key has signed in place of CertificateVerify's; null when there is none. */
  readonly delegatedCredential: Uint8Array | null;
}

export function parseCertificate13(body: Uint8Array, maxCertificates: number): Certificate13 | Fault {
  const reader = new ByteReader(body);
  const requestContext = reader.vector8().rest();
  const list = reader.vector24();
  const certificates: Uint8Array[] = [];
  let delegatedCredential: Uint8Array | null = null;
  while (list.more()) {
    if (certificates.length === maxCertificates) return misbehaved(TOO_MANY_CERTIFICATES, list.at);
    const data = list.vector24().rest();
    const extensions = readExtensionList(list.vector16());
    if (data.length === 0) return malformed('tls.certificate.empty', list.at);
    if (extensions === undefined) return malformed('tls.certificate.syntax', list.at);
    if (certificates.length === 0) delegatedCredential = extensions.get(EXTENSION.delegatedCredential) ?? null;
    certificates.push(data);
  }
  if (!list.ok || !reader.atEnd()) return malformed('tls.certificate.syntax', reader.at);
  return { requestContext, certificates, delegatedCredential };
}

/** The one fault here that is a limit and not an error of the peer's. */
export const TOO_MANY_CERTIFICATES = 'tls.certificate.too-many';
