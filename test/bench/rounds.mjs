/**
 * Measures the sides of a figure in turn, round by round, every other round in the opposite order; a ratio a round, and
 * their median.
 */

/** { ratios, ratio, values: { side: [...] }, outcomes: { side: [...] }, missing: [...] } */
export async function measureInTurn(figure, lab, { rounds, seconds, short }) {
  const all = Object.entries({ ...figure.sides, ...(short ? {} : figure.extra) });
  const sides = all.filter(([, contender]) => lab.has(contender));
  const pace = { seconds, warm: Math.min(0.3, seconds / 2) };
  const outcomes = Object.fromEntries(sides.map(([side]) => [side, []]));
  const ratios = [];
  // Round 0 only warms up.
  for (let round = 0; round <= rounds; round++) {
    const values = {};
    for (const [side, contender] of round % 2 === 0 ? sides : sides.toReversed()) {
      await lab.put(contender);
      const outcome = await figure.visit(lab, round === 0 ? { ...pace, seconds: Math.min(seconds, 0.5) } : pace);
      values[side] = figure.value(outcome);
      if (round > 0) outcomes[side].push({ value: values[side], ...outcome });
    }
    if (round > 0) ratios.push(figure.ratio(values));
  }
  const values = Object.fromEntries(sides.map(([side]) => [side, median(outcomes[side].map(({ value }) => value))]));
  const missing = all.flatMap(([side, contender]) => (lab.has(contender) ? [] : [side]));
  return { ratios, measured: median(ratios), values, outcomes, missing };
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
