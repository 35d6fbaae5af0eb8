/**
 * Every way to write a pin down, as curl, OkHttp, HPKP, openssl, DANE and xt_sslpin do, made one canonical form. What
 * cannot be meant is refused here with the cure; where a pin stands and when it holds is for the compiler.
 */
import { fromBase64, inCanonicalBase64 } from '../../bytes/base64.ts';
import { fromHex, toHex } from '../../bytes/hex.ts';
import { sha256Hex } from '../../x509/fingerprint.ts';
import { outlineOf } from '../../x509/outline.ts';
import { readSpki } from '../../x509/spki.ts';
import { parseKey } from './key-string.ts';
import type { PinKind, PinPlace } from '../policy.ts';

export interface ParsedPin {
  readonly kind: PinKind;
  /** As `CompiledPin.key`. */
  readonly key: string;
  readonly canonical: string;
  readonly der: Uint8Array | null;
  /** Where the spelling itself says so (TLSA's certificate usage). */
  readonly at: PinPlace | null;
  /** Why this pin is worth less than it seems; null when it is not. */
  readonly weakness: string | null;
}

export type PinString = { readonly pin: ParsedPin } | { readonly list: string } | { readonly error: string };

export type DigestKind = 'cert-sha1' | 'cert-sha256' | 'spki-sha256';

/** `bare` says what a digest without a prefix is, where the place it is written in knows. */
export function parsePin(text: string, bare: DigestKind | null = null): PinString {
  const spelling = text.trim();
  if (spelling.startsWith('@')) return listName(spelling.slice(1));
  for (const [pattern, read] of SPELLINGS) {
    const found = pattern.exec(spelling);
    if (found !== null) return read(found[1] ?? '', found[2] ?? '');
  }
  return bareDigest(spelling, bare);
}

/** A pin on the whole of a certificate. */
export function pinOfCertificate(der: Uint8Array): PinString {
  if (outlineOf(der) === null) {
    return { error: 'this is not one DER certificate; pin its digest with "cert-sha256:" if it is meant as it is' };
  }
  const digest = sha256Hex(der);
  return { pin: { kind: 'cert', key: digest, canonical: `cert-sha256:${digest}`, der, at: null, weakness: null } };
}

/** A pin on the whole of a SubjectPublicKeyInfo. */
export function pinOfSpki(spki: Uint8Array): PinString {
  if (readSpki(spki) === null) return { error: 'this is not one DER SubjectPublicKeyInfo' };
  const digest = sha256Hex(spki);
  return {
    pin: { kind: 'spki', key: digest, canonical: spkiCanonical(digest), der: null, at: null, weakness: null },
  };
}

/** `spki-sha256:<base64>` of a digest in hex. */
export function spkiCanonical(digest: string): string {
  return `spki-sha256:${Buffer.from(digest, 'hex').toString('base64')}`;
}

/** Prefix or frame, and what reads the rest. The first that fits is taken. */
const SPELLINGS: readonly (readonly [RegExp, (value: string, more: string) => PinString])[] = [
  [/^cert-sha1:(.*)$/is, (value) => hexDigestPin('cert-sha1', value)],
  [/^cert-sha256:(.*)$/is, (value) => hexDigestPin('cert-sha256', value)],
  [
    /^spki-sha256:(.*)$/is,
    (value) => (fromHex(value) === undefined ? base64Pin(value) : digestPin('spki-sha256', fromHex(value))),
  ],
  [/^sha1\s+fingerprint\s*=(.*)$/is, (value) => hexDigestPin('cert-sha1', value)],
  [/^sha256\s+fingerprint\s*=(.*)$/is, (value) => hexDigestPin('cert-sha256', value)],
  [/^sha256\/([^;]*)$/s, slashPin],
  [/^sha256\/\/.*;/s, () => ({ error: 'this holds several pins: write one string for each' })],
  [/^pin-sha256\s*=\s*"?([^"]*)"?$/is, base64Pin],
  [/^sha1\//i, () => ({ error: 'SHA-1 of a key is not supported: pin SHA-256, "sha256/<base64>"' })],
  [/^cert:(.*)$/is, (value) => wholePin(value, pinOfCertificate)],
  [/^spki:(.*)$/is, (value) => wholePin(value, pinOfSpki)],
  [/^tlsa:(.*)$/is, tlsaPin],
  [/^(rsa|rsa-pss|ec|dsa|ed25519|ed448)((?:\([^)]*\))?:.*)$/is, keyPin],
];

const DIGEST_SIZE: Readonly<Record<DigestKind, number>> = { 'cert-sha1': 20, 'cert-sha256': 32, 'spki-sha256': 32 };

function listName(name: string): PinString {
  return /^[\w.-]+$/.test(name) ? { list: name } : { error: `"@${name}" does not name a list` };
}

function digestPin(kind: DigestKind, digest: Uint8Array | undefined): PinString {
  const size = DIGEST_SIZE[kind];
  if (digest === undefined || digest.length !== size) {
    const how =
      kind === 'spki-sha256' ? `in base64 (43 characters and "=") or hex (64 digits)` : `in hex (${2 * size} digits)`;
    return { error: `${kind} needs a digest of ${size} octets ${how}` };
  }
  const key = toHex(digest);
  const canonical = kind === 'spki-sha256' ? spkiCanonical(key) : `${kind}:${key}`;
  return { pin: { kind, key, canonical, der: null, at: null, weakness: null } };
}

