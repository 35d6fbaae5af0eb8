/**
 * Signatures as minisign writes and reads them, of the prehashed kind (`ED`): Ed25519 of the BLAKE2b-512 of the octets,
 * and a second one of that signature and the trusted comment. Signatures come from strangers: whatever they hold, reading
 * one throws nothing. Knows no files, and not what a trusted comment says.
 *
 *   untrusted comment: …
 *   base64( "ED" | number of the key (8) | signature (64) )
 *   trusted comment: …
 *   base64( signature of signature and trusted comment (64) )
 */
import { createHash, sign, verify } from 'node:crypto';

import { fromBase64 } from '../bytes/base64.ts';
import { toHex } from '../bytes/hex.ts';
import { begins, ID_OCTETS, type PublicKey, type SecretKey } from './keys.ts';

/** The text of the file that is beside what it signs. */
export function createSignature(signed: Uint8Array, { key, publicKey }: SecretKey, trustedComment: string): string {
  const id = Buffer.from(publicKey.id, 'hex').reverse();
  const signature = sign(null, prehash(signed), key);
  const comment = Buffer.from(trustedComment);
  const global = sign(null, Buffer.concat([signature, comment]), key);
  return [
    'untrusted comment: signature from tlspin',
    Buffer.concat([PREHASHED, id, signature]).toString('base64'),
    `${TRUSTED}${trustedComment}`,
    global.toString('base64'),
    '',
  ].join('\n');
}

export type Verified = { readonly trustedComment: string; readonly by: PublicKey } | { readonly error: string };

/** `error`: why it is not one of these keys' signature of these octets, as the end of a sentence. */
export function verifySignature(signed: Uint8Array, text: string, trusted: readonly PublicKey[]): Verified {
  const parts = partsOf(text);
  if ('error' in parts) return parts;
  const { id, signature, trustedComment } = parts;
  const by = trusted.find((key) => key.id === id);
  if (by === undefined) return { error: `it is signed with key ${id}, which is not trusted` };
  if (!verify(null, prehash(signed), by.key, signature)) return { error: 'its signature is not of this document' };
  return isCommentOf(parts, by) ? { trustedComment, by } : { error: 'its trusted comment was changed' };
}

/** Of a signature without what it signs: the comment of one of these keys, which vouches for nothing else. */
export function verifyComment(text: string, trusted: readonly PublicKey[]): string | undefined {
  const parts = partsOf(text);
  if ('error' in parts) return undefined;
  const by = trusted.find((key) => key.id === parts.id);
  return by !== undefined && isCommentOf(parts, by) ? parts.trustedComment : undefined;
}

/** Whoever wrote it; undefined where it is no signature. */
export function trustedCommentOf(text: string): string | undefined {
  const parts = partsOf(text);
  return 'error' in parts ? undefined : parts.trustedComment;
}

interface Parts {
  readonly id: string;
  readonly signature: Uint8Array;
  readonly trustedComment: string;
  readonly global: Uint8Array;
}

function partsOf(text: string): Parts | { readonly error: string } {
  if (text.length > MAX_SIGNATURE_FILE) return NO_SIGNATURE;
  const [untrusted = '', first = '', trusted = '', second = '', ...rest] = text.split(/\r?\n/);
  const octets = fromBase64(first);
  const global = fromBase64(second);
  const isShaped = untrusted.startsWith('untrusted comment:') && trusted.startsWith(TRUSTED) && rest.join('') === '';
  if (!isShaped || octets?.length !== 2 + ID_OCTETS + SIGNATURE_OCTETS || global?.length !== SIGNATURE_OCTETS) {
    return NO_SIGNATURE;
  }
  if (!begins(octets, PREHASHED))
    return { error: 'it is signed the old way, without a hash: sign it with minisign -H' };
  const id = toHex(octets.subarray(2, 2 + ID_OCTETS).toReversed()).toUpperCase();
  return { id, signature: octets.subarray(2 + ID_OCTETS), trustedComment: trusted.slice(TRUSTED.length), global };
}

function isCommentOf({ signature, trustedComment, global }: Parts, { key }: PublicKey): boolean {
  return verify(null, Buffer.concat([signature, Buffer.from(trustedComment)]), key, global);
}

function prehash(octets: Uint8Array): Buffer {
  return createHash('blake2b512').update(octets).digest();
}

const NO_SIGNATURE = { error: 'what is with it is no signature of minisign' } as const;
const PREHASHED = Buffer.from('ED');
const TRUSTED = 'trusted comment: ';
const SIGNATURE_OCTETS = 64;
/** Two comments of the length that minisign allows, and the rest. */
export const MAX_SIGNATURE_FILE = 10_000;
