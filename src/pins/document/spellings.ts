/**
 * The ways to write a pin down, for people: each with what it pins and where it comes from. What is read is pin-string.ts;
 * every form here is one that it reads.
 */
export interface Spelling {
  readonly form: string;
  readonly meaning: string;
}

export const PIN_SPELLINGS: readonly Spelling[] = [
  { form: 'cert-sha256:<hex>', meaning: 'SHA-256 of a whole certificate' },
  { form: 'cert-sha1:<hex>', meaning: 'SHA-1 of a whole certificate, as xt_sslpin has it' },
  { form: '<40 hex digits>', meaning: 'the same' },
  { form: 'SHA256 Fingerprint=<hex>', meaning: 'the first, as `openssl x509 -fingerprint -sha256` prints it' },
  { form: 'SHA1 Fingerprint=<hex>', meaning: 'the second, as `openssl x509 -fingerprint -sha1` prints it' },
  { form: 'spki-sha256:<base64>', meaning: 'SHA-256 of a public key (SubjectPublicKeyInfo)' },
  { form: 'spki-sha256:<hex>', meaning: 'the same in hex' },
  { form: 'sha256//<base64>', meaning: 'the same as curl writes it' },
  { form: 'sha256/<base64>', meaning: 'the same as OkHttp and Chromium write it' },
  { form: 'pin-sha256="<base64>"', meaning: 'the same as HPKP writes it (RFC 7469)' },
  {
    form: 'rsa:<hex>',
    meaning:
      'a concrete RSA key: the DER of its RSAPublicKey, or, as with those below, of the whole SubjectPublicKeyInfo',
  },
  { form: 'rsa-pss:<hex>', meaning: 'the same of a key that is for RSASSA-PSS alone' },
  { form: 'ec:<hex>', meaning: 'a concrete key on an elliptic curve: its point (04…)' },
  { form: 'ec(P-256):<hex>', meaning: 'the same with its curve' },
  { form: 'dsa:<hex>', meaning: 'a concrete DSA key: the DER of its INTEGER' },
  { form: 'ed25519:<hex>', meaning: 'a concrete Ed25519 key' },
  { form: 'ed448:<hex>', meaning: 'a concrete Ed448 key' },
  { form: 'cert:<base64 or hex>', meaning: 'a whole certificate, which may end a path whose root is not sent' },
  { form: 'spki:<base64 or hex>', meaning: 'a whole SubjectPublicKeyInfo' },
  { form: 'tlsa:<usage> <selector> <matching> <hex>', meaning: 'what a TLSA record of DANE holds (RFC 6698)' },
  { form: '@<list>', meaning: 'every entry of a list' },
];
