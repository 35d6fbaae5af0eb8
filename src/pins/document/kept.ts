/**
 * A signed document as it is kept on the disk: its octets, and behind them, as comments, the lines of its signature. One
 * file is there whole or not at all, and what is said of a line of the document finds that line. Knows no claims.
 */
import { type PublicKey } from '../../minisign/keys.ts';
import { MAX_SIGNATURE_FILE, verifySignature } from '../../minisign/signature.ts';

export interface KeptDocument {
  readonly bytes: Uint8Array;
  /** The text of minisign's file. */
  readonly signature: string;
}

export function joinKept({ bytes, signature }: KeptDocument): Uint8Array {
  const lines = signature.trim().split(/\r?\n/);
  return Buffer.concat([bytes, Buffer.from(lines.map((line) => `${PREFIX}${line}`).join('') + '\n')]);
}

/** Undefined where there is no signature behind it. */
export function splitKept(kept: Uint8Array): KeptDocument | undefined {
  const at = Buffer.from(kept.buffer, kept.byteOffset, kept.length).lastIndexOf(`${PREFIX}untrusted comment:`);
  if (at < 0 || kept.length - at > 2 * MAX_SIGNATURE_FILE) return undefined;
  const lines = Buffer.from(kept.subarray(at)).toString().split(PREFIX).slice(1);
  return { bytes: kept.subarray(0, at), signature: `${lines.join('\n').trimEnd()}\n` };
}

/** The document; or why it is not to be believed. */
export function readKept(kept: Uint8Array, trusted: readonly PublicKey[]): KeptDocument | { readonly error: string } {
  const document = splitKept(kept);
  if (document === undefined) return { error: 'it has no signature behind it' };
  const verified = verifySignature(document.bytes, document.signature, trusted);
  return 'error' in verified ? verified : document;
}

const PREFIX = '\n//! ';
