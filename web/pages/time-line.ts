/** From the client's first octets of TLS to the decision, on one axis, and where on it packets of the connection waited. */
import type { VerdictRecord } from '../../src/web/api.ts';
import { append, element } from '../dom.ts';
import { duration } from '../times.ts';

export function timeLine({ verdict }: VerdictRecord): HTMLElement {
  const { took_us: took, held_us: held, evidence } = verdict;
  const made = element('div', { class: 'time-line' });
  if (took === undefined) {
    append(made, [
      element('p', { class: 'note' }, 'Its beginning was not seen.'),
      element('p', {}, held === 0 ? 'No packet of it waited.' : `Packets of it waited for ${duration(held)}.`),
    ]);
    return made;
  }
  const whole = Math.max(took, held, 1);
  const waitedFrom = Math.max(0, took - held);
  const steps: (readonly [at: number, text: string])[] = [
    [0, 'the client’s first octets of TLS'],
    ...(held === 0 ? [] : [[waitedFrom, `packets wait for ${WAITING[evidence] ?? 'the decision'}`] as const]),
    [took, `decision: ${verdict.action}`],
  ];
  const bar = element('div', { class: 'track', 'aria-hidden': 'true' });
  bar.append(part('took', 0, took / whole), part('held', waitedFrom / whole, held / whole));
  const items = steps.map(([at, text]) => element('li', {}, element('span', { class: 'at' }, duration(at)), text));
  append(made, [
    bar,
    element('ol', { class: 'steps' }, ...items),
    element(
      'p',
      { class: 'note' },
      held === 0 ? 'No packet of it waited.' : `Packets of it waited for ${duration(held)}.`,
    ),
  ]);
  return made;
}

function part(kind: string, from: number, share: number): HTMLElement {
  const filled = element('div', { class: kind });
  filled.style.left = `${100 * from}%`;
  filled.style.width = `${Math.max(0.5, 100 * share)}%`;
  return filled;
}

const WAITING: Readonly<Record<string, string>> = {
  probed: 'what the server shows to a probe',
  decrypted: 'the secret that decrypts the certificate',
};
