/** From the client's first octets to the decision, and for how long of that packets were held. */
import type { VerdictRecord } from '../../src/web/api.ts';
import { append, element } from '../dom.ts';
import { duration } from '../times.ts';

export function timeLine({ verdict }: VerdictRecord): HTMLElement {
  const { took_us: took, held_us: held } = verdict;
  const whole = Math.max(took ?? 0, held, 1);
  const made = element('div', { class: 'time-line' });
  const bar = (name: string, micros: number, kind: string): HTMLElement => {
    const filled = element('div', { class: kind });
    filled.style.width = `${Math.max(0.5, (100 * micros) / whole)}%`;
    return element(
      'div',
      { class: 'bar-row' },
      element('span', {}, `${name}: ${duration(micros)}`),
      element('div', { class: 'track' }, filled),
    );
  };
  append(made, [
    took === undefined
      ? element('p', { class: 'note' }, 'Its beginning was not seen.')
      : bar('From the first octets of TLS to the decision', took, 'took'),
    bar('Packets of it were held', held, 'held'),
  ]);
  return made;
}
