import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { matchDeny, matchPins, matchRule } from '../../../src/pins/match/match.ts';
import { PinIndex } from '../../../src/pins/match/pin-index.ts';
import type { CompiledPin, CompiledRule } from '../../../src/pins/policy.ts';
import { presentCertificate } from '../../../src/x509/presented.ts';
import type { PresentedCertificate } from '../../../src/x509/presented.ts';
import { certificate } from '../../support/certificates.ts';
import { counting } from '../../support/counting.ts';
import { pin, pinset, rule } from '../../support/policy.ts';

const present = (name: string) => presentCertificate(certificate(name));
const leaf = present('leaf');
const inter = present('inter');
const root = present('root');
const other = present('other');
const chain = [leaf, inter];
const NOW = Date.UTC(2026, 0, 1);

const withPins = (...pins: CompiledPin[]) => pinset(0, { pins });
const spki = (c: PresentedCertificate, more: Partial<CompiledPin> = {}) => pin('spki-sha256', c.spkiSha256!, more);

describe('a pin on the leaf', () => {
  it.each([
    ['cert-sha1', leaf.sha1],
    ['cert-sha256', leaf.sha256],
    ['cert', leaf.sha256],
    ['spki-sha256', leaf.spkiSha256!],
    ['spki', leaf.spkiSha256!],
    ['key', leaf.key!],
  ] as const)('matches by %s', (kind, key) => {
    const wanted = pin(kind, key);
    expect(matchPins(withPins(wanted), chain, NOW)).toEqual({ kind: 'leaf', pin: wanted });
    expect(matchPins(withPins(wanted), [other, inter], NOW)).toEqual({ kind: 'mismatch' });
  });

  it('is not satisfied by the genuine certificate behind a forged leaf', () => {
    for (const wanted of [pin('cert-sha256', leaf.sha256), pin('key', leaf.key!), pin('cert-sha1', leaf.sha1)]) {
      expect(matchPins(withPins(wanted), [other, leaf], NOW)).toEqual({ kind: 'mismatch' });
    }
  });

  it('an SPKI pin found behind the leaf is only a candidate', () => {
    const wanted = spki(leaf);
    expect(matchPins(withPins(wanted), [other, inter, leaf], NOW)).toEqual({
      kind: 'path',
      candidates: [{ pin: wanted, index: 2 }],
      anchors: [],
    });
  });

  it('a backup pin serves where no primary one does', () => {
    const backup = spki(leaf, { role: 'backup' });
    const primary = pin('key', leaf.key!);
    expect(matchPins(withPins(backup), chain, NOW)).toEqual({ kind: 'leaf', pin: backup });
    expect(matchPins(withPins(backup, primary), chain, NOW)).toEqual({ kind: 'leaf', pin: primary });
  });

  it('a place above the leaf is not the leaf', () => {
    expect(matchPins(withPins(spki(leaf, { at: 'ca' })), chain, NOW)).toEqual({ kind: 'mismatch' });
  });

  it('a certificate whose key no walk finds matches certificate pins only', () => {
    const broken = presentCertificate(new Uint8Array([...leaf.der, 0]));
    expect(matchPins(withPins(pin('cert-sha256', broken.sha256)), [broken], NOW).kind).toBe('leaf');
    expect(matchPins(withPins(spki(leaf), pin('key', leaf.key!)), [broken], NOW)).toEqual({ kind: 'mismatch' });
  });

  it('compares the curve', () => {
    const [, point] = present('leaf-p256').key!.split(':');
    const wrongCurve = pin('key', `ec(secp256k1):${point}`);
    expect(matchPins(withPins(wrongCurve), [present('leaf-p256')], NOW)).toEqual({ kind: 'mismatch' });
  });

  it('nothing presented is a mismatch', () => {
    expect(matchPins(withPins(spki(leaf)), [], NOW)).toEqual({ kind: 'mismatch' });
  });
});

