/** Numbers of the wire, each from its IANA registry ("TLS Parameters", "TLS ExtensionType Values"). */

/** ContentType. */
export const CONTENT = {
  changeCipherSpec: 20,
  alert: 21,
  handshake: 22,
  applicationData: 23,
  heartbeat: 24,
} as const;

/** HandshakeType. */
export const HANDSHAKE = {
  helloRequest: 0,
  clientHello: 1,
  serverHello: 2,
  helloVerifyRequest: 3,
  newSessionTicket: 4,
  endOfEarlyData: 5,
  encryptedExtensions: 8,
  certificate: 11,
  serverKeyExchange: 12,
  certificateRequest: 13,
  serverHelloDone: 14,
  certificateVerify: 15,
  clientKeyExchange: 16,
  finished: 20,
  certificateUrl: 21,
  certificateStatus: 22,
  supplementalData: 23,
  compressedCertificate: 25,
  messageHash: 254,
} as const;

/** ExtensionType. */
export const EXTENSION = {
  serverName: 0,
  maxFragmentLength: 1,
  supportedGroups: 10,
  signatureAlgorithms: 13,
  alpn: 16,
  clientCertificateType: 19,
  serverCertificateType: 20,
  padding: 21,
  compressCertificate: 27,
  delegatedCredential: 34,
  sessionTicket: 35,
  preSharedKey: 41,
  earlyData: 42,
  supportedVersions: 43,
  cookie: 44,
  pskKeyExchangeModes: 45,
  signatureAlgorithmsCert: 50,
  keyShare: 51,
  /** Two drafts of one thing (draft-vvv-tls-alps). */
  applicationSettingsOld: 17513,
  applicationSettings: 17613,
  encryptedClientHello: 0xfe0d,
} as const;

/** ProtocolVersion. */
export const VERSION = {
  ssl2: 0x0002,
  ssl3: 0x0300,
  tls10: 0x0301,
  tls11: 0x0302,
  tls12: 0x0303,
  tls13: 0x0304,
  dtls10: 0xfeff,
  dtls12: 0xfefd,
  dtls13: 0xfefc,
  /** What OpenSSL spoke before there was a standard. */
  dtls10OpenSsl: 0x0100,
} as const;

/** AlertLevel and AlertDescription (RFC 8446 §6.1). */
export const CLOSE_NOTIFY = Uint8Array.of(1, 0);

/** CertificateType (RFC 7250). */
export const CERTIFICATE_TYPE = { x509: 0, rawPublicKey: 2 } as const;

/** Drafts of TLS 1.3 went by 0x7f00 + draft number; Facebook's early ones by 0xfb00. */
export function isTls13(version: number): boolean {
  return version === VERSION.tls13 || version === VERSION.dtls13 || version >> 8 === 0x7f || version >> 8 === 0xfb;
}

/** RFC 8446 §5.1: a plaintext record holds at most 2^14 octets; RFC 5246 §6.2.3 lets an encrypted one hold 2048 more. */
export const MAX_PLAINTEXT = 0x4000;
export const MAX_CIPHERTEXT = MAX_PLAINTEXT + 2048;
