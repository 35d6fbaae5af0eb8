/** What a chain comes to under each pinset: what has to be asked outside, what the answers make of it, and what ends the matter. */
import { describe, expect, it } from 'vitest';

import { ChainJudgement, mergeMarks } from '../../src/judge/chains/chain-judgement.ts';
import { PinsetSnapshot } from '../../src/pins/match/snapshot.ts';
import type { Checks, CompiledPinset, CompiledRule } from '../../src/pins/policy.ts';
import type { ChainFacts } from '../../src/x509/examine.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { certificate } from '../support/certificates.ts';
import { chainFacts } from '../support/chain-facts.ts';
import { bank, HOST } from '../support/flows.ts';
import { pin, PINNED, policy, rule } from '../support/policy.ts';

const present = (...names: readonly string[]) => names.map((name) => presentCertificate(certificate(name)));
const [leaf, inter, other] = present('leaf', 'inter', 'forged');
const onLeaf = pin('spki-sha256', leaf!.spkiSha256!);
const onIssuer = pin('spki-sha256', inter!.spkiSha256!);
const onNobody = pin('spki-sha256', 'ab'.repeat(32));
const onRoot = pin('cert', presentCertificate(certificate('root')).sha256, { at: 'path', der: certificate('root') });
const checking = (checks: Partial<Checks>) => ({ situations: { ...PINNED, checks: { ...PINNED.checks, ...checks } } });
const learning = { pins: [], mode: 'learn' as const };
const NOW = 1_700_000_000_000;
const over = { expires: NOW };

function judge(
  require: readonly CompiledPinset[],
  more: {
    deny?: readonly CompiledPinset[];
    rules?: readonly CompiledRule[];
    chain?: string[];
    name?: string | null;
  } = {},
) {
  const { deny = [], rules = [], chain = ['leaf', 'inter'], name = HOST } = more;
  const snapshot = new PinsetSnapshot(policy());
  return new ChainJudgement(snapshot, { require, deny, rules }, present(...chain), name, NOW);
}

/** What one pinset says of the chain; the facts are there where it has asked. */
function claim(more: Partial<CompiledPinset>, facts: Partial<ChainFacts> = {}, chain?: string[]) {
  const judgement = judge([bank(more)], chain === undefined ? {} : { chain });
  const [found] = judgement.claims(judgement.questions.map(() => chainFacts(facts)));
  return { action: found!.verdict.action, reason: found!.reason, matched: found!.matched };
}

describe('outside is asked', () => {
  it.each<[string, Partial<CompiledPinset>, number]>([
    ['nothing about a leaf that is pinned', { pins: [onLeaf] }, 0],
    ['about it for the sake of its name', { pins: [onLeaf], ...checking({ name: 'on' }) }, 1],
    ['about it for the sake of its dates', { pins: [onLeaf], ...checking({ validity: 'on' }) }, 1],
    ['about it for the sake of who issued it', { pins: [onLeaf], ...checking({ trust: [certificate('root')] }) }, 1],
    ['about the path to an issuer that is pinned', { pins: [onIssuer] }, 1],
    ['nothing about what matches no pin', { pins: [onNobody], ...checking({ name: 'on' }) }, 0],
    ['nothing about what is learned', learning, 0],
    ['about what is learned, for the sake of its name', { ...learning, ...checking({ name: 'on' }) }, 1],
  ])('%s', (_, more, asked) => {
    expect(judge([bank(more)]).questions).toHaveLength(asked);
  });

  it('with the name that the client asks for, where it has, and those of the pinset', () => {
    const pinsets = [bank({ pins: [onIssuer], names: ['other.example', HOST] })];
    const names = (name: string | null) => judge(pinsets, { name }).questions[0]!.names;
    expect(names('here.example')).toEqual(['here.example', 'other.example', HOST]);
    expect(names(HOST)).toEqual([HOST, 'other.example']);
    expect(names(null)).toEqual(['other.example', HOST]);
  });

  it('with the certificates that the path may end at, where it has to', () => {
    expect(judge([bank({ pins: [onRoot] })]).questions).toMatchObject([{ anchors: [certificate('root')] }]);
    const ofLeaf = bank({ pins: [onLeaf, onRoot], ...checking({ name: 'on' }) });
    expect(judge([ofLeaf]).questions).toMatchObject([{ anchors: [] }]);
  });

  it('nothing that does not matter: a pinset fails already', () => {
    const issuer = bank({ pins: [onIssuer] });
    expect(judge([issuer]).failsAnyway).toBe(false);
    expect(judge([issuer, bank({ pins: [onLeaf] })]).failsAnyway).toBe(false);
    expect(judge([issuer, bank({ pins: [onNobody] })]).failsAnyway).toBe(true);
    expect(judge([issuer, bank({ pins: [onNobody], mode: 'report-only' })]).failsAnyway).toBe(false);
  });

  it('for each pinset, and each has its own answer', () => {
    const judgement = judge([bank({ pins: [onLeaf] }), bank({ pins: [onIssuer] }), bank({ pins: [onIssuer] })]);
    const claims = judgement.claims([chainFacts({ onPath: [0, 1] }), chainFacts()]);
    expect(claims.map(({ reason }) => reason)).toEqual(['pin-match', 'pin-match', 'pin-mismatch']);
  });
});

