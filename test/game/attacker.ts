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
  'IP identifications': [({ ids }) => ids[0], ({ ids }) => ids[1]],
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
];
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
};

/** Of two connections at one time. */
export const PAIRED = looksOf(paired, ORDER);
/** Of one, which may be the client's or not. */
export const ALONE = looksOf(alone, {});
/** Of one, which may be of a client that asks for nothing. */
export const LEAVING: Looks = { [BEHIND_NAME]: alone(BEHIND), 'when it is over': alone(UNTIL_THE_END) };

function looksOf(kind: (all: readonly Of[]) => Look, order: Looks): Looks {
  const still = Object.fromEntries(Object.entries(WITHOUT_TIME).map(([name, all]) => [name, kind(all)]));
  const time: Looks = { ...order, 'how long is waited within it': kind(WAITS) };
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
  const learned = pairs.filter((_, at) => at % 2 === 0);
  const asked = pairs.filter((_, at) => at % 2 === 1);
  const tree = new DecisionTreeClassifier({ gainFunction: 'gini', maxDepth: 4, minNumSamples: 8 });
  const lessons = samplesOf(look, learned);
  tree.train(
    lessons.map(({ numbers }) => numbers),
    lessons.map(({ isClient }) => isClient),
  );
  const questions = samplesOf(look, asked);
  const answers = tree.predict(questions.map(({ numbers }) => numbers));
  return answers.filter((answer, at) => answer === questions[at]!.isClient).length / questions.length;
}

interface Sample {
  readonly numbers: number[];
  readonly isClient: number;
}

function samplesOf(look: Look, pairs: readonly Pair[]): Sample[] {
  const finite = (numbers: readonly number[]) => numbers.map((number) => (Number.isFinite(number) ? number : -1));
  return pairs.flatMap(([client, probe]) => [
    { numbers: finite(look(client, probe)), isClient: 1 },
    { numbers: finite(look(probe, client)), isClient: 0 },
  ]);
}
