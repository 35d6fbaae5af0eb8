import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { Budget, BUDGET } from '../../src/x509/path/budget.ts';
import { examineChain, examineDated } from '../../src/x509/examine.ts';
import type { ExamineRequest } from '../../src/x509/examine.ts';
import { certificate, certificates } from '../support/certificates.ts';
import { extension, mint, newKeys } from '../support/mint.ts';

const NOW = Date.UTC(2030, 0, 1);

function examine(names: string[], more: Partial<ExamineRequest> = {}) {
  return examineChain({
    chain: names.map(certificate),
    anchors: [],
    names: ['www.bank.example'],
    atMs: NOW,
    trust: [],
    ...more,
  });
}
const onPath = (...names: string[]) => examine(names).onPath;

describe('a verified path', () => {
  it('leads from the leaf to every presented certificate that issued', () => {
    expect(examine(['leaf', 'inter', 'root'])).toEqual({
      onPath: [0, 1, 2],
      anchorsOnPath: [],
      nameMatches: true,
      leafValidAt: true,
      trusted: false,
      exhausted: false,
    });
  });

  it.each([
    ['out of order', ['leaf', 'root', 'inter'], [0, 1, 2]],
    ['with strangers among them', ['leaf', 'root2', 'other', 'inter', 'root-p384', 'root'], [0, 3, 5]],
    ['without a root', ['leaf', 'inter'], [0, 1]],
    ['without the intermediate', ['leaf', 'root'], [0]],
    ['with duplicates of an issuer', ['leaf', 'inter', 'inter', 'root', 'root'], [0, 1, 2, 3, 4]],
    ['with the leaf twice, as some servers send it', ['leaf', 'leaf', 'inter'], [0, 2]],
    ['with a leaf that could have issued itself', ['root', 'root'], [0]],
    ['alone', ['leaf'], [0]],
    ['of nothing', [], []],
    ['with a cross-signed intermediate', ['leaf', 'inter', 'inter-cross', 'root', 'root2'], [0, 1, 2, 3, 4]],
    ['with the cross-signature alone', ['leaf', 'inter-cross', 'root2'], [0, 1, 2]],
    [
      'with two roots that issued each other',
      ['leaf', 'inter', 'root-by-root2', 'root2-by-root', 'root', 'root2'],
      [0, 1, 2, 3, 4, 5],
    ],
  ])('%s', (_what, names, path) => {
    expect(onPath(...names)).toEqual(path);
  });

  it.each([
    ['RSA PKCS #1 with SHA-256', ['leaf', 'inter', 'root']],
    ['RSASSA-PSS', ['leaf-pss', 'inter', 'root']],
    ['RSASSA-PSS with a key that is only for it', ['pss-leaf', 'root-pss']],
    ['ECDSA P-256 and P-384', ['leaf-p256', 'inter-p256', 'root-p384']],
    ['ECDSA P-521 with SHA-512', ['leaf-p521', 'root-p521']],
    ['Ed25519', ['leaf-ed25519', 'root-ed25519']],
  ])('by %s', (_what, names) => {
    expect(onPath(...names)).toEqual(names.map((_, index) => index));
  });

  it.each([
    ['Ed448', () => generateKeyPairSync('ed448')],
    ['ECDSA on brainpoolP256r1', () => generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' })],
    ['ECDSA on brainpoolP512r1', () => generateKeyPairSync('ec', { namedCurve: 'brainpoolP512r1' })],
  ])('by %s, and by nothing less', (_what, keys) => {
    const root = mint({ subject: 'root', keys: keys(), isCa: true });
    const leaf = mint({ subject: 'leaf', issuer: root, keys: keys() });
    expect(examine([], { chain: [leaf.der, root.der] }).onPath).toEqual([0, 1]);
    const forged = mint({ subject: 'leaf', issuer: { subject: 'root', privateKey: keys().privateKey }, keys: keys() });
    expect(examine([], { chain: [forged.der, root.der] }).onPath).toEqual([0]);
  });

  it('does not depend on the order of what follows the leaf', () => {
    const pool = ['inter', 'inter-cross', 'root', 'root2', 'root-by-root2', 'other', 'imposter', 'leaf'];
    const expected = new Set(['inter', 'inter-cross', 'root', 'root2', 'root-by-root2']);
    fc.assert(
      fc.property(fc.shuffledSubarray(pool, { minLength: pool.length }), (order) => {
        const names = ['leaf', ...order];
        const found = onPath(...names).map((index) => names[index]!);
        expect(new Set(found.slice(1))).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });
});

describe('a certificate that may not issue is not on the path', () => {
  it.each([
    ['a leaf of the same CA', ['forged', 'leaf', 'inter', 'root']],
    ['one with the right name and another key', ['leaf', 'imposter']],
    ['one below the path length of its issuer', ['sub-leaf', 'sub-inter', 'inter', 'root'], [0, 1]],
    ['one whose keyUsage lacks keyCertSign', ['ca-not-certsign-leaf', 'ca-not-certsign', 'root']],
    ['one whose basicConstraints say no CA', ['ca-false-leaf', 'ca-false', 'root']],
    ['one whose basicConstraints say so in so many octets', ['ca-explicit-false-leaf', 'ca-explicit-false', 'root']],
    ['one without basicConstraints', ['ca-no-constraints-leaf', 'ca-no-constraints', 'root']],
    ['one with a critical extension that nobody knows', ['ca-unknown-critical-leaf', 'ca-unknown-critical', 'root']],
    ['one that is for code signing', ['ca-not-server-leaf', 'ca-not-server', 'root']],
    ['one that has expired', ['ca-expired-leaf', 'ca-expired', 'root']],
    ['one whose constraints exclude the name', ['ca-excluded-leaf', 'ca-excluded', 'root']],
    ['one whose constraints exclude what a wildcard could be', ['ca-excluded-www-leaf', 'ca-excluded-www', 'root']],
    ['one whose constraints permit other addresses', ['ca-permitted-ip-other', 'ca-permitted-ip', 'root']],
    ['one whose constraints permit other subjects', ['ca-permitted-directory-other', 'ca-permitted-directory', 'root']],
    ['one with constraints that are not understood', ['ca-excluded-email-other', 'ca-excluded-email', 'root']],
    ['one whose constraints permit other names', ['ca-permitted-other', 'ca-permitted', 'root']],
    ['one linked by SHA-1', ['leaf-sha1', 'inter', 'root']],
    ['one linked by MD5', ['leaf-md5', 'inter', 'root']],
    ['one linked by RSASSA-PSS with SHA-1', ['leaf-pss-sha1', 'inter', 'root']],
    ['a root above a SHA-1 link', ['leaf', 'inter-sha1', 'root'], [0, 1]],
  ])('%s', (_what, names, path = [0]) => {
    expect(onPath(...names)).toEqual(path);
  });

  it.each([
    ['keyUsage is missing', 'ca-no-usage'],
    ['the name is permitted', 'ca-permitted'],
    ['the address is permitted', 'ca-permitted-ip'],
    ['the subject is permitted', 'ca-permitted-directory'],
    ['constraints are of a kind of name that the leaf has not', 'ca-excluded-email'],
  ])('but one is where %s', (_what, name) => {
    expect(onPath(`${name}-leaf`, name, 'root')).toEqual([0, 1, 2]);
  });

  it('a self-issued certificate does not count for the path length', () => {
    expect(onPath('rollover-leaf', 'inter', 'inter-rollover', 'root')).toEqual([0, 1, 2, 3]);
  });

  it('a strong cross-signature leads where a weak link does not', () => {
    expect(onPath('leaf', 'inter-sha1', 'inter-cross', 'root', 'root2')).toEqual([0, 1, 2, 4]);
  });

  it('the dates of issuers count at the time of the flow', () => {
    const at = (atMs: number) => examine(['ca-expired-leaf', 'ca-expired', 'root'], { atMs }).onPath;
    expect(at(Date.UTC(2020, 11, 31))).toEqual([0, 1, 2]);
    expect(at(Date.UTC(2021, 0, 2))).toEqual([0]);
    expect(at(Date.UTC(2019, 11, 31))).toEqual([0]);
  });
});

describe('anchors and trust', () => {
  const root = certificate('root');

  it('a whole certificate closes a path whose root is not sent', () => {
    const facts = examine(['leaf', 'inter'], { anchors: [certificate('root2'), root] });
    expect(facts.anchorsOnPath).toEqual([1]);
    expect(facts.onPath).toEqual([0, 1]);
  });

  it('and may stand in for a missing intermediate', () => {
    expect(examine(['leaf', 'root'], { anchors: [certificate('inter')] })).toMatchObject({
      onPath: [0, 1],
      anchorsOnPath: [0],
    });
  });

  it('the anchor is held to the same rules', () => {
    expect(examine(['forged'], { anchors: [certificate('leaf')] }).anchorsOnPath).toEqual([]);
    expect(examine(['leaf-sha1'], { anchors: [certificate('inter')] }).anchorsOnPath).toEqual([]);
  });

  it('trusted is what leads to a trusted certificate, presented or not', () => {
    expect(examine(['leaf', 'inter'], { trust: [certificate('root2'), root] }).trusted).toBe(true);
    expect(examine(['leaf', 'inter', 'root'], { trust: [root] }).trusted).toBe(true);
    expect(examine(['leaf', 'inter', 'root'], { trust: [certificate('root2')] }).trusted).toBe(false);
    expect(examine(['leaf', 'root'], { trust: [root] }).trusted).toBe(false);
    expect(examine(['leaf'], { trust: [certificate('leaf')] }).trusted).toBe(true);
    expect(examine(['leaf', 'inter', 'root']).trusted).toBe(false);
  });
});

describe('an answer is the same', () => {
  const request = (atMs: number): ExamineRequest => {
    const chain = ['ca-expired-leaf', 'ca-expired', 'root'].map(certificate);
    return { chain, anchors: [], names: [], atMs, trust: [] };
  };

  it('until a date of some certificate is reached, from the last one on', () => {
    for (const at of [Date.UTC(2019, 0, 1), Date.UTC(2020, 5, 1), NOW]) {
      const { facts, from, until } = examineDated(request(at));
      expect(from).toBeLessThanOrEqual(at);
      expect(until).toBeGreaterThan(at);
      for (const same of [from, until - 1].filter(Number.isFinite)) {
        expect(examineDated(request(same))).toEqual({ facts, from, until });
      }
    }
    const during = examineDated(request(Date.UTC(2020, 5, 1)));
    expect(during.facts.onPath).toEqual([0, 1, 2]);
    expect(examineDated(request(during.until)).facts.onPath).not.toEqual([0, 1, 2]);
  });
});

describe('the leaf', () => {
  it("another customer's leaf has the path and not the name", () => {
    expect(examine(['other', 'inter', 'root'])).toMatchObject({ onPath: [0, 1, 2], nameMatches: false });
  });

  it('that is for clients only has no path', () => {
    expect(onPath('leaf-client', 'inter', 'root')).toEqual([0]);
  });

  it('matches by any of the names, and by none where there is none', () => {
    const matches = (...names: string[]) => examine(['leaf', 'inter'], { names }).nameMatches;
    expect(matches('other.example', 'bank.example')).toBe(true);
    expect(matches()).toBe(false);
  });

  it.each([
    ['leaf', true],
    ['leaf-expired', false],
    ['leaf-future', false],
    ['leaf-1960', true],
  ])('%s: dates', (name, valid) => {
    expect(examine([name, 'inter'])).toMatchObject({ leafValidAt: valid, onPath: [0, 1] });
  });

  it('of what cannot be read nothing holds', () => {
    const chain = [new Uint8Array([...certificate('leaf'), 0]), certificate('inter')];
    expect(examine([], { chain })).toEqual({
      onPath: [0],
      anchorsOnPath: [],
      nameMatches: false,
      leafValidAt: false,
      trusted: false,
      exhausted: false,
    });
  });
});

describe('the search is bounded', () => {
  const mesh = certificates('mesh-all');

  it('where one name and key stand in fifteen certificates, each a possible issuer of each', () => {
    const facts = examine([], { chain: [certificate('mesh-leaf'), ...mesh] });
    expect(facts.onPath).toHaveLength(16);
    expect(facts.exhausted).toBe(false);
  });

  it('and looks at sixteen certificates at most', () => {
    const facts = examine([], { chain: [certificate('leaf'), ...mesh, certificate('inter')] });
    expect(facts.onPath).toEqual([0]);
  });

  it('impostors with the name of the issuer lead nowhere', () => {
    // Fifteen different certificates with the intermediate's name and another key.
    const imposters = Array.from({ length: 15 }, (_, i) => {
      const der = new Uint8Array(certificate('imposter'));
      der[der.length - 1 - i]! ^= 1;
      return der;
    });
    expect(examine([], { chain: [certificate('leaf'), ...imposters] }).onPath).toEqual([0]);
  });

  it('and past the bound it says so: what was found holds', () => {
    const fakes = mesh.slice(0, 7).map((der) => {
      const fake = new Uint8Array(der);
      const point = Buffer.from(der).indexOf(Buffer.from('034200', 'hex')) + 3;
      fake[point + 10]! ^= 1;
      return fake;
    });
    const facts = examine([], { chain: [certificate('mesh-leaf'), ...fakes, ...mesh.slice(7)] });
    expect(facts).toMatchObject({ exhausted: 'signatures', onPath: [0, 8, 9, 10, 11, 12, 13, 14, 15] });
  });

  it('name constraints are looked at of those alone that have signed', () => {
    const spentOn = (leaf: Uint8Array) => {
      const budget = new Budget();
      const chain = [leaf, certificate('ca-permitted'), certificate('root')];
      examineChain({ chain, anchors: [], names: [], atMs: NOW, trust: [] }, budget);
      return budget.spent;
    };
    expect(spentOn(certificate('ca-permitted-leaf')).comparisons).toBeGreaterThan(0);
    const forged = new Uint8Array(certificate('ca-permitted-leaf'));
    forged[forged.length - 1]! ^= 1;
    expect(spentOn(forged)).toEqual({ signatures: 1, comparisons: 0 });
  });

  it('a chain made to be expensive costs its budget, once', () => {
    // One key and one name for all: each may have issued each, and each has constraints.
    const keys = newKeys();
    const issuer = { subject: 'X', privateKey: keys.privateKey };
    const names = Array.from({ length: 1000 }, (_, i) => `n${i}.good.test`);
    const permitted = Array.from({ length: 98 }, (_, i) => `n${i}.else.test`);
    const leaf = mint({ subject: 'leaf', issuer, names: [...names, 'zzz.nowhere'] });
    const plain = Array.from({ length: 7 }, () => mint({ subject: 'X', issuer, keys, isCa: true }));
    const heavy = Array.from({ length: 8 }, () =>
      mint({ subject: 'X', issuer, keys, isCa: true, permitted: [...permitted, 'good.test'] }),
    );
    const examineWith = (chain: readonly { der: Uint8Array }[]) => {
      const budget = new Budget();
      const facts = examineChain(
        { chain: chain.map(({ der }) => der), anchors: [], names: [], atMs: NOW, trust: [] },
        budget,
      );
      return { facts, budget };
    };
    const { facts, budget } = examineWith([leaf, ...plain, ...heavy]);
    expect(facts).toMatchObject({ exhausted: 'comparisons', onPath: [0, 1, 2, 3, 4, 5, 6, 7] });
    expect(budget.spent.comparisons).toBeLessThanOrEqual(BUDGET.comparisons);
    // Of one of them everything is compared once, however many it may have issued.
    const one = examineWith([leaf, ...plain, heavy[0]!]);
    expect(one.budget.spent).toEqual({ signatures: 8, comparisons: 1002 * 99 });
    expect(one.facts.exhausted).toBe(false);
  });

  it('a certificate with more extensions than anybody needs is no issuer', () => {
    const others = (count: number) =>
      Array.from({ length: count }, (_, i) =>
        extension(`2a03${(i + 1).toString(16).padStart(2, '0')}`, false, Buffer.of(5, 0)),
      );
    const pathBelow = (count: number) => {
      const ca = mint({ subject: 'CA', isCa: true, extensions: others(count) });
      return examine([], { chain: [mint({ subject: 'leaf', issuer: ca }).der, ca.der] }).onPath;
    };
    expect(pathBelow(63)).toEqual([0, 1]);
    expect(pathBelow(64)).toEqual([0]);
  });

  it('nested structures, broken ones and octets at random do not throw', () => {
    const bomb = new Uint8Array(60_000);
    for (let at = 0; at < bomb.length - 4; at += 4)
      bomb.set([0x30, 0x82, (bomb.length - at - 4) >> 8, (bomb.length - at - 4) & 255], at);
    expect(examine([], { chain: [bomb, bomb] }).onPath).toEqual([0]);
    const names = ['leaf', 'inter', 'ca-permitted', 'leaf-names', 'leaf-pss', 'root'];
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...names), fc.nat(2000), fc.integer({ min: 1, max: 255 })), {
          minLength: 1,
          maxLength: 4,
        }),
        (changes) => {
          const chain = changes.map(([name, at, value]) => {
            const der = new Uint8Array(certificate(name));
            der[at % der.length]! ^= value;
            return der;
          });
          const facts = examine([], { chain, anchors: chain, trust: chain });
          expect(facts.onPath[0]).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('a changed octet anywhere in the leaf breaks the path', () => {
    const der = certificate('leaf');
    for (let at = 0; at < der.length; at += 7) {
      const changed = new Uint8Array(der);
      changed[at]! ^= 0x20;
      expect(examine([], { chain: [changed, certificate('inter')] }).onPath).toEqual([0]);
    }
  });
});
