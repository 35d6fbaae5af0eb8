import { beforeEach, describe, expect, it } from 'vitest';

import { Examiner } from '../../../src/runtime/examining/examiner.ts';
import { RemoteExaminer } from '../../../src/runtime/examining/remote-examiner.ts';
import type { ExamineRequest, Questioner } from '../../../src/judge/ports.ts';
import type { FromQueue } from '../../../src/runtime/queue/messages.ts';
import type { DatedFacts } from '../../../src/x509/examine.ts';
import { certificate } from '../../support/certificates.ts';
import { FakeExaminer } from '../../support/fake-examiner.ts';
import { DATED, FACTS } from '../../support/queue-messages.ts';

const NOW = Date.UTC(2030, 0, 1);
const endpoint = (...address: number[]) => ({ address: Uint8Array.from(address), port: 443 });
const by = (client: number, server: number) => ({
  client: endpoint(10, 0, 0, client),
  server: endpoint(9, 9, 9, server),
});
const requestOf = (...names: string[]): ExamineRequest => ({
  chain: names.map(certificate),
  anchors: [],
  names: ['www.bank.example'],
  atMs: NOW,
  trust: [],
});
const CHAIN = requestOf('leaf', 'inter');

describe('the examiner', () => {
  let thread: FakeExaminer;
  let examiner: Examiner;
  let answers: [string, DatedFacts][];
  const ask = (key: string, client: number, server: number, request = CHAIN) =>
    examiner.ask(key, { request, ...by(client, server) }, (dated) => answers.push([key, dated]));
  const answered = () => answers.map(([key]) => key);

  beforeEach(() => {
    thread = new FakeExaminer();
    answers = [];
    examiner = new Examiner(
      thread,
      () => 0,
      () => undefined,
    );
  });

  it('gives its thread one question at a time', () => {
    ask('a', 1, 1);
    ask('b', 2, 2);
    expect(thread.requests).toHaveLength(1);
    thread.answer(DATED);
    expect(answers).toEqual([['a', DATED]]);
    expect(thread.requests).toHaveLength(2);
    thread.answer(DATED);
    expect(answered()).toEqual(['a', 'b']);
  });

  it('has those first whose client and server cost least', () => {
    for (let i = 0; i < 6; i++) ask(`hostile ${i}`, i, 66);
    thread.answer(DATED, 200_000);
    ask('genuine', 7, 1);
    for (let i = 0; i < 3; i++) thread.answer(DATED, 200_000);
    expect(answered()).toEqual(['hostile 0', 'hostile 1', 'genuine', 'hostile 2']);
  });

  it('never gets to what was withdrawn, and tells nobody of what it was at', () => {
    ask('at it', 1, 1);
    ask('waits', 2, 2);
    ask('stays', 3, 3);
    examiner.withdraw('at it');
    examiner.withdraw('waits');
    thread.answer(DATED);
    expect(thread.requests).toHaveLength(2);
    thread.answer(DATED);
    expect(answered()).toEqual(['stays']);
  });

  it('where too many wait answers that nothing was found', () => {
    for (let i = 0; i < 258; i++) ask(`q${i}`, 1, 1);
    expect(answers).toMatchObject([['q257', { facts: { onPath: [], exhausted: 'turns' } }]]);
    ask('another', 2, 2);
    expect(answered()).toEqual(['q257', 'q256']);
  });
});

