/** Each pin of a pinset beside each certificate of the path, as a grid. */
import type { Explanation } from '../../src/web/api.ts';
import { append, badge, code, element, table } from '../dom.ts';
import { sentence } from '../sentences.ts';

export function pathOf(judged: Explanation['judged'][number], certificates: Explanation['certificates']): HTMLElement {
  const { pins, pins_left_out: leftOut, deny_pins: denyPins, denied, checks, reason } = judged;
  const head = ['Pin', 'Role', ...certificates.map((_, place) => (place === 0 ? '0 leaf' : String(place))), 'Counts'];
  const rows = pins.map(({ pin, at, role, equals, counts, but }) => [
    code(pin),
    `${role}, at ${at}`,
    ...certificates.map((_, place) =>
      equals.includes(place) ? badge('equal', counts ? 'good' : 'warn') : element('span', { class: 'faint' }, 'other'),
    ),
    counts ? badge('yes', 'good') : (but ?? 'no'),
  ]);
  const made = element('div', {});
  append(made, [
    reason === null ? null : element('p', {}, 'It says ', code(reason), '.'),
    pins.length === 0 ? element('p', {}, 'It has no pin.') : table(`Pins of ${judged.pinset}`, head, rows),
    leftOut === 0 ? null : element('p', { class: 'note' }, `${leftOut} other pins are not shown.`),
    denyPins === 0
      ? null
      : element(
          'p',
          {},
          denied === null ? `None of its ${denyPins} deny pins is satisfied.` : 'Denied by ',
          denied === null ? null : code(denied),
        ),
    checks.length === 0 ? null : element('ul', { class: 'checks' }, ...checks.map(checkOf)),
  ]);
  return made;
}

function checkOf({ check, value, outcome, detail }: Explanation['judged'][number]['checks'][number]): HTMLElement {
  const level = { holds: 'good', fails: 'bad', 'not-asked': 'note', undecided: 'warn' }[outcome];
  return element(
    'li',
    {},
    badge(outcome.replace('-', ' '), level),
    ' ',
    code(`${check}: ${value}`),
    ` ${sentence(detail)}`,
  );
}
