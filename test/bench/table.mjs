/** The result as a table: what was to be reached, what was measured, and how everybody else did. */

/** `kept`: whether it is no further than noise (a fifth) from its goal, or from what was reached of it. */
export function judge({ goal, reached }, { measured, values }) {
  if (goal === null || measured === null) return { met: null, kept: true };
  const share = (bound) => (goal.sense === 'at least' ? measured / bound : bound / measured);
  const held = typeof reached === 'function' ? reached(values) : (reached ?? goal.bound);
  return { met: share(goal.bound) >= 1, kept: share(held) >= 1 - NOISE };
}

export function formatTable(results) {
  const rows = [['figure', 'goal', 'measured', '(from – to)', 'met'], ...results.map(rowOf)];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
  lines.splice(1, 0, widths.map((width) => '-'.repeat(width)).join('  '));
  return [...lines, '', ...results.flatMap(details)].join('\n');
}

function rowOf({ title, goal, measured, ratios, met, why }) {
  const bound = goal === null ? '' : `${goal.sense === 'at least' ? '≥' : '≤'} ${goal.bound}`;
  if (measured === null) return [title, bound, `not had: ${why}`, '', ''];
  const range = ratios.length < 2 ? '' : `(${number(Math.min(...ratios))} – ${number(Math.max(...ratios))})`;
  return [title, bound, number(measured), range, met === null ? '' : met ? 'yes' : 'NO'];
}

/** The median of each side, and what the program on the gateway did for it. */
function details({ name, unit, values, outcomes, missing }) {
  if (values === undefined) return [];
  const sides = Object.entries(values).map(
    ([side, value]) => `  ${side} ${number(value)}${connecting(outcomes?.[side])}${usage(outcomes?.[side])}`,
  );
  const absent = missing?.length > 0 ? [`  not had: ${missing.join(', ')}`] : [];
  return [`${name}, ${unit}`, ...sides, ...absent];
}

/** Of the last round: one round trip, and what the gateway does with two packets. */
function connecting(outcomes) {
  const connected = outcomes?.at(-1)?.connected;
  return connected === undefined ? '' : `, of which ${number(connected / 1000)} ms until it is connected`;
}

/** Of the last round, its warm-up included: of handshakes for each of them, of streams as a share of one CPU. */
function usage(outcomes) {
  const last = outcomes?.at(-1);
  if (last === undefined || last.queued === 0) return '';
  const isStream = last.exchanges > 0 || last.octets > 0;
  const lost = last.lost > 0 ? `, ${last.lost} packets LOST` : '';
  if (isStream) return ` (${Math.round((100 * last.cpu) / last.seconds)} % CPU${lost})`;
  const micros = Math.round((last.cpu * 1e6) / last.total);
  return ` (${micros} µs CPU and ${number(last.queued / last.total)} packets each${lost})`;
}

const NOISE = 0.2;

export function number(value) {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);
}