describe('a packet thread', () => {
  let posted: FromQueue[];
  let remote: RemoteExaminer;
  const got: unknown[] = [];
  const withdrawal = () => new AbortController();
  const questioner = (signal = withdrawal().signal): Questioner => ({ ...by(1, 1), signal });
  const ask = (request: ExamineRequest, signal?: AbortSignal) =>
    remote.examine(request, (facts) => got.push(facts), questioner(signal));

  beforeEach(() => {
    posted = [];
    got.length = 0;
    remote = new RemoteExaminer({ postMessage: (message) => posted.push(message) });
  });

  it('remembers what was answered about a chain, as long as no date of it passes', () => {
    ask(CHAIN);
    remote.answer(1, { ...DATED, from: NOW, until: NOW + 1000 });
    ask({ ...requestOf('leaf', 'inter'), atMs: NOW + 999 });
    expect(posted).toHaveLength(1);
    expect(got).toEqual([FACTS, FACTS]);
    ask({ ...CHAIN, atMs: NOW + 1000 });
    remote.answer(2, { ...DATED, from: NOW + 1000 });
    ask({ ...CHAIN, atMs: NOW - 1 });
    expect(posted).toHaveLength(3);
  });

  it.each<[string, Partial<ExamineRequest>]>([
    ['another chain', { chain: [certificate('leaf')] }],
    ['the chain in another order', { chain: [certificate('inter'), certificate('leaf')] }],
    ['another name', { names: ['www.bank.example', 'other.example'] }],
    ['an anchor', { anchors: [certificate('root')] }],
    ['a trusted certificate', { trust: [certificate('root')] }],
  ])('asks again about %s', (_, other) => {
    ask(CHAIN);
    remote.answer(1, DATED);
    ask({ ...CHAIN, ...other });
    expect(posted).toHaveLength(2);
  });

  it('takes a question back whose flow is gone, and does not remember that there was no turn', () => {
    const gone = withdrawal();
    ask(CHAIN, gone.signal);
    gone.abort();
    expect(posted[1]).toEqual({ kind: 'withdraw', id: 1 });
    remote.answer(1, DATED);
    expect(got).toEqual([]);
    const answered = withdrawal();
    ask(CHAIN, answered.signal);
    remote.answer(2, { ...DATED, facts: { ...FACTS, exhausted: 'turns' } });
    answered.abort();
    ask(CHAIN);
    expect(posted.map(({ kind }) => kind)).toEqual(['examine', 'withdraw', 'examine', 'examine']);
  });

  it('asks once for each client and server, and what was answered to one is answered to all', () => {
    const other = { ...by(2, 1), signal: withdrawal().signal };
    for (let i = 0; i < 3; i++) ask(CHAIN);
    remote.examine(CHAIN, () => got.push('other'), other);
    expect(posted.map(({ kind }) => kind)).toEqual(['examine', 'examine']);
    remote.answer(2, DATED);
    expect(got).toEqual(['other', FACTS, FACTS, FACTS]);
    expect(posted[2]).toEqual({ kind: 'withdraw', id: 1 });
    remote.answer(1, DATED);
    expect(got).toHaveLength(4);
  });

  it('takes a question back once all are gone who have asked it', () => {
    const [one, two] = [withdrawal(), withdrawal()];
    ask(CHAIN, one.signal);
    ask(CHAIN, two.signal);
    one.abort();
    expect(posted).toHaveLength(1);
    two.abort();
    expect(posted[1]).toEqual({ kind: 'withdraw', id: 1 });
  });

  it('tells nobody who is gone by what another does with the same answer', () => {
    const gone = withdrawal();
    remote.examine(CHAIN, () => gone.abort(), questioner());
    ask(CHAIN, gone.signal);
    remote.answer(1, DATED);
    expect(got).toEqual([]);
  });

  it('asks again for whoever has asked past a date that the answer is bounded by', () => {
    ask(CHAIN);
    ask({ ...CHAIN, atMs: NOW + 1000 });
    remote.answer(1, { ...DATED, from: NOW, until: NOW + 1000 });
    expect(got).toEqual([FACTS]);
    expect(posted[1]).toMatchObject({ kind: 'examine', id: 2, request: { atMs: NOW + 1000 } });
    remote.answer(2, DATED);
    expect(got).toEqual([FACTS, FACTS]);
  });

  it('refuses nobody, of however many who come with one chain before it was examined', () => {
    const thread = new FakeExaminer();
    const examiner = new Examiner(
      thread,
      () => 0,
      () => undefined,
    );
    const facts: DatedFacts['facts'][] = [];
    const packets = new RemoteExaminer({
      postMessage: (message) => {
        if (message.kind === 'withdraw') examiner.withdraw(String(message.id));
        if (message.kind === 'examine')
          examiner.ask(String(message.id), message, (dated) => packets.answer(message.id, dated));
      },
    });
    for (let i = 0; i < 1000; i++) {
      packets.examine(CHAIN, (each) => facts.push(each as typeof FACTS), {
        client: endpoint(10, 0, i >> 8, i & 0xff),
        server: endpoint(9, 9, 9, i % 3),
        signal: withdrawal().signal,
      });
    }
    expect(facts).toEqual([]);
    thread.answer(DATED);
    expect(facts).toHaveLength(1000);
    expect(facts.every(({ exhausted }) => exhausted === false)).toBe(true);
    expect(thread.requests).toHaveLength(1);
  });
});
