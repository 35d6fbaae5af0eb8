/** What packet threads are told of a policy, and that it leads to what the policy says, however it was told. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { matchDeny, matchPins, matchRule } from '../../../src/pins/match/match.ts';
import { type PackedPolicy, packPolicy, type PolicyChange } from '../../../src/pins/match/pack.ts';
import type { CompiledPinset, Policy } from '../../../src/pins/policy.ts';
import { PinsetSnapshot } from '../../../src/pins/match/snapshot.ts';
import type { PresentedCertificate } from '../../../src/x509/presented.ts';
import { NOW, policyOf } from '../../support/configuration.ts';
import { range } from '../../support/policy.ts';

const DAY = 86_400_000;
const hex = (octets: number, n: number) => n.toString(16).padStart(octets * 2, '0');
/** Certificate n: each of its digests is n, and so is its key. */
const presented = (n: number): PresentedCertificate => ({
  der: new Uint8Array(0),
  sha1: hex(20, n),
  sha256: hex(32, n),
  spki: null,
  spkiSha256: hex(32, n),
  key: `ed25519:${hex(32, n)}`,
});
const CERTIFICATES = Array.from({ length: 6 }, (_, n) => presented(n));
const SPELLINGS: readonly ((n: number) => string)[] = [
  (n) => `cert-sha1:${hex(20, n)}`,
  (n) => `cert-sha256:${hex(32, n)}`,
  (n) => `spki-sha256:${hex(32, n)}`,
  (n) => `tlsa:3 0 1 ${hex(32, n)}`,
  (n) => `ed25519:${hex(32, n)}`,
];

const subject = {
  client: { address: range('10.0.0.1').address, port: 40_000 },
  server: { address: range('198.51.100.7').address, port: 443 },
};

/** Everything that is observable of a snapshot, for chains of the certificates that there are. */
function answersOf(snapshot: PinsetSnapshot) {
  return ['bank.example', 'shop.example', 'learn.example', 'none.example'].flatMap((name) => {
    const { require, deny, rules } = snapshot.select(subject, name);
    return [NOW, NOW + 2 * DAY].flatMap((nowMs) =>
      CERTIFICATES.flatMap((leaf, i) => {
        const chain = [leaf, CERTIFICATES[(i + 1) % CERTIFICATES.length]!];
        return [
          ...require.map((pinset) => [pinset.name, pinset.mode, plain(matchPins(pinset, chain, nowMs))]),
          ...[...require, ...deny].map((pinset) => [pinset.name, matchDeny(pinset, chain, nowMs)?.canonical]),
          ...rules.map((rule) => [rule.index, matchRule(rule, chain, snapshot.lists)]),
        ];
      }),
    );
  });
}

const plain = (match: ReturnType<typeof matchPins>) => {
  if (match.kind === 'leaf') return [match.kind, match.pin.canonical, match.pin.role];
  return match.kind === 'path' ? [match.kind, match.candidates.map(({ pin, index }) => [pin.canonical, index])] : match;
};

interface Lists {
  readonly a: readonly string[];
  readonly b: readonly string[];
}

/** Each way to use a list. SHA-1 may stand on the leaf only, which is where its pinsets want all of it. */
function policyWith({ a, b }: Lists, hash: string): Policy {
  const policy = policyOf({
    version: 1,
    learn: { file: 'l.json' },
    lists: { a: { entries: a }, b: { entries: b } },
    pinsets: [
      {
        name: 'bank',
        match: { hosts: ['bank.example'] },
        pins: [{ pin: '@a', at: 'leaf', role: 'backup', expires: new Date(NOW + DAY).toISOString() }, SPELLINGS[1]!(0)],
        deny: ['@b', SPELLINGS[0]!(1)],
      },
      { name: 'shop', match: { hosts: ['shop.example'] }, pins: [{ pin: '@b', at: 'leaf' }, '@a'] },
      { name: 'learn', match: { hosts: ['learn.example'] }, mode: 'learn', then: 'enforce', pins: ['@a'] },
      { name: 'bad', match: { addresses: ['198.51.100.0/24'] }, deny: [{ pin: '@a', at: 'ca' }, '@b'] },
    ],
    rules: [
      { fpl: 'a', verdict: 'drop' },
      { fpl: '!b', verdict: 'drop' },
    ],
  });
  const learns = policy.pinsets[2]!;
  const learned = new Map<string, CompiledPinset>([['learn.example:443', { ...learns, mode: 'enforce' }]]);
  return { ...policy, hash, pinsets: policy.pinsets.map((each) => (each === learns ? { ...each, learned } : each)) };
}

