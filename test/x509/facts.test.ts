import { randomBytes } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { factsOf } from '../../src/x509/facts.ts';
import { certificate } from '../support/certificates.ts';

describe('what is known of certificates', () => {
  const der = certificate('leaf-empty');

  it('is read once, while few others come', () => {
    const facts = factsOf(der);
    expect(facts).not.toBeNull();
    for (let i = 0; i < 4; i++) factsOf(randomBytes(LONG));
    expect(factsOf(der)).toBe(facts);
  });

  it('gives way to others by their octets: long ones do not fill memory before they are many', () => {
    const facts = factsOf(der);
    for (let i = 0; i < 40; i++) factsOf(randomBytes(LONG));
    expect(factsOf(der)).not.toBe(facts);
    expect(factsOf(der)).toEqual(facts);
  });
});

/** As long as a message of the handshake lets one be. */
const LONG = 256 * 1024;
