/**
 * Has signed pins looked for on their web server, and what is new, and signed by whom the configuration trusts, put into
 * force and kept. The signature is asked for first: where it is the one that is kept, there is nothing new. Whoever has the
 * server, or sits in front of it, can keep pins from coming, and can change none and bring back none: what is not had
 * leaves what is in force as it is, and is said. Knows no packets, and nothing here waits for anything but itself.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { type Claims, openDocument, parseClaims, type SignedDocument } from '../../fleet/signed-document.ts';
import { parsePublicKey } from '../../minisign/keys.ts';
import { MAX_SIGNATURE_FILE, trustedCommentOf } from '../../minisign/signature.ts';
import { joinKept, splitKept } from '../../pins/document/kept.ts';
import type { SignedPinsPolicy } from '../../pins/policy.ts';
import type { LiveConfiguration } from '../control/configuration.ts';
import type { ConditionCode } from '../protection/conditions.ts';
import type { Protection } from '../protection/protection.ts';

export interface SignedPinsOptions {
  readonly configuration: Pick<LiveConfiguration, 'policy' | 'contentOf' | 'changePins'>;
  readonly protection: Pick<Protection, 'hold'>;
}

export class SignedPins {
  readonly #options: SignedPinsOptions;
  /** On a clock that nobody sets. */
  #nextLook = 0;
  #isLooking = false;
  /** The section by which it was looked last. */
  #section = '';
  /** The signature of what was refused, and by which configuration, so that it is refused once. */
  #refused = '';

  constructor(options: SignedPinsOptions) {
    this.#options = options;
  }

  /** To be called each second. */
  look(): void {
    const { pins, hash } = this.#options.configuration.policy;
    const section = JSON.stringify(pins ?? null);
    if (section !== this.#section) {
      this.#section = section;
      this.#nextLook = 0;
      for (const code of CODES) this.#hold(code, pins, undefined);
    }
    if (pins === undefined) return;
    this.#tellWhatIsKept(pins);
    if (this.#isLooking || performance.now() < this.#nextLook) return;
    this.#isLooking = true;
    void this.#lookFor(pins, hash).then((found) => {
      this.#isLooking = false;
      // Many gateways shall not come at once.
      const wait = found ? pins.every : Math.min(pins.every, RETRY_MS);
      this.#nextLook = performance.now() + wait * (0.9 + Math.random() / 5);
    });
  }

  #tellWhatIsKept(pins: SignedPinsPolicy): void {
    const kept = this.#kept(pins);
    this.#hold('pins.missing', pins, kept === undefined ? `nothing was had yet of ${pins.url}` : undefined);
    if (kept === undefined) return;
    const { expires, version } = kept.claims;
    const end = new Date(expires).toISOString();
    const isOver = expires <= Date.now();
    this.#hold('pins.stale', pins, isOver ? `version ${version} of ${pins.name} was good until ${end}` : undefined);
  }

  /** Whether it could be asked. Never rejects. */
  async #lookFor(pins: SignedPinsPolicy, hash: string): Promise<boolean> {
    try {
      await this.#take(pins, hash);
      this.#hold('pins.unreachable', pins, undefined);
      return true;
    } catch (error) {
      this.#hold('pins.unreachable', pins, (error as Error).message);
      return false;
    }
  }

  async #take(pins: SignedPinsPolicy, hash: string): Promise<void> {
    const kept = this.#kept(pins);
    const signature = await fetchSignature(pins);
    if (signature === kept?.document.signature) return this.#refuse(pins, undefined);
    if (this.#refused === `${hash} ${signature}`) return;
    this.#refused = '';
    const found = await fetchSigned(pins, signature, kept);
    const error = 'error' in found ? found.error : await this.#adopt(pins, found);
    if (error !== null) this.#refused = `${hash} ${signature}`;
    this.#refuse(pins, error ?? undefined);
  }

  async #adopt(pins: SignedPinsPolicy, document: SignedDocument): Promise<string | null> {
    const { configuration } = this.#options;
    const { error, messages } = await configuration.changePins(`${pins.url}`, pins.file, joinKept(document));
    return error === null ? null : [error, ...messages.slice(0, MESSAGES)].join('; ');
  }

  #refuse(pins: SignedPinsPolicy, why: string | undefined): void {
    this.#hold('pins.refused', pins, why === undefined ? undefined : `${pins.url} is refused: ${why}`);
  }

  #kept({ file }: SignedPinsPolicy): Kept | undefined {
    const content = this.#options.configuration.contentOf(file);
    const document = content === undefined ? undefined : splitKept(content);
    const claims = document === undefined ? undefined : parseClaims(trustedCommentOf(document.signature) ?? '');
    return claims === undefined ? undefined : { document: document!, claims };
  }

  #hold(code: ConditionCode, pins: SignedPinsPolicy | undefined, detail: string | undefined): void {
    const isCurrent = JSON.stringify(pins ?? null) === this.#section;
    if (isCurrent) this.#options.protection.hold(code, new Map(detail === undefined ? [] : [[pins!.name, detail]]));
  }
}

interface Kept {
  readonly document: SignedDocument;
  readonly claims: Claims;
}

async function fetchSignature({ url, ca }: SignedPinsPolicy): Promise<string> {
  const { fetchOctets } = await import('./fetching.ts');
  const beside = new URL(url);
  beside.pathname += '.minisig';
  const octets = await fetchOctets(beside, { ca, mostOctets: MAX_SIGNATURE_FILE, patienceMs: PATIENCE_MS });
  return `${octets.toString().trimEnd()}\n`;
}

/** Somebody may be about to put both there: what does not fit is asked for once more. */
async function fetchSigned(
  pins: SignedPinsPolicy,
  signature: string,
  kept: Kept | undefined,
): Promise<SignedDocument | { readonly error: string }> {
  const first = opened(pins, { bytes: await fetchDocument(pins), signature }, kept);
  if (!('error' in first)) return first;
  await sleep(AGAIN_MS);
  const again = await fetchSignature(pins);
  return opened(pins, { bytes: await fetchDocument(pins), signature: again }, kept);
}

async function fetchDocument({ url, ca }: SignedPinsPolicy): Promise<Uint8Array> {
  const { fetchOctets } = await import('./fetching.ts');
  return fetchOctets(new URL(url), { ca, mostOctets: MOST_OCTETS, patienceMs: PATIENCE_MS });
}

function opened({ name, trustedKeys }: SignedPinsPolicy, document: SignedDocument, kept: Kept | undefined) {
  const trusted = trustedKeys.map((line) => parsePublicKey(line)).filter((key) => 'key' in key);
  const before = kept?.claims.version ?? 0;
  const found = openDocument(document, { name, trusted, version: before, nowMs: Date.now() });
  if ('error' in found) return found;
  const isOther = found.claims.version === before && Buffer.compare(document.bytes, kept!.document.bytes) !== 0;
  return isOther ? { error: `it is version ${before} with another content than the one that was taken` } : document;
}

const CODES: readonly ConditionCode[] = ['pins.missing', 'pins.stale', 'pins.unreachable', 'pins.refused'];
const MOST_OCTETS = 16 * 1024 * 1024;
const PATIENCE_MS = 30_000;
/** Where the server could not be asked. */
const RETRY_MS = 30_000;
const AGAIN_MS = 1_000;
/** Of what is wrong with a document, in its condition. */
const MESSAGES = 3;
