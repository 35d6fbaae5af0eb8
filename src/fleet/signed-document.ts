/**
 * A document that somebody answers for: what it is called, which version it is and until when it holds are in the trusted
 * comment of its signature, as `name=office version=3 expires=2027-01-01T00:00:00Z`, so that no document can be passed off
 * as another one, as a newer one, or for ever. Documents come from strangers: nothing here throws. Knows no transport, and
 * not what a document says.
 */
import { parseDate } from '../pins/document/dates.ts';
import type { PublicKey, SecretKey } from '../minisign/keys.ts';
import { createSignature, verifySignature } from '../minisign/signature.ts';

export interface Claims {
  /** Letters, digits, `.`, `_` and `-`. */
  readonly name: string;
  /** From 1 on. */
  readonly version: number;
  /** Milliseconds since the epoch, in whole seconds. */
  readonly expires: number;
  /** Further fields; their names and values are of the same characters as `name`. */
  readonly others?: ReadonlyMap<string, string> | undefined;
}

export interface SignedDocument {
  readonly bytes: Uint8Array;
  /** The text of minisign's file beside it. */
  readonly signature: string;
}

/** Throws where a claim cannot be said. */
export function signDocument(bytes: Uint8Array, secret: SecretKey, claims: Claims): SignedDocument {
  return { bytes, signature: createSignature(bytes, secret, commentOf(claims)) };
}

export interface Expected {
  readonly name: string;
  readonly trusted: readonly PublicKey[];
  /** The version that was taken before; 0 where none was. That one itself may come again, an older one may not. */
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

export type Opened = { readonly claims: Claims; readonly by: PublicKey } | { readonly error: string };

/** `error`: why it is not to be taken, as the end of a sentence. */
export function openDocument({ bytes, signature }: SignedDocument, expected: Expected): Opened {
  const verified = verifySignature(bytes, signature, expected.trusted);
  if ('error' in verified) return verified;
  const claims = parseClaims(verified.trustedComment);
  if (claims === undefined) return { error: `its trusted comment does not say ${EXAMPLE}` };
  const { name, version, expires } = claims;
  if (name !== expected.name) return { error: `it is named ${name}, and ${expected.name} was expected` };
  if (version < expected.version) {
    return { error: `it is version ${version}, and version ${expected.version} was taken before` };
  }
  if (expires <= expected.nowMs) return { error: `it expired at ${timeText(expires)}` };
  return { claims, by: verified.by };
}

/** Undefined where it does not say all three, each once. */
export function parseClaims(comment: string): Claims | undefined {
  const fields = new Map<string, string>();
  for (const word of comment.trim().split(/[ \t]+/)) {
    const [, key, value] = FIELD.exec(word) ?? [];
    if (key === undefined || fields.has(key)) return undefined;
    fields.set(key, value!);
  }
  const name = fields.get('name');
  const version = /^[1-9]\d{0,14}$/.test(fields.get('version') ?? '') ? Number(fields.get('version')) : undefined;
  const expires = parseDate(fields.get('expires') ?? '');
  if (name === undefined || !isDocumentName(name) || version === undefined || expires === undefined) return undefined;
  const others = new Map([...fields].filter(([key]) => !OWN_FIELDS.includes(key)));
  return { name, version, expires, others };
}

export function isDocumentName(text: string): boolean {
  return /^[\w.-]{1,100}$/.test(text);
}

function commentOf({ name, version, expires, others = new Map() }: Claims): string {
  const fields = [['name', name], ['version', version], ['expires', timeText(expires)], ...others] as const;
  const comment = fields.map(([key, value]) => `${key}=${value}`).join(' ');
  if (parseClaims(comment) === undefined) throw new Error(`this cannot be said in a trusted comment: ${comment}`);
  return comment;
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

const FIELD = /^([a-z][\w-]{0,30})=(\S{1,200})$/;
const OWN_FIELDS: readonly string[] = ['name', 'version', 'expires'];
const EXAMPLE = '"name=… version=… expires=…"';