describe('a pin above the leaf', () => {
  it.each(['ca', 'path'] as const)('with place %s is a candidate for the verified path', (at) => {
    const wanted = spki(inter, { at });
    expect(matchPins(withPins(wanted), chain, NOW)).toEqual({
      kind: 'path',
      candidates: [{ pin: wanted, index: 1 }],
      anchors: [],
    });
  });

  it('a whole certificate that issued a presented one may close the path', () => {
    const anchor = pin('cert', root.sha256, { at: 'ca', der: root.der });
    expect(matchPins(withPins(anchor), chain, NOW)).toEqual({
      kind: 'path',
      candidates: [],
      anchors: [{ pin: anchor, der: root.der }],
    });
  });

  it('a trusted certificate that nobody sent may close it, over others that are trusted', () => {
    const wanted = spki(root);
    const trusting = (...names: string[]) => {
      const made = withPins(wanted);
      const checks = { ...made.situations.checks, trust: names.map(certificate) };
      return { ...made, situations: { ...made.situations, checks } };
    };
    const closed = { kind: 'path', candidates: [], anchors: [{ pin: wanted, der: root.der }] };
    expect(matchPins(trusting('root', 'other'), chain, NOW)).toEqual(closed);
    expect(matchPins(trusting('root', 'inter'), [leaf], NOW)).toEqual(closed);
    expect(matchPins(trusting('root'), [leaf], NOW)).toEqual({ kind: 'mismatch' });
    expect(matchPins(trusting('inter'), chain, NOW)).toEqual({ kind: 'mismatch' });
  });

  it('a whole certificate that issued none of them cannot', () => {
    const stranger = present('root2');
    const anchor = pin('cert', stranger.sha256, { at: 'ca', der: stranger.der });
    expect(matchPins(withPins(anchor), chain, NOW)).toEqual({ kind: 'mismatch' });
  });

  it('a whole certificate that was presented is a candidate, not an anchor', () => {
    const anchor = pin('cert', root.sha256, { at: 'ca', der: root.der });
    expect(matchPins(withPins(anchor), [leaf, inter, root], NOW)).toEqual({
      kind: 'path',
      candidates: [{ pin: anchor, index: 2 }],
      anchors: [],
    });
  });

  it('a whole certificate for the leaf only is no anchor', () => {
    const anchor = pin('cert', root.sha256, { at: 'leaf', der: root.der });
    expect(matchPins(withPins(anchor), chain, NOW)).toEqual({ kind: 'mismatch' });
  });
});

describe('dates', () => {
  it('a pin serves from notBefore on and until it expires', () => {
    const wanted = pin('key', leaf.key!, { notBefore: NOW, expires: NOW + 10 });
    const at = (ms: number) => matchPins(withPins(wanted), chain, ms).kind;
    expect([at(NOW - 1), at(NOW), at(NOW + 9), at(NOW + 10)]).toEqual(['unusable', 'leaf', 'leaf', 'unusable']);
  });

  it('a pin out of date does not match while others are usable', () => {
    const old = pin('key', leaf.key!, { expires: NOW });
    expect(matchPins(withPins(old, pin('key', other.key!)), chain, NOW)).toEqual({ kind: 'mismatch' });
  });

  it('an anchor out of date closes no path', () => {
    const anchor = pin('cert', root.sha256, { at: 'ca', der: root.der, expires: NOW });
    expect(matchPins(withPins(anchor, pin('key', other.key!)), chain, NOW)).toEqual({ kind: 'mismatch' });
  });

  it('some pin is usable exactly when one of their times holds', () => {
    const time = fc.option(fc.integer({ min: 0, max: 20 }));
    fc.assert(
      fc.property(fc.array(fc.tuple(time, time), { maxLength: 6 }), fc.integer({ min: -1, max: 21 }), (times, now) => {
        const pins = times.map(([notBefore, expires], i) => pin('key', `rsa:${i}`, { notBefore, expires }));
        const expected = times.some(([from, until]) => (from ?? -1) <= now && now < (until ?? 99));
        expect(new PinIndex(pins).usableAt(now)).toBe(expected);
      }),
    );
  });
});

describe('deny pins', () => {
  const denying = (...deny: CompiledPin[]) => pinset(0, { pins: [], deny });

  it('with place any deny whatever was presented', () => {
    const denied = pin('cert-sha1', inter.sha1, { at: 'any' });
    expect(matchDeny(denying(denied), [leaf, other, inter], NOW)).toBe(denied);
    expect(matchDeny(denying(denied), [leaf, other], NOW)).toBeUndefined();
  });

  it('keep to their place', () => {
    const onLeaf = pin('cert-sha1', inter.sha1, { at: 'leaf' });
    const above = pin('cert-sha1', leaf.sha1, { at: 'ca' });
    expect(matchDeny(denying(onLeaf, above), chain, NOW)).toBeUndefined();
    expect(matchDeny(denying(onLeaf), [inter], NOW)).toBe(onLeaf);
    expect(matchDeny(denying(above), [other, leaf], NOW)).toBe(above);
  });

  it('keep to their dates', () => {
    const expired = pin('cert-sha1', leaf.sha1, { at: 'any', expires: NOW });
    expect(matchDeny(denying(expired), chain, NOW)).toBeUndefined();
  });
});

