/** Certificate (RFC 5246 §7.4.2) up to TLS 1.2, where it travels in clear. The bytes stay what they are: no X.509 here. */
import { type Fault, malformed, misbehaved } from '../bytes/fault.ts';
import { ByteReader } from '../bytes/reader.ts';

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

/** The one fault here that is a limit and not an error of the peer's. */
export const TOO_MANY_CERTIFICATES = 'tls.certificate.too-many';
