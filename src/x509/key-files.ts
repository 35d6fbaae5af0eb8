/**
 * Whatever a file may hold that has a public key: certificates, alone or in PKCS#7 (RFC 2315, RFC 5652), requests for
 * one (PKCS#10, RFC 2986) and bare public keys; in PEM (RFC 7468), any number and in any mixture, or in DER, one behind
 * the other. For operators' files only: what is wrong with one is thrown, in a sentence.
 */
import { createPublicKey } from 'node:crypto';

import { type AsnType, Constructed, fromBER, ObjectIdentifier, Sequence } from 'asn1js';

import { DerReader, oidText, TAG } from './der.ts';
import { readName } from './distinguished-name.ts';
import { readExtensionList } from './extensions.ts';
import { subjectNamesOf } from './name-check.ts';
import { outlineOf } from './outline.ts';
import { readPem } from './pem.ts';
import { readSpki } from './spki.ts';

export type KeyMaterial =
  | { readonly kind: 'certificate'; readonly der: Uint8Array }
  | {
      readonly kind: 'request';
      readonly spki: Uint8Array;
      /** As certificates' subjects are written. */
      readonly subject: string | null;
      /** DNS names that are asked for. */
      readonly names: readonly string[];
    }
  | { readonly kind: 'public-key'; readonly spki: Uint8Array };

/** In the order of the file; those of a PKCS#7 set, which has none, from the leaf up. Never empty. */
export function readKeyFile(bytes: Uint8Array): KeyMaterial[] {
  const blocks = readPem(bytes);
  const found = blocks.length > 0 ? blocks.flatMap(ofPem) : ofDer(bytes);
  if (found.length === 0) throw new Error('this file holds no certificate, request or public key in PEM or DER');
  return found;
}

/** From the leaf up, as far as names tell; the others behind, as they came. */
export function orderChain(certificates: readonly Uint8Array[]): Uint8Array[] {
  const left = certificates.map((der) => ({ der, names: namesOf(der) }));
  const issues = (name: string | undefined, but: object) =>
    left.some((one) => one !== but && one.names?.issuer === name);
  const chain: Uint8Array[] = [];
  let at = left.findIndex((one) => !issues(one.names?.subject, one));
  while (at >= 0) {
    const [{ der, names }] = left.splice(at, 1) as [(typeof left)[0]];
    chain.push(der);
    at = left.findIndex((one) => names !== undefined && one.names?.subject === names.issuer);
  }
  return [...chain, ...left.map(({ der }) => der)];
}

function ofPem({ label, der }: { label: string; der: Uint8Array }): KeyMaterial[] {
  switch (label) {
    case 'CERTIFICATE':
    case 'X509 CERTIFICATE':
      return [{ kind: 'certificate', der }];
    // What OpenSSL trusts the certificate for follows it.
    case 'TRUSTED CERTIFICATE':
      return elementsOf(der)
        .slice(0, 1)
        .map((first) => ({ kind: 'certificate', der: first }));
    case 'CERTIFICATE REQUEST':
    case 'NEW CERTIFICATE REQUEST':
      return [readRequest(der) ?? unreadable(label)];
    case 'PUBLIC KEY':
      return [{ kind: 'public-key', spki: readSpki(der) === null ? unreadable(label) : der }];
    case 'RSA PUBLIC KEY':
      return [{ kind: 'public-key', spki: spkiOfRsa(der) ?? unreadable(label) }];
    case 'PKCS7':
    case 'PKCS #7 SIGNED DATA':
    case 'CMS':
      return fromSet(certificatesOfPkcs7(der) ?? unreadable(label));
    default:
      if (label.endsWith('PRIVATE KEY')) {
        throw new Error("a private key should be nobody else's to read: give its public half (openssl pkey -pubout)");
      }
      // Parameters, revocation lists and the like have no key.
      return [];
  }
}

function ofDer(bytes: Uint8Array): KeyMaterial[] {
  if (bytes[0] !== CONSTRUCTED_SEQUENCE) return [];
  const set = certificatesOfPkcs7(bytes);
  if (set !== undefined) return fromSet(set);
  const elements = elementsOf(bytes);
  // Some certificates are read by clients and not by a strict walk: they still have digests.
  if (elements.length === 0) return [{ kind: 'certificate', der: new Uint8Array(bytes) }];
  return elements.map(ofElement);
}

function ofElement(der: Uint8Array): KeyMaterial {
  if (outlineOf(der) !== null) return { kind: 'certificate', der };
  if (readSpki(der) !== null) return { kind: 'public-key', spki: der };
  const rsa = spkiOfRsa(der);
  if (rsa !== undefined) return { kind: 'public-key', spki: rsa };
  return readRequest(der) ?? { kind: 'certificate', der };
}

