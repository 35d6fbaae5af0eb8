/**
 * What is pushed, in octets: a document of pinsets and lists with the files that it refers to, compressed, and beside it
 * the signature. Whoever reads one has it from a stranger: bounded, and never throwing. What the document means is the
 * configuration's to say.
 *
 *   value of the bucket = length of the signature (2 octets) | signature, as minisign writes it | what is signed
 *   what is signed      = gzip of { format, file, files: { NAME: { modified, base64 } } }
 */
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';

import { fromBase64 } from '../bytes/base64.ts';
import type { FileContent } from '../pins/document/files.ts';
import type { SignedDocument } from './signed-document.ts';

export interface Package {
  /** The document's file, by its name alone. */
  readonly file: string;
  /** By name relative to it; it is among them. */
  readonly files: ReadonlyMap<string, FileContent>;
}

export function packageOctets({ file, files }: Package): Uint8Array {
  const entries = [...files].map(([name, { bytes, modifiedMs }]) => [
    name,
    { modified: Math.round(modifiedMs), base64: Buffer.from(bytes).toString('base64') },
  ]);
  return gzipSync(JSON.stringify({ format: FORMAT, file, files: Object.fromEntries(entries) }));
}

/** `error`: what is wrong with it, as the end of a sentence. */
export function openPackage(octets: Uint8Array): Package | { readonly error: string } {
  const parsed = parse(octets);
  if (parsed === undefined) return { error: 'it is no package of tlspin, or a damaged one' };
  if (parsed.format !== FORMAT) return { error: 'it is a package of another tlspin: bring this one up to date' };
  const { file, files } = parsed;
  if (typeof file !== 'string' || !isFileName(file) || !isObject(files)) return { error: 'it names no document' };
  const contents = new Map<string, FileContent>();
  for (const [name, content] of Object.entries(files)) {
    const { modified, base64 } = isObject(content) ? content : {};
    const bytes = base64 === '' ? new Uint8Array() : typeof base64 === 'string' ? fromBase64(base64) : undefined;
    if (bytes === undefined || !Number.isSafeInteger(modified)) return { error: 'a file in it is damaged' };
    contents.set(name, { bytes, modifiedMs: modified as number });
  }
  if (!contents.has(file)) return { error: `${file}, which is its document, is not in it` };
  return { file, files: contents };
}

export function digestOf(octets: Uint8Array): string {
  return `sha256:${createHash('sha256').update(octets).digest('hex')}`;
}

export function envelopeOctets({ bytes, signature }: SignedDocument): Uint8Array {
  const text = new TextEncoder().encode(signature);
  return Buffer.concat([Uint8Array.of(text.length >> 8, text.length & 0xff), text, bytes]);
}

export function openEnvelope(octets: Uint8Array): SignedDocument | undefined {
  const length = octets.length < 2 ? 0 : (octets[0]! << 8) | octets[1]!;
  if (length === 0 || octets.length < 2 + length || octets.length > MOST_OCTETS) return undefined;
  const signature = new TextDecoder().decode(octets.subarray(2, 2 + length));
  return { signature, bytes: octets.slice(2 + length) };
}

function parse(octets: Uint8Array): Record<string, unknown> | undefined {
  try {
    const text = gunzipSync(octets, { maxOutputLength: MOST_OCTETS }).toString('utf8');
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isFileName(name: string): boolean {
  return name.length <= 200 && !/[/\p{C}]/u.test(name) && name !== '' && !name.startsWith('.');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

const FORMAT = 1;
/** Of what is pushed at once, before and after compression. */
export const MOST_OCTETS = 16 * 1024 * 1024;
