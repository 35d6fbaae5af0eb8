/** A verdict in one line of a table. */
import type { Verdict } from '../../src/web/api.ts';
import { element } from '../dom.ts';
import { timeElement } from '../time-element.ts';
import { duration } from '../times.ts';

export function verdictRow({
  timestamp,
  flow_id: flow,
  src_ip: client,
  dest_ip: address,
  dest_port: port,
  tls,
  verdict,
}: Verdict): HTMLElement {
  const { action, reason, pinset, held_us: held, would } = verdict;
  const server = tls?.sni ?? `${address}:${port}`;
  const level = action !== 'accept' ? 'bad' : would !== undefined && would !== 'accept' ? 'warn' : 'good';
  return element(
    'tr',
    { role: 'row' },
    element('td', { role: 'cell', class: 'time' }, timeElement(timestamp, 'clock')),
    element(
      'td',
      { role: 'cell', class: 'server' },
      flow === 0 ? server : element('a', { href: `/flows/${flow}`, title: server }, server),
    ),
    element('td', { role: 'cell', class: 'client', title: client }, client),
    element(
      'td',
      { role: 'cell', class: 'decision', 'data-level': level, title: reason },
      element('strong', {}, action),
      ` ${reason}`,
    ),
    element('td', { role: 'cell', class: 'pinset', title: pinset ?? '' }, pinset ?? '–'),
    element('td', { role: 'cell', class: 'waited' }, held === 0 ? '–' : duration(held)),
  );
}