function hexDigestPin(kind: 'cert-sha1' | 'cert-sha256', value: string): PinString {
  const base64 = fromHex(value) === undefined ? fromBase64(value) : undefined;
  if (base64?.length === DIGEST_SIZE[kind]) {
    return { error: `${kind} is written in hex, and this is base64: write "${kind}:${toHex(base64)}"` };
  }
  return digestPin(kind, fromHex(value));
}

/** curl's `sha256//` or OkHttp's `sha256/` before base64 that may itself begin with a slash: the length tells. */
function slashPin(value: string): PinString {
  return base64Pin(fromBase64(value)?.length === DIGEST_SIZE['spki-sha256'] ? value : value.replace(/^\//, ''));
}

function base64Pin(value: string): PinString {
  const digest = fromBase64(value);
  const meant = digest === undefined ? inCanonicalBase64(value) : undefined;
  if (meant?.length === 44) {
    return {
      error: `this is not how base64 of a digest is written: write "spki-sha256:${meant}" if nothing is missing`,
    };
  }
  return digestPin('spki-sha256', digest);
}

function bareDigest(spelling: string, bare: DigestKind | null): PinString {
  const digest = fromHex(spelling);
  if (bare !== null) return digestPin(bare, digest ?? fromBase64(spelling));
  if (digest?.length === 20) return digestPin('cert-sha1', digest);
  if (digest?.length === 32) {
    const hex = toHex(digest);
    return {
      error: `64 hex digits do not say what was hashed: write "cert-sha256:${hex}" for the certificate or "spki-sha256:${hex}" for its key`,
    };
  }
  const base64 = fromBase64(spelling);
  if (base64?.length === 32) {
    return { error: `a bare digest does not say what was hashed: write "spki-sha256:${spelling}" if it is the key's` };
  }
  if (base64?.length === 20) {
    return {
      error: `a bare digest does not say what was hashed: write "cert-sha1:${toHex(base64)}" if it is a certificate's`,
    };
  }
  return {
    error: `"${shorten(spelling)}" is not a pin: write cert-sha256:<hex>, spki-sha256:<base64>, rsa:<hex>, cert:<base64> or another spelling of the manual`,
  };
}

function wholePin(value: string, make: (der: Uint8Array) => PinString): PinString {
  const der = fromHexOrBase64(value);
  return der === undefined ? { error: 'the DER must be given in base64 or hex' } : make(der);
}

function keyPin(algorithm: string, rest: string): PinString {
  const parsed = parseKey(algorithm.toLowerCase(), rest);
  if ('error' in parsed) return parsed;
  if ('spki' in parsed) return pinOfSpki(parsed.spki);
  return {
    pin: { kind: 'key', key: parsed.key, canonical: parsed.key, der: null, at: null, weakness: parsed.weakness },
  };
}

/** RFC 6698 §2.1: certificate usage, selector, matching type, certificate association data. */
function tlsaPin(value: string): PinString {
  const fields = /^\s*([0-3])\s+([01])\s+([0-2])\s+(.+)$/s.exec(value);
  const data = fields === null ? undefined : fromHex(fields[4]!);
  const base64 = fields === null || data !== undefined ? undefined : fromBase64(fields[4]!);
  if (base64 !== undefined) {
    const association = `${fields!.slice(1, 4).join(' ')} ${toHex(base64)}`;
    return { error: `tlsa ends in hex, and this is base64: write "tlsa:${association}"` };
  }
  if (fields === null || data === undefined) {
    return { error: 'tlsa needs "<usage 0-3> <selector 0-1> <matching type 0-2> <hex>"' };
  }
  const [usage, selector, matching] = [Number(fields[1]), Number(fields[2]), Number(fields[3])];
  const subject = selector === 0 ? 'cert' : 'spki';
  const found = tlsaAssociation(subject, matching, data, `tlsa:${usage} ${selector} ${matching} ${toHex(data)}`);
  if (!('pin' in found)) return found;
  // PKIX-EE and DANE-EE name the server's own certificate, PKIX-TA and DANE-TA one above it.
  return { pin: { ...found.pin, at: usage % 2 === 1 ? 'leaf' : 'ca' } };
}

function tlsaAssociation(subject: 'cert' | 'spki', matching: number, data: Uint8Array, canonical: string): PinString {
  if (matching === 0) return subject === 'cert' ? pinOfCertificate(data) : pinOfSpki(data);
  if (matching === 1) return digestPin(`${subject}-sha256`, data);
  if (data.length !== 64) return { error: 'tlsa with matching type 2 needs 128 hex digits' };
  return { pin: { kind: `${subject}-sha512`, key: toHex(data), canonical, der: null, at: null, weakness: null } };
}

function fromHexOrBase64(text: string): Uint8Array | undefined {
  return fromHex(text) ?? fromBase64(text);
}

function shorten(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 37)}…`;
}
