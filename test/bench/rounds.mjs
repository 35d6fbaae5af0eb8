/**
 * Measures the sides of a figure in turn, round by round, every other round in the opposite order; a ratio a round, and
 * their median.
 */

/**
 * { ratios, measured, values: { side: median }, outcomes: { side: [one a round] }, missing: [side] }. `attempt`: above 0,
 * measured anew.
 */
export async function measureInTurn(figure, lab, plan, attempt) {
  const key = figure.visit;
  if (attempt > 0 || !measurements.has(key)) measurements.set(key, await visitInTurn(figure, lab, plan));
  const { outcomes, missing } = measurements.get(key);
  const values = Object.fromEntries(Object.entries(outcomes).map(([side, rounds]) => [side, rounds.map(figure.value)]));
  const ratios = Array.from({ length: plan.rounds }, (_, round) =>
    figure.ratio(Object.fromEntries(Object.entries(values).map(([side, rounds]) => [side, rounds[round]]))),
  );
  const medians = Object.fromEntries(Object.entries(values).map(([side, rounds]) => [side, median(rounds)]));
  return { ratios, measured: median(ratios), values: medians, outcomes, missing };
}

async function visitInTurn(figure, lab, { rounds, seconds, short }) {
  const all = Object.entries({ ...figure.sides, ...(short ? {} : figure.extra) });
  const sides = all.filter(([, contender]) => lab.has(contender));
  const pace = { seconds, warm: Math.min(WARM, seconds / 2) };
  const outcomes = Object.fromEntries(sides.map(([side]) => [side, []]));
  for (const [, contender] of sides) {
    await lab.put(contender);
    await lab.warmUp(figure.warmUp);
  }
  // Round 0 only warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const [side, contender] of round % 2 === 0 ? sides : sides.toReversed()) {
      await lab.put(contender);
      const outcome = await figure.visit(lab, pace);
      if (round > 0) outcomes[side].push(outcome);
    }
  }
  return { outcomes, missing: all.flatMap(([side, contender]) => (lab.has(contender) ? [] : [side])) };
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** By what visits: several figures may be of the same. */
const measurements = new Map();
/** Seconds ahead of each measurement that do not count. */
const WARM = 0.3;