/** Whole elements that follow each other; empty where something else is among them. */
function elementsOf(bytes: Uint8Array): Uint8Array[] {
  const reader = new DerReader(bytes);
  const elements: Uint8Array[] = [];
  while (reader.more()) elements.push(new Uint8Array(reader.whole(reader.expect(TAG.sequence))));
  return reader.atEnd() ? elements : [];
}

/** RFC 2986 §4. */
function readRequest(der: Uint8Array): KeyMaterial | undefined {
  const top = new DerReader(der);
  const request = top.enter(TAG.sequence);
  const info = request.enter(TAG.sequence);
  request.expect(TAG.sequence);
  request.expect(TAG.bitString);
  request.finish();
  top.finish();
  info.expect(TAG.integer);
  const subject = info.whole(info.expect(TAG.sequence));
  const spki = info.whole(info.expect(TAG.sequence));
  const attributes = info.optional(ATTRIBUTES);
  info.finish();
  if (!top.ok || readSpki(spki) === null) return undefined;
  const names = attributes === undefined ? [] : requestedNames(info.content(attributes));
  return { kind: 'request', spki: new Uint8Array(spki), subject: readName(subject)?.text ?? null, names };
}

/** RFC 2985 §5.4.2: extensionRequest. */
function requestedNames(attributes: Uint8Array): readonly string[] {
  const reader = new DerReader(attributes);
  while (reader.more()) {
    const attribute = reader.enter(TAG.sequence);
    const type = oidText(attribute.content(attribute.expect(TAG.oid)));
    const values = attribute.enter(TAG.set);
    if (type !== EXTENSION_REQUEST) continue;
    const list = values.whole(values.expect(TAG.sequence));
    const extensions = reader.ok ? readExtensionList(list) : null;
    return extensions === null ? [] : subjectNamesOf(extensions).dns;
  }
  return [];
}

/** RFC 8017 §A.1.1: the algorithm is understood. */
function spkiOfRsa(der: Uint8Array): Uint8Array | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(der), format: 'der', type: 'pkcs1' });
    return new Uint8Array(key.export({ format: 'der', type: 'spki' }));
  } catch {
    return undefined;
  }
}

/** RFC 5652 §5.1: SignedData's certificates, also in BER with indefinite lengths. Undefined for what is none. */
function certificatesOfPkcs7(der: Uint8Array): Uint8Array[] | undefined {
  const contentInfo = decodeBer(der);
  if (!(contentInfo instanceof Sequence)) return undefined;
  const [type, content] = contentInfo.valueBlock.value;
  if (!(type instanceof ObjectIdentifier) || type.valueBlock.toString() !== SIGNED_DATA) return undefined;
  const signedData = content instanceof Constructed ? content.valueBlock.value[0] : undefined;
  if (!(signedData instanceof Sequence)) return undefined;
  const set = signedData.valueBlock.value.find(
    ({ idBlock }) => idBlock.tagClass === CONTEXT_SPECIFIC && idBlock.tagNumber === 0,
  );
  const certificates = set instanceof Constructed ? set.valueBlock.value : [];
  // The other choices of CertificateChoices are tagged.
  return certificates.filter((one) => one instanceof Sequence).map((one) => new Uint8Array(one.valueBeforeDecodeView));
}

function decodeBer(der: Uint8Array): AsnType | undefined {
  try {
    const { offset, result } = fromBER(der, LIMITS);
    return offset < 0 ? undefined : result;
  } catch {
    return undefined;
  }
}

function fromSet(certificates: readonly Uint8Array[]): KeyMaterial[] {
  return orderChain(certificates).map((der) => ({ kind: 'certificate', der }));
}

/** The octets of the names, to be compared. */
function namesOf(der: Uint8Array): { subject: string; issuer: string } | undefined {
  const outline = outlineOf(der);
  if (outline === null) return undefined;
  const octets = (which: 'subject' | 'issuer') =>
    Buffer.from(der.subarray(outline[which].start, outline[which].end)).toString('latin1');
  return { subject: octets('subject'), issuer: octets('issuer') };
}

function unreadable(label: string): never {
  throw new Error(`this "${label}" is damaged: its DER cannot be read`);
}

const CONSTRUCTED_SEQUENCE = 0x30;
const ATTRIBUTES = 0xa0;
const CONTEXT_SPECIFIC = 3;
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const SIGNED_DATA = '1.2.840.113549.1.7.2';
const LIMITS = { maxDepth: 64, maxNodes: 200_000, parseEmbedded: false };
