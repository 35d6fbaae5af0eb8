/** From the client's first octets of TLS to the decision, on one axis: what was said, by whom, and where packets waited. */
import type { Explanation } from '../../src/web/api.ts';
import { append, element } from '../dom.ts';
import { duration } from '../times.ts';

type Step = Explanation['handshake'][number];

export function timeLine(steps: readonly Step[]): HTMLElement {
  const made = element('div', { class: 'time-line' });
  if (steps.length === 0) {
    append(made, [element('p', { class: 'note' }, 'Its beginning was not seen.')]);
    return made;
  }
  const whole = Math.max(1, ...steps.map(({ at_us: at }) => at));
  const waited = steps.find(({ what }) => what === 'hold');
  const held = waited === undefined ? 0 : whole - waited.at_us;
  const bar = element('div', { class: 'track', 'aria-hidden': 'true' });
  bar.append(part('took', 0, 1));
  if (waited !== undefined) bar.append(part('held', waited.at_us / whole, held / whole));
  bar.append(...steps.map(({ at_us: at, from }) => mark(from, at / whole)));
  append(made, [bar, element('ol', { class: 'steps' }, ...steps.map(itemOf))]);
  const isDecided = steps.some(({ what }) => what === 'decision');
  const waiting = waited === undefined ? 'No packet of it waited.' : `Packets of it waited for ${duration(held)}.`;
  if (isDecided) append(made, [element('p', { class: 'note' }, waiting)]);
  return made;
}

function itemOf({ at_us: at, from, what }: Step): HTMLElement {
  return element(
    'li',
    {},
    element('span', { class: 'at' }, duration(at)),
    element('span', { class: 'from', 'data-from': from }, from),
    element('span', {}, OWN[what] ?? what),
  );
}

function part(kind: string, from: number, share: number): HTMLElement {
  const filled = element('div', { class: kind });
  filled.style.left = `${100 * from}%`;
  filled.style.width = `${Math.max(0.5, 100 * share)}%`;
  return filled;
}

function mark(from: Step['from'], at: number): HTMLElement {
  const made = element('div', { class: 'mark', 'data-from': from });
  made.style.left = `min(${100 * at}%, 100% - 3px)`;
  return made;
}

const OWN: Readonly<Record<string, string>> = {
  'probe-asked': 'asks the server itself, by a probe',
  'probe-answered': 'has the answer to the probe',
  hold: 'packets wait from here on',
  decision: 'decides',
};
