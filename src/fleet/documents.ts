/**
 * The documents of a fleet where everybody finds them: one key for those that are for all, one for those that only a
 * canary takes; both count versions together. Who opens one checks everything that its signature vouches for.
 */
import type { PublicKey } from '../minisign/keys.ts';
import { verifyComment } from '../minisign/signature.ts';
import { digestOf, openEnvelope, openPackage, type Package } from './package.ts';
import type { Broker, Bucket } from './port.ts';
import { type Claims, openDocument, parseClaims, type SignedDocument } from './signed-document.ts';

/** What was signed along with the document. */
export interface Terms {
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly expires: number;
  readonly pushed: number;
  /** Who says that they pushed it. */
  readonly by: string;
  /** The only gateway that it is for; null: it is for all. */
  readonly canary: string | null;
  readonly isReportOnly: boolean;
  /** Whether it comes into force however much it denies. */
  readonly isForced: boolean;
  /** The version whose document it is again. */
  readonly restores: number | null;
}

export interface OpenedDocument {
  readonly terms: Terms;
  readonly digest: string;
  readonly content: Package;
  readonly signed: SignedDocument;
}

export interface Expectation {
  readonly name: string;
  readonly trusted: readonly PublicKey[];
  /** The latest that was seen, which may come again. */
  readonly version: number;
  readonly nowMs: number;
}

/** Never throws. `version`: where its signature is good, whatever else is wrong. */
export function openOffer(
  octets: Uint8Array,
  expected: Expectation,
): OpenedDocument | { readonly error: string; readonly version: number | null } {
  const signed = openEnvelope(octets);
  if (signed === undefined) return { error: 'it is not signed at all', version: null };
  const opened = openDocument(signed, expected);
  if ('error' in opened) return { error: opened.error, version: null };
  const { version } = opened.claims;
  const terms = termsOf(opened.claims);
  if (terms === undefined) return { error: 'what is signed with it is not understood', version };
  const content = openPackage(signed.bytes);
  if ('error' in content) return { error: content.error, version };
  return { terms, content, digest: digestOf(signed.bytes), signed };
}

export function claimsOf(name: string, terms: Terms): Claims {
  const { version, expires, pushed, by, canary, isReportOnly, isForced, restores } = terms;
  const others = new Map([
    ['pushed', new Date(pushed).toISOString()],
    ['by', by],
    ...(canary === null ? [] : [['for', canary] as const]),
    ...(isReportOnly ? [['mode', 'report-only'] as const] : []),
    ...(isForced ? [['deny', 'any'] as const] : []),
    ...(restores === null ? [] : [['restores', String(restores)] as const]),
  ]);
  return { name, version, expires, others };
}

/** Undefined where something is said that this tlspin does not know: it might have to be heeded. */
function termsOf({ version, expires, others = new Map<string, string>() }: Claims): Terms | undefined {
  const pushed = Date.parse(others.get('pushed') ?? '');
  const mode = others.get('mode');
  const deny = others.get('deny');
  if (Number.isNaN(pushed) || [...others.keys()].some((key) => !KNOWN.has(key))) return undefined;
  if ((mode !== undefined && mode !== 'report-only') || (deny !== undefined && deny !== 'any')) return undefined;
  const restores = others.get('restores');
  return {
    version,
    expires,
    pushed,
    by: others.get('by') ?? '',
    canary: others.get('for') ?? null,
    isReportOnly: mode !== undefined,
    isForced: deny !== undefined,
    restores: restores === undefined ? null : Number(restores),
  };
}

export function documentsBucket(broker: Broker): Promise<Bucket> {
  return broker.bucket('tlspin-documents', { history: HISTORY });
}

export function gatewaysBucket(broker: Broker): Promise<Bucket> {
  return broker.bucket('tlspin-gateways', { history: 1 });
}

/** `turn`: who puts something there first has the next version; nobody reads what. */
export const keysOf = (name: string) => ({
  all: `${name}.all`,
  canary: `${name}.canary`,
  any: `${name}.>`,
  turn: name,
});

/** Whoever hears of a version there that they have not heard of looks what there is. */
export const callOf = (name: string) => `documents.${name}`;

/** That was signed with this, whatever document it was for; 0: by nobody who is trusted. */
export function signedVersion(signature: string, name: string, trusted: readonly PublicKey[]): number {
  const claims = parseClaims(verifyComment(signature, trusted) ?? '');
  return claims?.name === name ? claims.version : 0;
}

const HISTORY = 64;
const KNOWN: ReadonlySet<string> = new Set(['pushed', 'by', 'for', 'mode', 'deny', 'restores']);