const path = { pins: [onIssuer] };
const met = { onPath: [0, 1] };
describe('a pinset', () => {
  it.each<[string, Partial<CompiledPinset>, Partial<ChainFacts>, string]>([
    ['whose pin is on the leaf', { pins: [onLeaf] }, {}, 'accept pin-match'],
    ['whose backup pin is', { pins: [{ ...onLeaf, role: 'backup' }] }, {}, 'accept backup-pin-match'],
    ['whose pin is nowhere', { pins: [onNobody] }, {}, 'tls-alert pin-mismatch'],
    ['whose pin is on the verified path', path, met, 'accept pin-match'],
    ['whose pin is beside it', path, { onPath: [0] }, 'tls-alert pin-mismatch'],
    ['whose root it ends at', { pins: [onRoot] }, { anchorsOnPath: [0] }, 'accept pin-match'],
    ['whose root it does not end at', { pins: [onRoot] }, {}, 'tls-alert pin-mismatch'],
    ['whose path nobody could find in time', path, { onPath: [0], exhausted: 'turns' }, 'tls-alert unexaminable'],
    ['without pins that enforces', { pins: [] }, {}, 'tls-alert pin-mismatch'],
    ['that learns', learning, {}, 'accept learning'],
    [
      'that learns of another name',
      { ...learning, ...checking({ name: 'on' }) },
      { nameMatches: false },
      'tls-alert name-mismatch',
    ],
    ['that learns of that name', { ...learning, ...checking({ name: 'on' }) }, {}, 'accept learning'],
  ])('%s', (_, more, facts, expected) => {
    const { action, reason } = claim(more, facts);
    expect(`${action} ${reason}`).toBe(expected);
  });

  it.each<[string, Partial<CompiledPinset>, Partial<ChainFacts>, string]>([
    [
      'a leaf of another name',
      { pins: [onLeaf], ...checking({ name: 'on' }) },
      { nameMatches: false },
      'name-mismatch',
    ],
    [
      'a leaf out of date',
      { pins: [onLeaf], ...checking({ validity: 'on' }) },
      { leafValidAt: false },
      'certificate-expired',
    ],
    ['the same in time', { pins: [onLeaf], ...checking({ validity: 'on' }) }, {}, 'pin-match'],
    ['a path to another name', path, { ...met, nameMatches: false }, 'name-mismatch'],
    ['a path to a leaf out of date', path, { ...met, leafValidAt: false }, 'certificate-expired'],
    [
      'a path, asked about neither',
      { ...path, ...checking({ name: 'off', validity: 'off' }) },
      { ...met, nameMatches: false, leafValidAt: false },
      'pin-match',
    ],
    [
      'a name that nobody could look for in time',
      { pins: [onLeaf], ...checking({ name: 'on' }) },
      { nameMatches: false, exhausted: 'turns' },
      'unexaminable',
    ],
    ['nobody that is trusted', { pins: [onLeaf], ...checking({ trust: [certificate('root')] }) }, {}, 'untrusted'],
    [
      'somebody that is',
      { pins: [onLeaf], ...checking({ trust: [certificate('root')] }) },
      { trusted: true },
      'pin-match',
    ],
  ])('that finds %s', (_, more, facts, expected) => {
    const { action, reason } = claim(more, facts);
    expect([action, reason]).toEqual([expected === 'pin-match' ? 'accept' : 'tls-alert', expected]);
  });

  it.each<[string, Partial<CompiledPinset>, string]>([
    ['that accepts then', { ...over, afterExpiry: 'accept', pins: [onNobody] }, 'accept expired-pinset'],
    ['that would, in time', { afterExpiry: 'accept', pins: [onNobody] }, 'tls-alert pin-mismatch'],
    ['that denies then', { ...over, afterExpiry: 'deny', pins: [onLeaf] }, 'tls-alert expired-pinset'],
    ['that would, in time', { afterExpiry: 'deny', pins: [onLeaf] }, 'accept pin-match'],
    ['that goes on', { ...over, afterExpiry: 'enforce', pins: [onLeaf] }, 'accept pin-match'],
    ['that goes on, of a mismatch', { ...over, afterExpiry: 'enforce', pins: [onNobody] }, 'tls-alert expired-pinset'],
    ['that learns', { ...over, ...learning }, 'accept expired-pinset'],
  ])('past its date %s', (_, more, expected) => {
    const { action, reason } = claim(more);
    expect(`${action} ${reason}`).toBe(expected);
  });
});