describe('rules', () => {
  const lists = new Map([['0', new PinIndex([pin('cert-sha1', leaf.sha1, { at: 'any' })])]]);
  const fpl = (inverted: boolean) => rule(0, { kind: 'fpl', list: '0', inverted });
  const test = (r: CompiledRule, certificates: PresentedCertificate[]) =>
    matchRule(r, certificates, lists) !== undefined;

  it('fpl "0" is true if any presented certificate is listed', () => {
    expect(test(fpl(false), [leaf, inter])).toBe(true);
    expect(test(fpl(false), [other, leaf])).toBe(true);
    expect(test(fpl(false), [other, inter])).toBe(false);
    expect(test(fpl(false), [])).toBe(false);
  });

  it('fpl "!0" is true unless the leaf is listed: the genuine one behind a forged leaf does not help', () => {
    expect(test(fpl(true), [leaf, inter])).toBe(false);
    expect(test(fpl(true), [other, leaf])).toBe(true);
    expect(test(fpl(true), [])).toBe(true);
  });

  it('name the rule, its list and the entry that was found there', () => {
    const entry = `cert-sha1:${leaf.sha1}`;
    expect(matchRule({ ...fpl(false), index: 3 }, [other, leaf], lists)).toEqual({ index: 3, list: '0', entry });
    expect(matchRule(rule(1, { kind: 'pubkey', key: leaf.key!, inverted: false }), chain, lists)).toEqual({
      index: 1,
      list: null,
      entry: null,
    });
  });

  it('a list that does not exist holds nothing', () => {
    expect(matchRule(fpl(false), chain, new Map())).toBeUndefined();
    expect(matchRule(fpl(true), chain, new Map())).toEqual({ index: 0, list: '0', entry: null });
  });

  it('pubkey compares the key of the leaf, and `!` inverts', () => {
    const is = rule(0, { kind: 'pubkey', key: leaf.key!, inverted: false });
    const isNot = rule(0, { kind: 'pubkey', key: leaf.key!, inverted: true });
    expect([test(is, chain), test(is, [other, leaf]), test(is, [])]).toEqual([true, false, false]);
    expect([test(isNot, chain), test(isNot, [other, leaf]), test(isNot, [])]).toEqual([false, true, true]);
  });
});

describe('matching at large', () => {
  const presented = [leaf, inter, root, other, present('leaf-p256'), present('inter-p256')];
  const anyPin = fc
    .record({
      of: fc.constantFrom(...presented),
      kind: fc.constantFrom('cert-sha1', 'cert-sha256', 'spki-sha256', 'key' as const),
      at: fc.constantFrom('leaf', 'ca', 'path' as const),
      role: fc.constantFrom('primary', 'backup' as const),
      notBefore: fc.constantFrom(null, 10, 20),
      expires: fc.constantFrom(null, 15, 30),
    })
    .map(({ of, kind, ...more }) => pin(kind, keyFor(of, kind), more));

  it('equals a naive reference', () => {
    fc.assert(
      fc.property(
        fc.array(anyPin, { minLength: 1, maxLength: 6 }),
        fc.array(fc.constantFrom(...presented), { maxLength: 4 }),
        fc.constantFrom(5, 10, 12, 15, 25, 30),
        (pins, certificates, now) => {
          const usable = pins.filter((p) => (p.notBefore ?? 0) <= now && now < (p.expires ?? 99));
          const on = (c: PresentedCertificate) => usable.filter((p) => keyFor(c, p.kind) === p.key);
          const onLeaf = certificates.slice(0, 1).flatMap((c) => on(c).filter((p) => p.at !== 'ca'));
          const above = certificates.slice(1).map((c) => on(c).some((p) => p.at !== 'leaf'));
          const result = matchPins(withPins(...pins), certificates, now);
          if (usable.length === 0) expect(result.kind).toBe('unusable');
          else if (onLeaf.length > 0) {
            expect(result.kind).toBe('leaf');
            if (result.kind !== 'leaf') return;
            expect(onLeaf).toContainEqual(result.pin);
            expect(result.pin.role).toBe(onLeaf.some((p) => p.role === 'primary') ? 'primary' : 'backup');
          } else if (above.includes(true)) {
            expect(result).toMatchObject({ kind: 'path', anchors: [] });
            if (result.kind !== 'path') return;
            expect(result.candidates.map((c) => c.index)).toEqual(
              above.flatMap((matched, i) => (matched ? [i + 1] : [])),
            );
          } else expect(result.kind).toBe('mismatch');
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('looks at the same few pins however many there are', () => {
    const looksAmong = (others: number) => {
      const looks = { count: 0 };
      const digests = Array.from({ length: others }, (_, i) => i.toString(16).padStart(64, '0'));
      const pins = [...digests.map((digest) => pin('spki-sha256', digest)), spki(inter)];
      const large = withPins(...pins.map((each) => counting(each, looks)));
      expect(matchPins(large, chain, NOW).kind).toBe('path');
      // The first look-up has built the index.
      looks.count = 0;
      expect(matchPins(large, chain, NOW).kind).toBe('path');
      return looks.count;
    };
    expect(looksAmong(10)).toBeGreaterThan(0);
    expect(looksAmong(5_000)).toBe(looksAmong(10));
  });
});

function keyFor(c: PresentedCertificate, kind: CompiledPin['kind']): string {
  if (kind === 'cert-sha1') return c.sha1;
  if (kind === 'key') return c.key!;
  return kind.startsWith('spki') ? c.spkiSha256! : c.sha256;
}
