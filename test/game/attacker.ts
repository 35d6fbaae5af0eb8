/**
 * An attacker who has learned from pairs of connections whose owners he knows, and is asked about others: which is the
 * client's? A decision tree for each thing that he may look at, and one for all of them.
 */
import { DecisionTreeClassifier } from 'ml-cart';

import { numberOf, type Seen } from './connections.ts';

/** The client's, and the one that was made in its place. */
export type Pair = readonly [client: Seen, probe: Seen];

/** What he looks at: of one connection, with the other one of its pair beside it. */
type Look = (one: Seen, other: Seen) => readonly number[];
export type Looks = Readonly<Record<string, Look>>;
type Of = (seen: Seen) => number;

/** Without the hour, by which nothing that is known of one pair is known of another. */
const WITHOUT_TIME: Readonly<Record<string, readonly Of[]>> = {
  'the address': [({ address }) => numberOf(address)],
  'the hop limit': [({ hopLimit }) => hopLimit],
  'options, window and flags of the SYN': [
    ({ syn }) => numberOf(syn.layout),
    ({ syn }) => syn.window,
    ({ syn }) => syn.maximumSegmentSize,
    ({ syn }) => syn.windowScale,
    ({ syn }) => syn.flags,
  ],
  'window and traffic class behind it': [({ window }) => window, ({ traffic }) => traffic],
  'the clock of timestamps': [({ clocks }) => clocks[0]],
  'the port': [({ port }) => port, ({ port }) => port & 1],
  'and how far it is from those before': [({ step }) => step, ({ step }) => Math.abs(step)],
  'IP identifications': [({ ids }) => ids[0], ({ ids }) => ids[1], ({ ids }) => (ids[1] - ids[0]) & 0xffff],
  'lengths of the hello, its records and segments': [
    ({ hello }) => hello.octets,
    ({ hello }) => hello.records,
    ({ hello }) => hello.segments,
    ({ hello }) => hello.recordVersion,
  ],
  'what the hello says': [({ hello }) => numberOf(hello.shape), ({ hello }) => hello.extensions],
};
const WAITS: readonly Of[] = [
  ({ times }) => times.ack - times.syn,
  ({ times }) => times.hello - times.ack,
  // By the sender's clock it was said earlier.
  ({ clocks }) => clocks[0] - clocks[1],
  ({ clocks }) => clocks[2] - clocks[1],
];
/** By it he may draw his answer out, and so learn how far away each end is. */
const HEARD: readonly Of[] = [({ times }) => times.heard - times.answer];
const BEHIND_NAME = 'what follows the server’s flight';
/** Too late for a forgery in the same connection. */
const BEHIND: readonly Of[] = [
  ({ behind }) => behind.octets,
  ({ behind }) => behind.packets,
  ({ behind }) => behind.fin,
  ({ behind }) => behind.rst,
];

/** Since the hello. */
const UNTIL_THE_END: readonly Of[] = [({ times }) => times.last - times.hello];

const alone =
  (all: readonly Of[]): Look =>
  (one) =>
    all.map((of) => of(one));
const paired =
  (all: readonly Of[]): Look =>
  (one, other) =>
    all.flatMap((of) => [of(one), of(one) - of(other)]);
const joined =
  (all: readonly Look[]): Look =>
  (one, other) =>
    all.flatMap((look) => look(one, other));

const ORDER: Looks = {
  'which hello comes first': ({ times }, { times: others }) => [Math.sign(times.hello - others.hello)],
  'which SYN comes first': ({ times }, { times: others }) => [Math.sign(times.syn - others.syn)],
  'and how far apart they are': ({ times }, { times: others }) => [times.syn - others.syn, times.hello - others.hello],
};

/** Of two connections at one time. */
export const PAIRED = looksOf(paired, ORDER);
/** Of one, which may be the client's or not. */
export const ALONE = looksOf(alone, {});
/** Of one, which may be of a client that asks for nothing. */
export const LEAVING: Looks = { [BEHIND_NAME]: alone(BEHIND), 'when it is over': alone(UNTIL_THE_END) };

function looksOf(kind: (all: readonly Of[]) => Look, order: Looks): Looks {
  const still = Object.fromEntries(Object.entries(WITHOUT_TIME).map(([name, all]) => [name, kind(all)]));
  const time: Looks = {
    ...order,
    'how long is waited within it': kind(WAITS),
    'when it has heard the server': kind(HEARD),
  };
  return {
    ...still,
    'all of these': joined(Object.values(still)),
    ...time,
    'all of these, time too': joined([...Object.values(still), ...Object.values(time)]),
    [BEHIND_NAME]: kind(BEHIND),
  };
}

/** The share of his answers that are right: 0.5 is what a coin has. NaN where there is nothing to learn from. */
export function accuracyOf(look: Look, pairs: readonly Pair[]): number {
  if (pairs.length < 2) return NaN;
  const [learned, asked] = halves(pairs);
  const predict = learnedFrom(samplesOf(look, learned));
  const questions = samplesOf(look, asked);
  const answers = predict(questions);
  return answers.filter((answer, at) => answer === questions[at]!.isClient).length / questions.length;
}

/** A client's connection, and those that were begun beside it. */
export type Company = readonly [client: Seen, ...decoys: readonly Seen[]];

/** How often he names the client's: of those that he takes for it he names any, and of all where he takes none for it. */
export function guessesOf(look: Look, companies: readonly Company[]): number {
  if (companies.length < 2) return NaN;
  const [learned, asked] = halves(companies);
  const among = (all: Company) =>
    all.map((one, at): Sample => ({ numbers: finite(look(one, middleOf(all, one))), isClient: at === 0 ? 1 : 0 }));
  // As many of the one kind as of the other, or he would take none for the client's.
  const predict = learnedFrom(
    learned.flatMap((all) => {
      const [client, ...decoys] = among(all) as [Sample, ...Sample[]];
      return decoys.flatMap((decoy) => [client, decoy]);
    }),
  );
  const shares = asked.map((all) => {
    const answers = predict(among(all));
    const named = answers.reduce((sum, answer) => sum + answer, 0);
    if (named === 0) return 1 / all.length;
    return answers[0] === 1 ? 1 / named : 0;
  });
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

/** Of the others, the one whose SYN is in the middle. */
function middleOf(all: Company, one: Seen): Seen {
  const others = all.filter((each) => each !== one).sort((a, b) => a.times.syn - b.times.syn);
  return others[others.length >> 1]!;
}

function halves<T>(all: readonly T[]): [learned: T[], asked: T[]] {
  return [all.filter((_, at) => at % 2 === 0), all.filter((_, at) => at % 2 === 1)];
}

function learnedFrom(lessons: readonly Sample[]): (questions: readonly Sample[]) => number[] {
  const tree = new DecisionTreeClassifier({ gainFunction: 'gini', maxDepth: 4, minNumSamples: 8 });
  tree.train(
    lessons.map(({ numbers }) => numbers),
    lessons.map(({ isClient }) => isClient),
  );
  return (questions) => tree.predict(questions.map(({ numbers }) => numbers));
}

interface Sample {
  readonly numbers: number[];
  readonly isClient: number;
}

function samplesOf(look: Look, pairs: readonly Pair[]): Sample[] {
  return pairs.flatMap(([client, probe]) => [
    { numbers: finite(look(client, probe)), isClient: 1 },
    { numbers: finite(look(probe, client)), isClient: 0 },
  ]);
}

function finite(numbers: readonly number[]): number[] {
  return numbers.map((number) => (Number.isFinite(number) ? number : -1));
}
