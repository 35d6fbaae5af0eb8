import { describe, expect, it } from 'vitest';
import { factsOf } from '../../src/x509/facts.ts';
import type { CertificateFacts } from '../../src/x509/facts.ts';
import { Budget, BUDGET } from '../../src/x509/path/budget.ts';
import { constrainedNamesOf, permitsNames } from '../../src/x509/path/name-constraints.ts';
import { certificate } from '../support/certificates.ts';

function element(tag: number, ...contents: Uint8Array[]): Uint8Array {
  const content = Buffer.concat(contents);
  const length = content.length;
  const header = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...header]), content]);
}

const dns = (name: string) => element(0x82, Buffer.from(name, 'latin1'));
const subtrees = (tag: number, names: Uint8Array[]) => element(tag, ...names.map((name) => element(0x30, name)));

/** A certificate that has nothing but this extension. */
function withExtension(oid: string, value: Uint8Array, fixture = 'leaf-empty'): CertificateFacts {
  const facts = factsOf(certificate(fixture))!;
  return { ...facts, extensions: new Map([[oid, { critical: true, value }]]) };
}
const leafWith = (...names: string[]) => withExtension('2.5.29.17', element(0x30, ...names.map(dns)));
const issuerWith = (...lists: Uint8Array[]) => withExtension('2.5.29.30', element(0x30, ...lists));
const permitting = (...names: string[]) => issuerWith(subtrees(0xa0, names.map(dns)));
const excluding = (...names: string[]) => issuerWith(subtrees(0xa1, names.map(dns)));

const permits = (issuer: CertificateFacts, leaf: CertificateFacts, budget = new Budget()) =>
  permitsNames(issuer, constrainedNamesOf(leaf), budget);

describe('permitsNames (RFC 5280 §4.2.1.10)', () => {
  it.each([
    ['the name itself', 'bank.example', 'bank.example'],
    ['a name below it', 'bank.example', 'a.b.bank.example'],
    ['in any case', 'BANK.example', 'www.Bank.Example'],
    ['every name by the empty constraint', '', 'www.bank.example'],
    ['below, not the name itself, by a leading dot', '.bank.example', 'www.bank.example'],
    ['a wildcard below it', 'bank.example', '*.bank.example'],
  ])('permits %s', (_what, constraint, name) => {
    expect(permits(permitting(constraint), leafWith(name))).toBe(true);
    expect(permits(excluding(constraint), leafWith(name))).toBe(false);
  });

  it.each([
    ['a name that only ends alike', 'bank.example', 'notbank.example'],
    ['the name above', 'www.bank.example', 'bank.example'],
    ['the name itself by a leading dot', '.bank.example', 'bank.example'],
  ])('does not take %s for one below', (_what, constraint, name) => {
    expect(permits(permitting(constraint), leafWith(name))).toBe(false);
    expect(permits(excluding(constraint), leafWith(name))).toBe(true);
  });

  it('every name must be permitted, by one of the subtrees', () => {
    const issuer = permitting('a.example', 'b.example');
    expect(permits(issuer, leafWith('x.a.example', 'b.example'))).toBe(true);
    expect(permits(issuer, leafWith('x.a.example', 'c.example'))).toBe(false);
  });

  it('what is excluded is not permitted', () => {
    const issuer = issuerWith(subtrees(0xa0, [dns('example')]), subtrees(0xa1, [dns('a.example')]));
    expect(permits(issuer, leafWith('b.example'))).toBe(true);
    expect(permits(issuer, leafWith('a.example'))).toBe(false);
    expect(permits(issuer, leafWith('*.example'))).toBe(false);
  });

  it.each([
    ['a minimum', element(0x30, dns('example'), element(0x80, Buffer.from([1])))],
    ['a maximum', element(0x30, dns('example'), element(0x81, Buffer.from([1])))],
  ])('refuses a subtree with %s', (_what, subtree) => {
    expect(permits(issuerWith(element(0xa1, subtree)), leafWith('other.test'))).toBe(false);
  });

  it('refuses what is not well formed', () => {
    const value = Buffer.concat([element(0x30, subtrees(0xa1, [dns('a')])), Buffer.from([0])]);
    expect(permits(withExtension('2.5.29.30', value), leafWith('other.test'))).toBe(false);
  });

  it('refuses what is not well formed inside', () => {
    const noName = element(0xa4, Buffer.from('0500', 'hex'));
    expect(permits(issuerWith(subtrees(0xa1, [noName])), leafWith('other.test'))).toBe(false);
  });

  it('counts what is compared, and beyond the budget compares nothing', () => {
    const many = Array.from({ length: 400 }, (_, i) => `n${i}.example`);
    const budget = new Budget();
    // The fixture's leaf has an empty subject.
    expect(permits(permitting('example'), leafWith(...many), budget)).toBe(true);
    expect(budget).toMatchObject({ spent: { comparisons: 400 }, exhausted: false });
    expect(permits(permitting('example', ...many.slice(1)), leafWith(...many), budget)).toBe(true);
    expect(budget.spent.comparisons).toBe(400 + 400 * 400);
    expect(permits(permitting('example', ...many), leafWith(...many), budget)).toBe(false);
    expect(budget).toMatchObject({ spent: { comparisons: 400 + 400 * 400 }, exhausted: 'comparisons' });
    expect(budget.spent.comparisons).toBeLessThanOrEqual(BUDGET.comparisons);
  });
});
