import { describe, expect, it } from 'vitest';
import { extensionsOf } from '../../src/x509/extensions.ts';
import { carriesName, matchesDnsName, subjectNamesOf } from '../../src/x509/name-check.ts';
import { outlineOf } from '../../src/x509/outline.ts';
import { certificate } from '../support/certificates.ts';

function namesOf(fixture: string) {
  const der = certificate(fixture);
  return subjectNamesOf(extensionsOf(der, outlineOf(der)!)!);
}

describe('matchesDnsName (RFC 9525)', () => {
  it.each([
    ['www.bank.example', 'www.bank.example'],
    ['WWW.bank.EXAMPLE', 'www.Bank.example'],
    ['www.bank.example.', 'www.bank.example'],
    ['*.bank.example', 'www.bank.example'],
    ['*.bank.example', '*.bank.example'],
    ['cdn1.bank.example', '*.bank.example'],
    ['_srv.bank.example', '_srv.bank.example'],
    ['*.bank.example', 'xn--bcher-kva.bank.example'],
    ['localhost', 'localhost'],
  ])('%s is for %s', (presented, reference) => {
    expect(matchesDnsName(presented, reference)).toBe(true);
  });

  it.each([
    ['bank.example', 'www.bank.example'],
    ['*.bank.example', 'bank.example'],
    ['*.bank.example', 'a.b.bank.example'],
    ['*.*.example', 'a.b.example'],
    ['w*.bank.example', 'www.bank.example'],
    ['*w.bank.example', 'www.bank.example'],
    ['www.*.example', 'www.bank.example'],
    ['*.example', 'bank.example'],
    ['*', 'localhost'],
    ['*.bank.example', '*.a.bank.example'],
    ['www.bank.example\0.evil.example', 'www.bank.example'],
    ['www.bank.example\0.evil.example', 'www.bank.example\0.evil.example'],
    ['', ''],
    ['a..b', 'a..b'],
    ['-a.example', '-a.example'],
    ['bücher.example', 'bücher.example'],
    [`${'a.'.repeat(127)}example`, `${'a.'.repeat(127)}example`],
  ])('%j is not for %j', (presented, reference) => {
    expect(matchesDnsName(presented, reference)).toBe(false);
  });
});

describe('carriesName', () => {
  it('reads the alternative names', () => {
    expect(carriesName(namesOf('leaf'), ['bank.example'])).toBe(true);
    expect(carriesName(namesOf('leaf'), ['other.example', 'www.bank.example'])).toBe(true);
    expect(carriesName(namesOf('leaf'), ['evil.example'])).toBe(false);
    expect(carriesName(namesOf('leaf'), [])).toBe(false);
  });

  it('never reads the common name', () => {
    expect(carriesName(namesOf('leaf-no-san'), ['www.bank.example'])).toBe(false);
    expect(carriesName(namesOf('leaf-names'), ['cn-only.example'])).toBe(false);
  });

  it('compares addresses as octets and only with addresses', () => {
    const names = namesOf('leaf-names');
    expect(carriesName(names, ['192.0.2.7'])).toBe(true);
    expect(carriesName(names, ['2001:DB8:0::7'])).toBe(true);
    expect(carriesName(names, ['192.0.2.8'])).toBe(false);
    expect(carriesName({ dns: ['192.0.2.7'], ip: [] }, ['192.0.2.7'])).toBe(false);
  });

  it('a NUL ends no name', () => {
    expect(namesOf('leaf-nul').dns).toEqual(['www.bank.example\0.evil.example']);
    expect(carriesName(namesOf('leaf-nul'), ['www.bank.example'])).toBe(false);
  });
});
