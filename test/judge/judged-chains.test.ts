/** What is remembered of chains is what they would come to if they were judged anew, whatever has changed meanwhile. */
import { beforeEach, expect, it } from 'vitest';

import { judgementsOf, type Measure } from '../../src/judge/chains/judged-chains.ts';
import { PinsetSnapshot } from '../../src/pins/match/snapshot.ts';
import type { CompiledPinset } from '../../src/pins/policy.ts';
import { presentCertificate, type PresentedCertificate } from '../../src/x509/presented.ts';
import { certificate } from '../support/certificates.ts';
import { bank, HOST } from '../support/flows.ts';
import { pin, PINNED, policy, rule } from '../support/policy.ts';

const NOW = 1_700_000_000_000;
const snapshot = new PinsetSnapshot(policy());
const leafPin = (more = {}) => pin('spki-sha256', presentCertificate(certificate('leaf')).spkiSha256!, more);
const NOBODY = { kind: 'fpl', list: 'nobody', inverted: false } as const;
const pinned = bank({ pins: [leafPin()] });

let chains: PresentedCertificate[][];
beforeEach(() => (chains = [['leaf', 'inter'].map((name) => presentCertificate(certificate(name)))]));

function measure(require: readonly CompiledPinset[] = [pinned], more: Partial<Measure> = {}): Measure {
  return { snapshot, selection: { require, deny: [], rules: [] }, serverName: HOST, ...more };
}

const judge = (by = measure(), at = NOW, isShownAgain = true) => judgementsOf(chains, by, at, isShownAgain);
const reasons = (judgements: ReturnType<typeof judge>) => judgements.map((each) => each.claims([])[0]?.reason);

it('the same chains under the same measure are judged once', () => {
  const first = judge();
  expect(reasons(first)).toEqual(['pin-match']);
  expect(judge(measure(), NOW + 86_400_000)).toBe(first);
  expect(reasons(judge())).toEqual(['pin-match']);
});

it.each<[string, Measure]>([
  ['another configuration', measure([pinned], { snapshot: new PinsetSnapshot(policy()) })],
  ['another pinset', measure([bank({ pins: [pin('spki-sha256', 'ab'.repeat(32))] })])],
  ['one more', measure([pinned, bank({})])],
  ['none', measure([])],
  ['a deny list', measure([pinned], { selection: { require: [pinned], deny: [bank({})], rules: [] } })],
  ['a rule', measure([pinned], { selection: { require: [pinned], deny: [], rules: [rule(0, NOBODY)] } })],
  ['another name', measure([pinned], { serverName: 'other.example' })],
  ['no name', measure([pinned], { serverName: null })],
])('anew under %s', (_, other) => {
  const first = judge();
  const second = judge(other);
  expect(second).not.toBe(first);
  const fresh = chains;
  chains = [[...chains[0]!]];
  expect(reasons(second)).toEqual(reasons(judge(other)));
  chains = fresh;
  expect(judge()).not.toBe(first);
});

it.each<[string, CompiledPinset, string]>([
  ['a pin goes out of use', bank({ pins: [leafPin({ expires: NOW + 1_000 })] }), 'pin-mismatch'],
  ['the pinset ends', bank({ pins: [leafPin()], expires: NOW + 1_000, afterExpiry: 'deny' }), 'expired-pinset'],
])('anew once %s, and never ahead of when it was judged', (_, pinset, reason) => {
  const by = measure([pinset]);
  const first = judge(by);
  expect(judge(by, NOW + 999)).toBe(first);
  expect(reasons(judge(by, NOW + 1_000))).toEqual([reason]);
  expect(reasons(judge(by, NOW))).toEqual(['pin-match']);
});

it('each time where somebody outside has to be asked, as of that time', () => {
  const by = measure([
    bank({ pins: [leafPin()], situations: { ...PINNED, checks: { ...PINNED.checks, name: 'on' } } }),
  ]);
  expect([NOW, NOW + 5].map((at) => judge(by, at)[0]!.questions[0]!.atMs)).toEqual([NOW, NOW + 5]);
});

it('each time where the chains are no object that comes again', () => {
  expect(judge(measure(), NOW, false)).not.toBe(judge(measure(), NOW, false));
});