/** As a packet thread lives through it. */
class Thread {
  #packed: PackedPolicy | undefined;
  snapshot: PinsetSnapshot | undefined;
  readonly changes: PolicyChange[] = [];

  tell(policy: Policy): void {
    const { packed, change } = packPolicy(policy, this.#packed);
    this.#packed = packed;
    const told = structuredClone(change);
    this.changes.push(told);
    this.snapshot = this.snapshot === undefined ? PinsetSnapshot.of(told) : this.snapshot.changed(told);
  }
}

const entries = (spellings: typeof SPELLINGS) =>
  fc.array(
    fc.tuple(fc.constantFrom(...spellings), fc.nat(5)).map(([spell, n]) => spell(n)),
    { maxLength: 8 },
  );
const DIGESTS = SPELLINGS.slice(0, 3);
const anyEntries = fc.oneof(
  { weight: 1, arbitrary: entries(SPELLINGS) },
  // Of each kind there is something: only tables change.
  { weight: 3, arbitrary: entries(DIGESTS).map((some) => [...DIGESTS.map((spell) => spell(6)), ...some]) },
);

describe('a thread that was told only what differs', () => {
  it('answers as one that begins with the policy, and as the policy itself does', () => {
    let edits = 0;
    fc.assert(
      fc.property(fc.array(fc.record({ a: anyEntries, b: anyEntries }), { minLength: 2, maxLength: 6 }), (steps) => {
        const thread = new Thread();
        for (const [i, lists] of steps.entries()) {
          const policy = policyWith(lists, `sha256:${i}`);
          thread.tell(policy);
          const answers = answersOf(thread.snapshot!);
          expect(answers).toEqual(answersOf(PinsetSnapshot.of(packPolicy(policy).change)));
          expect(answers).toEqual(answersOf(new PinsetSnapshot(policy)));
          expect(thread.snapshot!.policy.hash).toBe(policy.hash);
        }
        edits += thread.changes.filter((change) => change.policy === null).length;
      }),
      { numRuns: 60 },
    );
    expect(edits).toBeGreaterThan(0);
  });

  it('knows entry by entry what a reload would have it know', () => {
    const anyStep = fc.record({ n: fc.nat(5), adds: fc.boolean() });
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 30 }), (steps) => {
        const thread = new Thread();
        // One that stays, so that the table does too.
        const entries = [SPELLINGS[0]!(6)];
        thread.tell(policyWith({ a: entries, b: [] }, 'sha256:'));
        for (const { n, adds } of steps) {
          const at = entries.indexOf(SPELLINGS[0]!(n));
          if (adds) entries.push(SPELLINGS[0]!(n));
          else if (at >= 0) entries.splice(at, 1);
          thread.tell(policyWith({ a: entries, b: [] }, 'sha256:'));
        }
        for (const { policy, tables } of thread.changes.slice(1)) {
          expect(policy).toBeNull();
          expect(tables.every(({ kind }) => kind === 'edit')).toBe(true);
        }
        const afresh = policyWith({ a: entries, b: [] }, 'sha256:');
        expect(answersOf(thread.snapshot!)).toEqual(answersOf(new PinsetSnapshot(afresh)));
      }),
      { numRuns: 60 },
    );
  });
});