describe('a deny pin', () => {
  const denying = (more: Partial<CompiledPinset> = {}) => bank({ pins: [onLeaf], deny: [onIssuer], ...more });
  const ruled = rule(
    0,
    { kind: 'pubkey', key: leaf!.key!, inverted: false },
    {
      verdict: { action: 'accept', connmark: { value: 1, mask: 1 } },
    },
  );

  it('ends the matter, and no rule is asked then', () => {
    const judgement = judge([denying()], { rules: [ruled] });
    expect(judgement.final).toMatchObject({ reason: 'deny-pin', matched: onIssuer.canonical });
    expect([judgement.matchedRules, judgement.ruleMark]).toEqual([[], null]);
  });

  it('that only reports is said beside the rest', () => {
    const judgement = judge([denying({ mode: 'report-only' })], { rules: [ruled] });
    expect([judgement.final, judgement.matchedRules.length, judgement.ruleMark]).toEqual([
      undefined,
      1,
      ruled.verdict.connmark,
    ]);
    expect(judgement.claims([]).map(({ reason }) => reason)).toEqual(['pin-match', 'deny-pin']);
  });

  it('of nobody who is there says nothing', () => {
    const judgement = judge([denying()], { chain: ['leaf'] });
    expect([judgement.final, judgement.claims([]).length]).toEqual([undefined, 1]);
  });
});

it('a leaf that is not there matches nothing', () => {
  expect(claim({ pins: [onLeaf] }, {}, ['forged']).reason).toBe('pin-mismatch');
  expect(other!.spkiSha256).not.toBe(leaf!.spkiSha256);
});

it('of two changes of marks the later wins where both name a bit', () => {
  const [first, second] = [
    { value: 0b0011, mask: 0b0011 },
    { value: 0b0100, mask: 0b0110 },
  ];
  expect([mergeMarks(null, null), mergeMarks(first, null), mergeMarks(null, second)]).toEqual([null, first, second]);
  expect(mergeMarks(first, second)).toEqual({ value: 0b0101, mask: 0b0111 });
});
