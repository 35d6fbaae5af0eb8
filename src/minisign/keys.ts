/**
 * Keys as minisign writes them (https://jedisct1.github.io/minisign/): a comment that nobody vouches for, and a line of
 * base64 of the algorithm, the number of the key and the key. Secret ones are those without a password, as `minisign -W`
 * makes them. Knows Ed25519 (RFC 8032) by node:crypto, and no files.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';

import { fromBase64 } from '../bytes/base64.ts';
import { toHex } from '../bytes/hex.ts';

export interface PublicKey {
  /** As minisign prints it. */
  readonly id: string;
  readonly key: KeyObject;
  /** As configurations have it. */
  readonly line: string;
}

export interface SecretKey {
  readonly key: KeyObject;
  readonly publicKey: PublicKey;
}

/** The line of base64 alone, or a whole file of it. */
export function parsePublicKey(text: string): PublicKey | { readonly error: string } {
  const line = lineOf(text);
  const octets = line === undefined ? undefined : fromBase64(line);
  if (octets?.length !== PUBLIC_OCTETS || !begins(octets, ALGORITHM)) {
    return { error: 'this is no public key of minisign: it is a line of 56 characters that begins with RW' };
  }
  return publicKeyOf(octets.subarray(2, 2 + ID_OCTETS), octets.subarray(2 + ID_OCTETS));
}

/** The text of a secret key's file. */
export function parseSecretKey(text: string): SecretKey | { readonly error: string } {
  const line = lineOf(text);
  const octets = line === undefined ? undefined : fromBase64(line);
  if (octets?.length !== SECRET_OCTETS || !begins(octets, ALGORITHM)) {
    return { error: 'this is no secret key of minisign' };
  }
  if (octets[2] !== 0 || octets[3] !== 0) {
    return { error: 'this key has a password: sign with minisign itself, or make one without (tlspin fleet key)' };
  }
  const seed = octets.subarray(SEED_AT, SEED_AT + KEY_OCTETS);
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });
  const id = octets.subarray(SEED_AT - ID_OCTETS, SEED_AT);
  const publicKey = publicKeyOf(id, rawPublicKey(key));
  const isWhole =
    Buffer.compare(rawPublicKey(key), octets.subarray(SEED_AT + KEY_OCTETS, SEED_AT + 2 * KEY_OCTETS)) === 0;
  return isWhole ? { key, publicKey } : { error: 'this secret key is damaged: its two halves do not belong together' };
}

export interface KeyFiles {
  readonly secret: string;
  readonly public: string;
  readonly publicKey: PublicKey;
}

/** A new pair, as the texts of its two files. */
export function createKeyFiles(): KeyFiles {
  const { privateKey } = generateKeyPairSync('ed25519');
  const id = randomBytes(ID_OCTETS);
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-KEY_OCTETS);
  const raw = rawPublicKey(privateKey);
  const noPassword = Buffer.alloc(2 + 2 + SALT_AND_LIMITS);
  noPassword.write('B2', 2);
  const secret = Buffer.concat([ALGORITHM, noPassword, id, seed, raw, Buffer.alloc(CHECKSUM_OCTETS)]);
  const publicKey = publicKeyOf(id, raw);
  return {
    secret: `untrusted comment: minisign encrypted secret key\n${secret.toString('base64')}\n`,
    public: `untrusted comment: minisign public key ${publicKey.id}\n${publicKey.line}\n`,
    publicKey,
  };
}

function publicKeyOf(id: Uint8Array, raw: Uint8Array): PublicKey {
  return {
    id: toHex(id.toReversed()).toUpperCase(),
    key: createPublicKey({ key: Buffer.concat([SPKI, raw]), format: 'der', type: 'spki' }),
    line: Buffer.concat([ALGORITHM, id, raw]).toString('base64'),
  };
}

function rawPublicKey(key: KeyObject): Buffer {
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-KEY_OCTETS);
}

/** Behind the comment, where there is one. */
function lineOf(text: string): string | undefined {
  if (text.length > MAX_KEY_FILE) return undefined;
  const lines = text.trim().split(/\r?\n/);
  const [first = '', second] = lines;
  if (lines.length > 2) return undefined;
  return first.startsWith('untrusted comment:') ? second?.trim() : second === undefined ? first : undefined;
}

export function begins(octets: Uint8Array, with_: Uint8Array): boolean {
  return with_.every((octet, at) => octets[at] === octet);
}

export const ID_OCTETS = 8;
const KEY_OCTETS = 32;
const PUBLIC_OCTETS = 2 + ID_OCTETS + KEY_OCTETS;
const SALT_AND_LIMITS = 32 + 8 + 8;
const CHECKSUM_OCTETS = 32;
const SEED_AT = 2 + 2 + 2 + SALT_AND_LIMITS + ID_OCTETS;
const SECRET_OCTETS = SEED_AT + 2 * KEY_OCTETS + CHECKSUM_OCTETS;
const MAX_KEY_FILE = 4096;
const ALGORITHM = Buffer.from('Ed');
/** RFC 8410: what is before the 32 octets. */
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
