/** Several chains before one examination: what is asked about them, when all answers are there, and what they come to together. */
import { describe, expect, it } from 'vitest';

import type { ChainJudgement } from '../../src/judge/chains/chain-judgement.ts';
import type { Claim } from '../../src/judge/claim.ts';
import { Examination } from '../../src/judge/examination.ts';
import type { ChainFacts, ExamineRequest, Questioner } from '../../src/judge/ports.ts';
import { chainFacts } from '../support/chain-facts.ts';
import { bank } from '../support/flows.ts';

const question = (name: string): ExamineRequest => ({ chain: [], anchors: [], names: [name], atMs: 0, trust: [] });
const judgement = (more: object = {}, ...names: readonly string[]) =>
  ({
    final: undefined,
    failsAnyway: false,
    questions: names.map(question),
    claims: () => [],
    ...more,
  }) as unknown as ChainJudgement;
const final = { reason: 'deny-pin' };

class Asked {
  readonly names: string[] = [];
  readonly #done: ((facts: ChainFacts) => void)[] = [];
  signal: AbortSignal | undefined;
  answered = 0;

  ask(examination: Examination, isAtOnce = false): this {
    const examine = (request: ExamineRequest, done: (facts: ChainFacts) => void, by: Questioner) => {
      this.names.push(...request.names);
      this.signal = by.signal;
      if (isAtOnce) done(chainFacts());
      else this.#done.push(done);
    };
    const by = { client: { address: new Uint8Array(4), port: 1 }, server: { address: new Uint8Array(4), port: 2 } };
    examination.ask({ examine }, by, () => void this.answered++);
    return this;
  }

  /** The first of those that are asked, or another. */
  answer(facts: Partial<ChainFacts> = {}, which = 0): void {
    this.#done.splice(which, 1)[0]!(chainFacts(facts));
  }
}

describe('an examination', () => {
  it('asks all, and waits for every answer', () => {
    const examination = new Examination([judgement({}, 'a', 'b'), judgement({}, 'c')], true);
    const asked = new Asked().ask(examination);
    expect(asked.names).toEqual(['a', 'b', 'c']);
    for (const isWaiting of [true, true, false]) {
      asked.answer();
      expect(examination.waiting).toBe(isWaiting);
    }
    expect(asked.answered).toBe(3);
  });

  it('asks nothing twice, and tells of no answer that was there at once', () => {
    const examination = new Examination([judgement({}, 'a')], false);
    const asked = new Asked().ask(examination, true).ask(examination, true);
    expect([asked.names, asked.answered, examination.waiting]).toEqual([['a'], 0, false]);
  });

  it.each([
    ['ends the matter', { final }],
    ['fails whatever is answered', { failsAnyway: true }],
  ])('asks nothing about a chain that %s', (_, more) => {
    expect(new Examination([judgement(more, 'a')], true).waiting).toBe(false);
    const asked = new Asked().ask(new Examination([judgement(more, 'a'), judgement({}, 'b')], true));
    expect(asked.names).toEqual(['b']);
  });

  it('ends with the first chain that ends the matter, whichever that is', () => {
    expect(new Examination([judgement(), judgement({ final })], true).final).toBe(final);
    expect(new Examination([judgement()], true).final).toBeUndefined();
  });

  it('is withdrawn while anybody waits for it, and not any more once all is answered', () => {
    for (const isAnswered of [false, true]) {
      const examination = new Examination([judgement({}, 'a')], false);
      const asked = new Asked().ask(examination);
      if (isAnswered) asked.answer();
      examination.withdraw();
      expect(asked.signal!.aborted).toBe(!isAnswered);
    }
  });

  it('says what there was not enough of, wherever that was', () => {
    const examination = new Examination([judgement({}, 'a', 'b', 'c')], false);
    const asked = new Asked().ask(examination);
    expect(examination.fault).toBeNull();
    asked.answer({ exhausted: false });
    expect(examination.fault).toBeNull();
    asked.answer({ exhausted: 'turns' });
    expect(examination.fault).toBe('x509.budget.turns');
    const behind = new Examination([judgement({}, 'a', 'b')], false);
    new Asked().ask(behind).answer({ exhausted: 'turns' }, 1);
    expect([behind.waiting, behind.fault]).toEqual([true, 'x509.budget.turns']);
  });
});

describe('chains that stand for one server', () => {
  const pinset = bank();
  const claim = (action: 'accept' | 'drop', more: Partial<Claim> = {}): Claim => ({
    pinset,
    mode: 'enforce',
    reason: action === 'accept' ? 'pin-match' : 'pin-mismatch',
    verdict: action === 'accept' ? pinset.onMatch : pinset.onMismatch,
    matched: null,
    ...more,
  });
  const joined = (isProbed: boolean, ...all: readonly Claim[][]) =>
    new Examination(
      all.map((claims) => judgement({ claims: () => claims })),
      isProbed,
    )
      .claims()
      .map(({ reason }) => reason);

  it('let nothing pass for a pinset where they are disputed by somebody else who asked, nor what was denied', () => {
    const disputed = (of: Claim) => {
      const [claim] = new Examination([judgement({ claims: () => [of] })], true, true).claims();
      return [claim!.reason, claim!.verdict];
    };
    expect(disputed(claim('accept'))).toEqual(['probe-inconsistent', pinset.onMismatch]);
    expect(disputed(claim('drop'))).toEqual(['probe-mismatch', pinset.onMismatch]);
    expect(disputed(claim('accept', { pinset: null }))).toEqual(['probe-match', pinset.onMatch]);
  });

  it('are judged by the latest where all of them come to the same', () => {
    expect(joined(false, [claim('accept')])).toEqual(['pin-match']);
    expect(joined(true, [claim('accept')], [claim('accept')])).toEqual(['probe-match']);
    expect(joined(true, [claim('drop')], [claim('drop')])).toEqual(['probe-mismatch']);
    expect(joined(true, [claim('drop', { reason: 'no-proof' })])).toEqual(['no-proof']);
  });

  it('are inconsistent where not, whatever only reports', () => {
    expect(joined(true, [claim('accept')], [claim('accept')], [claim('drop')])).toEqual(['probe-inconsistent']);
    expect(joined(true, [claim('accept', { mode: 'report-only' })], [claim('drop', { mode: 'report-only' })])).toEqual([
      'probe-inconsistent',
    ]);
  });

  it('of no pinset are what the latest says', () => {
    expect(joined(true, [claim('accept', { pinset: null })], [claim('drop', { pinset: null })])).toEqual([
      'probe-match',
    ]);
  });
});