describe('what a thread is told', () => {
  const listed = (digests: readonly string[]) =>
    policyOf({
      version: 1,
      lists: { 0: { entries: digests } },
      pinsets: [{ name: 'bad', match: {}, deny: ['@0'] }],
      rules: [{ fpl: '0', verdict: 'drop' }],
    });
  const digests = Array.from({ length: 5_000 }, (_, n) => hex(20, n));
  const begun = packPolicy(listed(digests));

  it('at first is the policy without the entries of lists, and each list once', () => {
    const { policy, tables } = begun.change;
    expect([policy!.lists[0]!.entries, policy!.pinsets[0]!.deny]).toEqual([[], []]);
    expect(tables).toMatchObject([{ kind: 'build', digests: { count: 5_000 } }]);
  });

  it('when nothing has changed is nothing', () => {
    const { change } = packPolicy(listed(digests), begun.packed);
    expect(change).toMatchObject({ policy: null, tables: [] });
  });

  it('of an entry is that entry', () => {
    const edited = [...digests.slice(0, 2_000), ...digests.slice(2_001), hex(20, 9_999)];
    const { tables } = packPolicy(listed(edited), begun.packed).change;
    expect(tables).toMatchObject([{ kind: 'edit', add: [hex(20, 9_999)], remove: [hex(20, 2_000)] }]);
  });

  it('of an entry that was there twice is nothing until the last of them goes', () => {
    const twice = packPolicy(listed([...digests, digests[7]!]), begun.packed);
    expect(twice.change.tables).toEqual([]);
    const once = packPolicy(listed(digests), twice.packed);
    expect(once.change.tables).toEqual([]);
    const none = packPolicy(listed(digests.filter((_, n) => n !== 7)), once.packed);
    expect(none.change.tables).toMatchObject([{ kind: 'edit', add: [], remove: [digests[7]] }]);
  });

  it('of many, at once or by and by, is the list built anew, in memory that all threads share', () => {
    const many = (count: number) => Array.from({ length: count }, (_, n) => hex(20, 10_000 + n));
    const atOnce = packPolicy(listed([...digests, ...many(1_001)]), begun.packed);
    expect(atOnce.change.tables).toMatchObject([{ kind: 'build', digests: { count: 6_001 } }]);
    const some = packPolicy(listed([...digests, ...many(600)]), begun.packed);
    expect(some.change.tables).toMatchObject([{ kind: 'edit' }]);
    const more = packPolicy(listed([...digests, ...many(1_200)]), some.packed);
    expect(more.change.tables).toMatchObject([{ kind: 'build', digests: { count: 6_200 } }]);
    const [table] = more.change.tables;
    expect(table!.kind === 'build' && table!.digests.memory).toBeInstanceOf(SharedArrayBuffer);
  });

  it('of a list that is gone is that it is gone, and of anything else the whole of it, with the tables kept', () => {
    const without = policyOf({ version: 1, pinsets: [] });
    expect(packPolicy(without, begun.packed).change).toMatchObject({
      policy: { lists: [] },
      tables: [{ kind: 'drop', table: begun.change.tables[0]!.table }],
    });
    const { change } = packPolicy({ ...listed(digests), failOpen: true }, begun.packed);
    expect(change).toMatchObject({ policy: { failOpen: true }, tables: [] });
  });

  it('of pinsets is those that differ, by their places, and a thread keeps the others', () => {
    const named = (...names: readonly string[]) =>
      policyOf({
        version: 1,
        pinsets: names.map((name) => ({ name, match: { hosts: [`${name}.example`] }, pins: [SPELLINGS[2]!(0)] })),
      });
    const thread = new Thread();
    thread.tell(named('a', 'b', 'c'));
    const [a, , c] = thread.snapshot!.policy.pinsets;
    thread.tell(named('a', 'x', 'c', 'd'));
    expect(thread.changes[1]!.policy!.pinsets.map((pinset) => pinset?.name)).toEqual([undefined, 'x', undefined, 'd']);
    const { pinsets } = thread.snapshot!.policy;
    expect(pinsets.map(({ name, index }) => [name, index])).toEqual([
      ['a', 0],
      ['x', 1],
      ['c', 2],
      ['d', 3],
    ]);
    expect(pinsets[0]).toBe(a);
    expect(pinsets[2]).toBe(c);
    thread.tell(named('d', 'a'));
    expect(thread.snapshot!.policy.pinsets.map(({ name, index }) => [name, index])).toEqual([
      ['d', 0],
      ['a', 1],
    ]);
  });
});
