/** Policies that follow one another share what has not changed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { packPolicy } from '../../../src/pins/match/pack.ts';
import { completed, reusing } from '../../../src/pins/match/reuse.ts';
import type { Policy } from '../../../src/pins/policy.ts';
import { PIN_A, PIN_B, policyOf } from '../../support/configuration.ts';

const documentOf = (changed: object = {}) => ({
  version: 1,
  lists: { bad: { entries: ['a'.repeat(40)] } },
  pinsets: [
    { name: 'a', match: { hosts: ['a.example'] }, pins: [PIN_A] },
    { name: 'b', match: { hosts: ['b.example'] }, pins: [PIN_A], deny: ['@bad'], ...changed },
  ],
});
const before = policyOf(documentOf());

describe('a policy', () => {
  it('has of the one before it the very pinsets and lists that are as they were', () => {
    const after = reusing(policyOf(documentOf({ pins: [PIN_B] })), before);
    expect(after.pinsets[0]).toBe(before.pinsets[0]);
    expect(after.lists[0]).toBe(before.lists[0]);
    expect(after.pinsets[1]).not.toBe(before.pinsets[1]);
  });

  it.each([
    ['pinset', { mode: 'report-only' }],
    ['pin', { pins: [{ pin: PIN_A, role: 'backup' }] }],
    ['match', { match: { hosts: ['b.example'], ports: [8443] } }],
    ['situation', { tls13: 'deny' }],
  ])('says what it says, whatever is another %s', (_, changed) => {
    const policy = policyOf(documentOf(changed));
    expect(reusing(policy, before)).toEqual(policy);
    expect(policy.pinsets[1]).not.toEqual(before.pinsets[1]);
  });

  it.each([
    ['entries', { bad: { entries: ['b'.repeat(40)] } }],
    ['terms', { bad: { entries: ['a'.repeat(40)], writable: true } }],
    ['number', { bad: { entries: ['a'.repeat(40), 'b'.repeat(40)] } }],
  ])('says what it says, whatever are other %s of a list', (_, lists) => {
    const policy = policyOf({ ...documentOf(), lists });
    expect(reusing(policy, before)).toEqual(policy);
  });

  it('in another order has its own positions', () => {
    const document = documentOf();
    const policy = policyOf({ ...document, pinsets: document.pinsets.reverse() });
    expect(reusing(policy, before)).toEqual(policy);
  });

  it('has the very bundle of trusted certificates that was there, whatever else of a pinset is another', () => {
    const pem = readFileSync(join(import.meta.dirname, '../../../fixtures/certs/root.pem'));
    const trusting = (changed: object) =>
      policyOf(documentOf({ checks: { trust: 'roots.pem' }, ...changed }), { 'roots.pem': pem });
    const first = trusting({});
    const next = reusing(trusting({ mode: 'report-only' }), first);
    const trustOf = ({ pinsets }: Policy) => pinsets[1]!.situations.checks.trust;
    expect(trustOf(first)).toHaveLength(1);
    expect(trustOf(next)).toBe(trustOf(first));
    expect(next).toEqual(trusting({ mode: 'report-only' }));
    const { change } = packPolicy(trusting({ tls13: 'deny' }), packPolicy(first).packed);
    const told = completed(structuredClone(change.policy!), first);
    expect(trustOf({ ...told, hash: '' })).toBe(trustOf(first));
  });
});
