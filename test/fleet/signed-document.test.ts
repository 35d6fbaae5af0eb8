/** Signed documents: taken for what they say they are, and for nothing else. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { openDocument, parseClaims, signDocument } from '../../src/fleet/signed-document.ts';
import { createKeyFiles, parseSecretKey, type SecretKey } from '../../src/minisign/keys.ts';
import { createSignature } from '../../src/minisign/signature.ts';

const NOW = Date.parse('2026-06-01T00:00:00Z');
const EXPIRES = Date.parse('2027-01-01T00:00:00Z');
const BYTES = Buffer.from('{ "version": 1 }\n');
const secret = parseSecretKey(createKeyFiles().secret) as SecretKey;
const expected = { name: 'bank', trusted: [secret.publicKey], version: 0, nowMs: NOW };

describe('a signed document', () => {
  const document = signDocument(BYTES, secret, { name: 'bank', version: 7, expires: EXPIRES });

  it('is taken, and says what it is', () => {
    expect(openDocument(document, expected)).toMatchObject({
      claims: { name: 'bank', version: 7, expires: EXPIRES },
      by: { id: secret.publicKey.id },
    });
  });

  it('is no other one, no older one, and not for ever', () => {
    const refusal = (change: object) => openDocument(document, { ...expected, ...change });
    expect(refusal({ name: 'shop' })).toEqual({ error: 'it is named bank, and shop was expected' });
    expect(refusal({ version: 8 })).toEqual({ error: 'it is version 7, and version 8 was taken before' });
    expect(refusal({ version: 7 })).toHaveProperty('claims');
    expect(refusal({ nowMs: EXPIRES })).toEqual({ error: 'it expired at 2027-01-01T00:00:00Z' });
    expect(refusal({ nowMs: EXPIRES - 1 })).toHaveProperty('claims');
    expect(refusal({ trusted: [] })).toHaveProperty('error');
  });

  it('is refused where its comment says too little, although the key is right', () => {
    const signature = createSignature(BYTES, secret, 'timestamp:1 file:bank.json');
    expect(openDocument({ bytes: BYTES, signature }, expected)).toEqual({
      error: expect.stringContaining('trusted comment does not say') as string,
    });
  });

  it('carries further fields', () => {
    const others = new Map([['canary', 'berlin']]);
    const signed = signDocument(BYTES, secret, { name: 'bank', version: 1, expires: EXPIRES, others });
    expect(openDocument(signed, expected)).toMatchObject({ claims: { others } });
  });

  it('is not signed with claims that could not be read again', () => {
    const sign = (change: object) => () =>
      signDocument(BYTES, secret, { name: 'bank', version: 1, expires: EXPIRES, ...change });
    expect(sign({ name: 'a b' })).toThrow('cannot be said');
    expect(sign({ version: 0 })).toThrow('cannot be said');
    expect(sign({ others: new Map([['name', 'shop']]) })).toThrow('cannot be said');
  });
});

describe('claims', () => {
  it.each([
    ['', 'nothing'],
    ['name=bank version=1', 'no expiry'],
    ['name=bank version=0 expires=2027-01-01', 'a version that is none'],
    ['name=bank version=1e3 expires=2027-01-01', 'a version in another spelling'],
    ['name=bank version=99999999999999999 expires=2027-01-01', 'a version beyond what can be counted'],
    ['name=bank name=shop version=1 expires=2027-01-01', 'a name twice'],
    ['name=../bank version=1 expires=2027-01-01', 'a name that is a path'],
    ['name=bank version=1 expires=2027-02-31', 'a day that is none'],
    ['name=bank version=1 expires=2027-01-01 and more', 'a word that is no field'],
  ])('%j are refused: %s', (comment) => {
    expect(parseClaims(comment)).toBeUndefined();
  });

  it('are of two spellings of a date', () => {
    expect(parseClaims('name=bank version=1 expires=2027-01-01')?.expires).toBe(EXPIRES);
    expect(parseClaims('name=bank version=1 expires=2027-01-01T00:00:00Z')?.expires).toBe(EXPIRES);
  });

  it('may be anything', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (comment) => void parseClaims(comment)));
  });
});
